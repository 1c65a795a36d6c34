"""Bad input: what failed, what came in, what was expected. One row per way to get it wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tapescope as ts
from tapescope.errors import DeviceError, DtypeError, IndexingError, ShapeError

F = ts.nn.functional
z = ts.zeros

ROWS: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: z(3, 4) + z(3), ShapeError, r"add: \(3, 4\) and \(3,\).*axis 1 of the first is 4, axis 0 of the second is 3"),
    (lambda: z(3, 4) @ z(3, 4), ShapeError, r"axis 1 of the first is 4, axis 0 of the second is 3.*must be equal"),
    (lambda: z(3, 4) @ z(4, 2, dtype=ts.float64), DtypeError, "float32, the second float64"),
    (lambda: z(2, 3, 4) @ z(3, 4, 2), ShapeError, r"batch dimensions \(2,\) and \(3,\)"),
    (lambda: F.linear(z(5, 120), z(10, 128)), ShapeError, r"input has 120 features, the weight wants 128.*Try nn.Linear\(120, 10\)"),
    (lambda: F.linear(z(5, 4), z(3, 4), z(2)), ShapeError, r"bias of shape \(2,\)"),
    (lambda: ts.where(z(2) > 0, z(3), z(3)), ShapeError, "do not broadcast"),
    (lambda: z(2, 3).reshape(4, 2), ShapeError, r"cannot view \(2, 3\) as \(4, 2\): 6 elements"),
    (lambda: z(2, 3).view(-1, -1), ShapeError, "cannot view"),
    (lambda: z(2, 3).T.view(6), ShapeError, "without a copy.*reshape"),
    (lambda: z(2, 3).expand(4, 3), ShapeError, r"\(2, 3\) cannot become \(4, 3\)"),
    (lambda: z(2, 3).permute(0, 0), ShapeError, "each of the 2 dimensions"),
    (lambda: z(2, 3).sum(2), IndexError, "dim 2 is out of range.*-2 to 1"),
    (lambda: z(2, 3).sum((0, 0)), ShapeError, "twice"),
    (lambda: z(2, 3)[5], IndexError, "index 5 is out of range for dimension 0 of size 2"),
    (lambda: z(2, 3)[0, 0, 0], IndexError, "too many indices"),
    (lambda: z(2, 3)[1.5], IndexingError, "expected integers, slices"),
    (lambda: z(2, 3)[:, [0, 7]], IndexError, "index 7 is out of range for dimension 1 of size 3"),
    (lambda: z(2, 3)[ts.tensor([True, False, True])], IndexError, r"mask of shape \(3,\)"),
    (lambda: z(4)[::-1], IndexingError, "step must be positive.*flip"),
    (lambda: z(2, 3).__setitem__(0, z(4)), ShapeError, r"value of shape \(4,\) into a place of shape \(3,\)"),
    (lambda: ts.cat([z(2, 3), z(3, 2)]), ShapeError, r"sizes must be equal except in dim 0.*\(2, 3\), \(3, 2\)"),
    (lambda: ts.cat([]), ShapeError, "no tensors"),
    (lambda: ts.stack([z(2), z(3)]), ShapeError, r"\(2,\), \(3,\)"),
    (lambda: z(5).split([2, 2]), ShapeError, "do not add up to the 5"),
    (lambda: z(0, 3).max(), ShapeError, "nothing to choose from"),
    (lambda: ts.ones(3, dtype=ts.int64).mean(), DtypeError, "mean: the input has dtype int64.*float"),
    (lambda: ts.zeros(2, dtype="float33"), DtypeError, "unknown dtype 'float33'"),
    (lambda: ts.zeros(2, device="gpu"), DeviceError, "unknown device 'gpu'"),
    (lambda: ts.zeros(2, device="cuda:1"), DeviceError, "'cuda:1' is not available"),
    (lambda: ts.tensor([[1, 2], [3]]), ShapeError, "different lengths"),
    (lambda: ts.tensor("abc"), DtypeError, "expected numbers"),
    (lambda: ts.tensor([object()]), DtypeError, "cannot make a tensor"),
    (lambda: ts.zeros(-1), ShapeError, "not be negative"),
    (lambda: ts.tensor([1, 2]).add_(1.5), DtypeError, "1.5 does not fit into a tensor of dtype int64"),
    (lambda: z(3).add_(z(2, 3)), ShapeError, "does not fit into the tensor"),
    (lambda: z(2).item(), ShapeError, r"item: a tensor of shape \(2,\) has 2 elements"),
    (lambda: bool(z(2)), ShapeError, "any.. or .all"),
    (lambda: F.cross_entropy(z(3, 4), ts.tensor([0, 9, 1])), IndexError, r"target at \(1,\) is class 9.*0 to 3"),
    (lambda: F.cross_entropy(z(3, 4), ts.tensor([0, 1])), ShapeError, r"target has shape \(2,\), expected \(3,\)"),
    (lambda: F.cross_entropy(z(3, 4), ts.tensor([0.0, 1.0, 2.0])), ShapeError, "class probabilities.*long"),
    (lambda: F.nll_loss(z(3, 4), z(3)), DtypeError, "int64 class numbers"),
    (lambda: F.cross_entropy(z(3, 4), ts.tensor([0, 1, 2]), reduction="avg"), ValueError, "'none', 'mean', 'sum'"),
    (lambda: F.dropout(z(3), 1.5), ValueError, "0 to 1, got 1.5"),
    (lambda: ts.add(z(2), "x"), DtypeError, "got str"),
    (lambda: ts.sum([1.0, 2.0]), DtypeError, "got list, expected a tensor"),
    (lambda: ts.randint(3, 3, (2,)), ValueError, "no integer"),
    (lambda: z(2, 2).masked_fill(ts.ones(2, 2), 0), IndexingError, "expected bool"),
]  # fmt: skip


@pytest.mark.parametrize("row", range(len(ROWS)))
def test_says_what_is_wrong(row: int) -> None:
    call, kind, message = ROWS[row]
    with pytest.raises(kind, match=message):
        call()


def test_operands_carry_the_facts() -> None:
    with pytest.raises(ShapeError) as caught:
        F.linear(z(5, 120), z(10, 128, requires_grad=True))
    first, second = caught.value.operands
    assert (first["name"], first["shape"], first["dtype"], first["axis"]) == ("input", (5, 120), "float32", 1)
    assert (second["name"], second["shape"], second["axis"]) == ("weight", (10, 128), 1)


def test_a_failed_change_in_place_changes_nothing() -> None:
    x = ts.tensor([1, 2, 3])
    with pytest.raises(DtypeError):
        x /= 2
    np.testing.assert_array_equal(x._array, [1, 2, 3])
    assert x._version == 0
