"""Operations that are not functions of the top level: indexing, writing, changes in place, views, dropout, casts.

Each is checked to second order as the harness in test_ops.py does for functions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tapescope as ts

X, V = (3, 4), (4,)


def written(change: Callable[[ts.Tensor, ts.Tensor], Any]) -> Callable[..., ts.Tensor]:
    """A function that changes a copy of ``x`` in place, with the help of ``v``."""

    def function(x: ts.Tensor, v: ts.Tensor) -> ts.Tensor:
        y = x * 1
        z = y.exp()  # uses the value from before
        change(y, v)
        return y * y + z

    return function


ROW = (1,)


def put(index: Any) -> Callable[..., ts.Tensor]:
    return written(lambda y, v: y.__setitem__(index, v if index is ROW else v[0]))


def dropped(x: ts.Tensor, v: ts.Tensor) -> ts.Tensor:
    ts.manual_seed(3)
    return ts.nn.functional.dropout(x, 0.4) * v


MASK = ts.tensor(np.arange(12).reshape(X) % 3 == 0)

EXPRESSIONS: dict[str, Callable[..., ts.Tensor]] = {
    "slice": lambda x, v: x[1:, ::2] * v[:2],
    "integer": lambda x, v: x[1] * v[2],
    "new dimension": lambda x, v: x[:, None, ...] * v,
    "integer array, repeated": lambda x, v: x[[0, 2, 0]] * v,
    "arrays of both": lambda x, v: x[[0, 1], [2, 2]] * v[:2],
    "mask": lambda x, v: x[MASK].sum() * v,
    "integer and mask": lambda x, v: x[0, [True, False, True, True]] * v[1:],
    "expand": lambda x, v: v.expand(3, 4) * x + v[:1].expand(3, 1),
    "view": lambda x, v: x.view(2, 6) * v.view(2, 2).sum(1, keepdim=True),
    "narrow": lambda x, v: x.narrow(1, 1, 2) ** 2 * v[:2],
    "T": lambda x, v: x.T * v[:, None],
    "mT": lambda x, v: (x.mT * x.mT).mT + v,
    "setitem row": put(ROW),
    "setitem one": put((1, 2)),
    "setitem mask": put(MASK),
    "setitem array": put(([0, 2], [1, 1])),
    "add_": written(lambda y, v: y.add_(v, alpha=3)),
    "sub_": written(lambda y, v: y.sub_(v)),
    "mul_": written(lambda y, v: y.mul_(v)),
    "div_": written(lambda y, v: y.div_(v * v + 1)),
    "pow_": written(lambda y, v: y.pow_(3)),
    "exp_": written(lambda y, v: y.exp_()),
    "sigmoid_": written(lambda y, v: y.sigmoid_()),
    "clamp_": written(lambda y, v: y.clamp_(-0.5, 0.5)),
    "zero_": written(lambda y, v: y.zero_()),
    "fill_": written(lambda y, v: y.fill_(v[0] * 1.0)),
    "copy_": written(lambda y, v: y.copy_(v)),
    "masked_fill_": written(lambda y, v: y.masked_fill_(MASK, 2.0)),
    "in place through a row": written(lambda y, v: y[1].mul_(v)),
    "in place through a transpose": written(lambda y, v: y.T[2].exp_()),
    "in place through a reshape": written(lambda y, v: y.reshape(2, 6)[:, ::3].mul_(v[:2])),
    "in place after a view": written(lambda y, v: (y[0], y.mul_(v))),
    "dropout": dropped,
    "max of pairs along": lambda x, v: x.max(1).values * v[:3] + x.min(1).values,
}


def inputs() -> list[ts.Tensor]:
    rng = np.random.default_rng(1)
    values = rng.permutation(np.linspace(-1.4, 1.5, 12)).reshape(X), np.array([0.7, -1.1, 1.3, 0.4])
    return [ts.tensor(value, requires_grad=True) for value in values]


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_first_order(name: str) -> None:
    assert ts.autograd.gradcheck(EXPRESSIONS[name], inputs())


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_second_order(name: str) -> None:
    assert ts.autograd.gradgradcheck(EXPRESSIONS[name], inputs(), atol=1e-5)


def test_cast_gives_the_gradient_in_the_dtype_of_its_input() -> None:
    x = ts.tensor([1.5, 2.5], dtype=ts.float64, requires_grad=True)
    h = ts.tensor([1.5, 2.5], dtype=ts.float16, requires_grad=True)
    (x.float() * h.float()).sum().backward()
    assert x.grad.dtype is ts.float64 and h.grad.dtype is ts.float16
    assert x.grad.tolist() == [1.5, 2.5] and h.grad.tolist() == [1.5, 2.5]
    (slope,) = ts.autograd.grad((x.float() ** 3).sum(), x, create_graph=True)
    (curve,) = ts.autograd.grad(slope.sum(), x)
    assert curve.dtype is ts.float64 and curve.tolist() == [9.0, 15.0]


def recorded() -> set[str]:
    """The names of all ops that the expressions record, gradients included."""
    seen: set[str] = set()

    def note(node: Any, tensor: Any) -> None:
        seen.add(node.op.name)

    ts.autograd.events.recorded.append(note)
    try:
        for function in EXPRESSIONS.values():
            out = function(*inputs())
            stack, found = [out.grad_fn], set()
            while stack:  # nodes that in-place changes put on the tape are found there, not announced
                node = stack.pop()
                if node is None or node in found or not hasattr(node, "edges"):
                    continue
                found.add(node)
                seen.add(node.op.name)
                stack.extend(getattr(edge, "node", edge) for edge in node.edges)
            out.sum().backward(create_graph=True)
    finally:
        ts.autograd.events.recorded.remove(note)
    return seen
