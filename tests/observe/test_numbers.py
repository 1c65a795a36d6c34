"""Statistics never fail on strange data, and numbers are written as the views want them."""

import numpy as np
import pytest
from tapescope.observe import numbers


def test_stats_of_known_values():
    found = numbers.stats(np.array([3.0, -4.0], np.float32))
    assert (found.norm, found.mean, found.std, found.min, found.max) == (5.0, -0.5, 3.5, -4.0, 3.0)
    assert found.nonfinite == 0 and sum(found.hist) == 2 and found.hist[0] == found.hist[-1] == 1


@pytest.mark.parametrize(
    "values, nonfinite",
    [([1, np.nan], 1), ([np.inf, -np.inf], 2), ([np.nan, 1, np.inf, 2], 2), ([1e30, 1e30], 0), ([0.0], 0), ([2], 0)],
)
def test_stats_of_strange_values(values, nonfinite):
    found = numbers.stats(np.array(values, np.float32))
    assert found.nonfinite == nonfinite
    for value in found.as_dict().values():
        assert not isinstance(value, float) or np.isfinite(value)


def test_stats_of_nothing_and_of_other_kinds():
    assert numbers.stats(np.zeros(0, np.float32)) is None
    assert numbers.stats(np.zeros(3, np.complex64)) is None
    assert numbers.stats(np.array([True, False])).mean == 0.5
    assert numbers.stats(np.arange(5)).max == 4


def test_a_sample_still_counts_every_nonfinite_value():
    values = np.ones(100_000, np.float32)
    values[12_345] = np.nan
    assert numbers.stats(values, sample=1000).nonfinite == 1


@pytest.mark.parametrize("scale", [1e-30, 1e-3, 1.0, 1e30])
def test_norm_neither_overflows_nor_vanishes(scale):
    assert numbers.norm(np.full(4, scale, np.float32)) == pytest.approx(2 * np.float32(scale), rel=1e-5)


@pytest.mark.parametrize(
    "count, text",
    [(0, "0 B"), (999, "999 B"), (1024, "1.00 KiB"), (131 * 1024, "131 KiB"), (52.7 * 2**20, "52.7 MiB"),
     (1e15, "931323 GiB")],
)  # fmt: skip
def test_size(count, text):
    assert numbers.size(count) == text


@pytest.mark.parametrize(
    "value, text",
    [(None, "–"), (0.0, "0"), (0.03125, "0.0312"), (3.1e-10, "3.10e-10"), (412.0, "412"), (1234.0, "1234"),
     (12345.0, "1.23e4"), (float("inf"), "inf")],
)  # fmt: skip
def test_number(value, text):
    assert numbers.number(value) == text


def test_table_is_aligned():
    assert numbers.table(["a", "bytes"], [["xyz", "1"], ["x", "100"]], right=(1,)) == [
        "a    bytes", "xyz      1", "x      100",
    ]  # fmt: skip
