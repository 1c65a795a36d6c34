"""Products on one thread: same values, and the user's number of threads is left as it was."""

from __future__ import annotations

import numpy as np
import pytest
from tapescope.backends import blas


@pytest.mark.parametrize(
    "shapes", [((64, 64), (64, 128)), ((3, 64, 80), (80, 90)), ((4, 4), (4, 4)), ((300, 300), (300, 300))]
)
def test_values(shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    rng = np.random.default_rng(0)
    x, y = (rng.standard_normal(shape) for shape in shapes)
    np.testing.assert_allclose(blas.matmul(x, y), np.matmul(x, y), 1e-12)
    if x.ndim == 2:
        np.testing.assert_allclose(blas.dot(x, y), x @ y, 1e-12)


def test_one_thread_inside_and_the_users_number_outside() -> None:
    control = blas._find()
    if control is None:
        pytest.skip("NumPy has no OpenBLAS here; its wheels from PyPI on Linux do")
    get, put = control
    before = get()
    put(2)
    try:
        seen = []
        x = np.ones((64, 64))
        blas._on_one_thread(lambda a, b: seen.append(get()), x, x)
        assert seen == [1] and get() == 2
        with pytest.raises(ZeroDivisionError):
            blas._on_one_thread(lambda a, b: 1 / 0, x, x)
        assert get() == 2
    finally:
        put(before)
