"""One row of cases per op: what the harness in test_ops.py calls, and what the answer is.

A row names the op as ``ts`` has it, gives inputs (shapes, or arrays by a function of a random generator), arguments,
and the reference in NumPy. ``torch`` names PyTorch's function where it is not the same path.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import special


def anything(shape: tuple[int, ...]) -> Callable[[np.random.Generator], np.ndarray]:
    return lambda rng: rng.standard_normal(shape)


def positive(shape: tuple[int, ...]) -> Callable[[np.random.Generator], np.ndarray]:
    return lambda rng: rng.uniform(0.5, 2.0, shape)


def distinct(shape: tuple[int, ...]) -> Callable[[np.random.Generator], np.ndarray]:
    """No two equal, none near zero, so that extremes and kinks stay clear of the differences' steps."""
    return lambda rng: rng.permutation(np.linspace(-2, 2.1, math.prod(shape) + 2)[: math.prod(shape)]).reshape(shape)


def classes(shape: tuple[int, ...], n: int) -> Callable[[np.random.Generator], np.ndarray]:
    return lambda rng: rng.integers(0, n, shape)


def mask(shape: tuple[int, ...]) -> Callable[[np.random.Generator], np.ndarray]:
    return lambda rng: rng.random(shape) < 0.5


@dataclass
class Case:
    """One call: inputs (generators of arrays), arguments, and the same in NumPy."""

    op: str
    inputs: tuple[Any, ...]
    numpy: Callable[..., Any]
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)
    torch: str | None = None  # path in torch, if other than ``op``
    grad: bool = True
    second: bool = True
    ints: bool = False  # also for integers
    sequence: bool = False  # the inputs go as one list

    def __str__(self) -> str:
        return self.id

    @property
    def id(self) -> str:
        shown = [f"{k}={v}" for k, v in self.kwargs.items()] + [str(a) for a in self.args]
        return self.op + (f"({', '.join(shown)})" if shown else "")


A, V, B = (3, 4), (4,), (2, 3, 4)


def one(op: str, numpy: Callable[..., Any], source: Any = anything, **options: Any) -> list[Case]:
    """An elementwise op of one input: a matrix, a 0-d tensor."""
    return [Case(op, (source(shape),), numpy, **options) for shape in (A, ())]


def two(
    op: str, numpy: Callable[..., Any], first: Any = anything, second: Any = anything, **options: Any
) -> list[Case]:
    """An elementwise op of two: equal shapes, broadcast on either side."""
    pairs = [(A, A), (A, V), ((3, 1), A), ((), A)]
    return [Case(op, (first(a), second(b)), numpy, **options) for a, b in pairs]


def along(
    op: str, numpy: Callable[..., Any], source: Any = anything, one_dim: bool = False, **options: Any
) -> list[Case]:
    """A reduction: over all, one dimension, several, kept."""
    rows = [Case(op, (source(B),), lambda x: numpy(x, None, False), **options)]
    for dim, keep in ((0, False), (-1, True), *([] if one_dim else [((0, 2), False)])):
        kwargs = {"dim": dim, "keepdim": keep}
        rows.append(Case(op, (source(B),), lambda x, d=dim, k=keep: numpy(x, d, k), kwargs=kwargs, **options))
    return rows


def _softmax(x: np.ndarray, axis: int) -> np.ndarray:
    return special.softmax(x, axis)


def _nll(x: np.ndarray, t: np.ndarray) -> np.ndarray:
    return -np.mean(x[np.arange(len(t)), t])


def _smooth(x: np.ndarray, t: np.ndarray, e: float) -> np.ndarray:
    q = np.eye(x.shape[1])[t] * (1 - e) + e / x.shape[1]
    return -(np.log(_softmax(x, 1)) * q).sum(1).mean()


def _prod_keep(x: np.ndarray, d: Any, k: bool) -> Any:
    return np.prod(x, d, keepdims=k)


def _gather(x: np.ndarray, index: np.ndarray) -> np.ndarray:
    return np.take_along_axis(x, index, 1)


INDEX = np.array([[0, 3, 1], [2, 2, 0], [1, 0, 3]])

CASES: list[Case] = [
    *two("add", np.add, ints=True), *two("sub", np.subtract, ints=True), *two("mul", np.multiply, ints=True),
    Case("add", (anything(A), anything(A)), lambda x, y: x + 3 * y, kwargs={"alpha": 3}),
    Case("sub", (anything(A), anything(A)), lambda x, y: x - 3 * y, kwargs={"alpha": 3}),
    *two("div", np.true_divide, anything, positive),
    *two("true_divide", np.true_divide, anything, positive),
    Case("div", (positive(A), positive(A)), lambda x, y: np.floor(x / y), kwargs={"rounding_mode": "floor"}, grad=False),
    Case("div", (anything(A), positive(A)), lambda x, y: np.trunc(x / y), kwargs={"rounding_mode": "trunc"}, grad=False),
    *two("floor_divide", np.floor_divide, anything, positive, grad=False),
    *two("remainder", np.remainder, anything, positive),
    *two("pow", np.power, positive, anything),
    Case("pow", (anything(A), ), lambda x: x**3, args=(3,)), Case("pow", (anything(A),), lambda x: x**2, args=(2.0,)),
    *two("maximum", np.maximum, distinct, positive), *two("minimum", np.minimum, distinct, positive),
    *one("neg", np.negative, ints=True), *one("abs", np.abs, distinct, ints=True), *one("sign", np.sign, distinct, ints=True),
    *one("floor", np.floor), *one("ceil", np.ceil), *one("exp", np.exp), *one("expm1", np.expm1),
    *one("log", np.log, positive), *one("log1p", np.log1p, positive), *one("sqrt", np.sqrt, positive),
    *one("rsqrt", lambda x: 1 / np.sqrt(x), positive), *one("reciprocal", lambda x: 1 / x, positive),
    *one("square", np.square, ints=True), *one("sin", np.sin), *one("cos", np.cos), *one("tanh", np.tanh),
    *one("sigmoid", special.expit), *one("relu", lambda x: np.maximum(x, 0), distinct, ints=True),
    *one("nn.functional.gelu", lambda x: x * special.ndtr(x)),
    Case("nn.functional.gelu", (anything(A),), lambda x: x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
         kwargs={"approximate": "tanh"}),
    *one("nn.functional.silu", lambda x: x * special.expit(x)),
    *one("nn.functional.logsigmoid", lambda x: np.log(special.expit(x))),
    Case("nn.functional.leaky_relu", (distinct(A),), lambda x: np.where(x > 0, x, 0.2 * x), args=(0.2,)),
    Case("nn.functional.softplus", (anything(A),), lambda x: np.log1p(np.exp(2 * x)) / 2, args=(2.0,)),
    *[Case("softmax", (anything(A),), lambda x, d=d: _softmax(x, d), args=(d,)) for d in (0, -1)],
    *[Case("log_softmax", (anything(A),), lambda x, d=d: np.log(_softmax(x, d)), args=(d,)) for d in (0, -1)],
    *two("eq", np.equal, grad=False, ints=True), *two("ne", np.not_equal, grad=False, ints=True),
    *two("lt", np.less, grad=False, ints=True), *two("le", np.less_equal, grad=False, ints=True),
    *two("gt", np.greater, grad=False, ints=True), *two("ge", np.greater_equal, grad=False, ints=True),
    *two("logical_and", np.logical_and, mask, mask, grad=False), *two("logical_or", np.logical_or, mask, mask, grad=False),
    *two("logical_xor", np.logical_xor, mask, mask, grad=False), *one("logical_not", np.logical_not, mask, grad=False),
    *two("bitwise_and", np.bitwise_and, mask, mask, grad=False), *two("bitwise_or", np.bitwise_or, mask, mask, grad=False),
    *two("bitwise_xor", np.bitwise_xor, mask, mask, grad=False), *one("bitwise_not", np.invert, mask, grad=False),
    *one("isnan", np.isnan, grad=False), *one("isinf", np.isinf, grad=False), *one("isfinite", np.isfinite, grad=False),
    Case("where", (mask(A), anything(A), anything(V)), np.where),
    Case("where", (mask(V), anything(A), anything((3, 1))), np.where),
    Case("clamp", (distinct(A),), lambda x: np.clip(x, -1, 1), args=(-1, 1)),
    Case("clamp", (distinct(A),), lambda x: np.clip(x, 0.3, None), kwargs={"min": 0.3}),
    Case("clamp", (distinct(A),), lambda x: np.clip(x, None, 0.3), kwargs={"max": 0.3}),
    *one("clone", np.copy),
    *along("sum", lambda x, d, k: np.sum(x, d, keepdims=k), ints=True),
    *along("mean", lambda x, d, k: np.mean(x, d, keepdims=k)),
    *along("prod", _prod_keep, distinct, one_dim=True),
    *along("amax", lambda x, d, k: np.max(x, d, keepdims=k), distinct),
    *along("amin", lambda x, d, k: np.min(x, d, keepdims=k), distinct),
    *along("var", lambda x, d, k: np.var(x, d, ddof=1, keepdims=k)),
    Case("var", (anything(A),), lambda x: np.var(x, 0), kwargs={"dim": 0, "correction": 0}),
    *along("std", lambda x, d, k: np.std(x, d, ddof=1, keepdims=k)),
    Case("max", (distinct(A),), np.max), Case("min", (distinct(A),), np.min),
    Case("max", (distinct(A),), lambda x: (x.max(1), x.argmax(1)), args=(1,)),
    Case("min", (distinct(A),), lambda x: (x.min(0, keepdims=True), x.argmin(0, keepdims=True)), args=(0, True)),
    Case("max", (distinct(A), positive(A)), np.maximum), Case("min", (distinct(A), positive(A)), np.minimum),
    *along("argmax", lambda x, d, k: np.argmax(x, d, keepdims=k), distinct, one_dim=True, grad=False),
    *along("argmin", lambda x, d, k: np.argmin(x, d, keepdims=k), distinct, one_dim=True, grad=False),
    *along("all", lambda x, d, k: np.all(x, d, keepdims=k), mask, grad=False),
    *along("any", lambda x, d, k: np.any(x, d, keepdims=k), mask, grad=False),
    *[Case("matmul", (anything(a), anything(b)), np.matmul) for a, b in (
        ((3, 4), (4, 2)), ((4,), (4,)), ((3, 4), (4,)), ((3,), (3, 2)), ((2, 3, 4), (4, 2)), ((2, 1, 3, 4), (5, 4, 2)),
        ((2, 3, 4), (4,)), ((4,), (2, 4, 3)), ((3, 0), (0, 2)))],
    Case("mm", (anything((3, 4)), anything((4, 2))), np.matmul),
    Case("bmm", (anything((2, 3, 4)), anything((2, 4, 2))), np.matmul),
    Case("dot", (anything((4,)), anything((4,))), np.dot),
    *[Case("nn.functional.linear", (anything(s), anything((2, 4)), anything((2,))), lambda x, w, b: x @ w.T + b)
      for s in ((3, 4), (4,), (2, 3, 4))],
    Case("nn.functional.linear", (anything((3, 4)), anything((2, 4))), lambda x, w: x @ w.T),
    Case("reshape", (anything(A),), lambda x: x.reshape(2, -1), args=((2, -1),)),
    Case("flatten", (anything(B),), lambda x: x.reshape(2, 12), args=(1,)),
    Case("unflatten", (anything(A),), lambda x: x.reshape(3, 2, 2), args=(1, (2, -1))),
    Case("squeeze", (anything((1, 3, 1)),), np.squeeze), Case("squeeze", (anything((1, 3, 1)),), lambda x: x[0], args=(0,)),
    Case("unsqueeze", (anything(A),), lambda x: x[:, None], args=(1,)),
    Case("permute", (anything(B),), lambda x: x.transpose(2, 0, 1), args=((2, 0, 1),)),
    Case("transpose", (anything(B),), lambda x: x.swapaxes(0, -1), args=(0, -1)),
    Case("t", (anything(A),), np.transpose),
    Case("movedim", (anything(B),), lambda x: np.moveaxis(x, 0, -1), args=(0, -1)),
    Case("movedim", (anything(B),), lambda x: np.moveaxis(x, (0, 1), (2, 0)), args=((0, 1), (2, 0))),
    Case("flip", (anything(B),), lambda x: np.flip(x, (0, 2)), args=((0, 2),)),
    Case("broadcast_to", (anything((3, 1)),), lambda x: np.broadcast_to(x, (2, 3, 4)), args=((2, 3, 4),)),
    Case("cat", (anything(A), anything((2, 4)), anything((1, 4))), lambda *x: np.concatenate(x), sequence=True),
    Case("cat", (anything(A), anything((3, 1))), lambda *x: np.concatenate(x, 1), args=(-1,), sequence=True),
    Case("stack", (anything(A), anything(A)), lambda *x: np.stack(x, 1), args=(1,), sequence=True),
    Case("split", (anything((5, 2)),), lambda x: (x[:2], x[2:4], x[4:]), args=(2,)),
    Case("split", (anything((2, 5)),), lambda x: (x[:, :1], x[:, 1:]), args=([1, 4], 1)),
    Case("chunk", (anything((5, 2)),), lambda x: (x[:3], x[3:]), args=(2,)),
    Case("unbind", (anything(A),), lambda x: tuple(x.T), args=(1,)),
    Case("narrow", (anything(A),), lambda x: x[:, 1:3], args=(1, 1, 2)),
    Case("masked_fill", (anything(A), mask(A)), lambda x, m: np.where(m, 2.0, x), args=(2.0,)),
    Case("index_select", (anything(A),), lambda x: x[:, [2, 0, 2]], args=(1, np.array([2, 0, 2]))),
    Case("gather", (anything(A),), lambda x: _gather(x, INDEX), args=(1, INDEX)),
    Case("nonzero", (mask(A),), lambda x: np.argwhere(x), grad=False),
    Case("nn.functional.cross_entropy", (anything((5, 4)), classes((5,), 4)), lambda x, t: _nll(np.log(_softmax(x, 1)), t)),
    Case("nn.functional.cross_entropy", (anything((5, 4)), classes((5,), 4)),
         lambda x, t: -np.log(_softmax(x, 1))[np.arange(5), t], kwargs={"reduction": "none"}),
    Case("nn.functional.cross_entropy", (anything((5, 4)), classes((5,), 4)),
         lambda x, t: -np.log(_softmax(x, 1))[np.arange(5), t][t != 1].sum(), kwargs={"reduction": "sum", "ignore_index": 1}),
    Case("nn.functional.cross_entropy", (anything((5, 4)), classes((5,), 4)), lambda x, t: _smooth(x, t, 0.1),
         kwargs={"label_smoothing": 0.1}),
    Case("nn.functional.cross_entropy", (anything((4, 3, 2)), classes((4, 2), 3)), lambda x, t: _nll(
         np.log(_softmax(x, 1)).transpose(0, 2, 1).reshape(8, 3), t.reshape(8))),
    Case("nn.functional.nll_loss", (anything((5, 4)), classes((5,), 4)), _nll),
]  # fmt: skip
