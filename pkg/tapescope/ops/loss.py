"""Losses with a kernel of their own: cross entropy, and the negative log likelihood it is made of."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..backends import jit
from ..errors import DtypeError, IndexingError, ShapeError
from .activation import log_softmax, softmax
from .compare import array
from .context import composite
from .elementwise import where
from .index import gather
from .record import Op, ndarray, run, through_float32
from .reduce import mean, sum

REDUCTIONS = ("none", "mean", "sum")


def check_reduction(reduction: str, name: str) -> None:
    """Raise a ValueError unless ``reduction`` is one of "none", "mean", "sum"."""
    if reduction not in REDUCTIONS:
        raise ValueError(f"{name}: reduction must be one of {REDUCTIONS}, got {reduction!r}.")


def _check_target(name: str, x: Any, target: Any, ignore_index: int) -> None:
    """The target of a classification loss: integers (N) or (N, d1, ...), each a class."""
    shape, wanted = tuple(x.shape), (x.shape[0], *x.shape[2:]) if x.ndim > 1 else ()
    if target.dtype.kind not in "iu":
        raise DtypeError(f"{name}: the target has dtype {target.dtype}, expected int64 class numbers.", op=name,
                         hint="Try target.long().")  # fmt: skip
    if tuple(target.shape) != wanted:
        raise ShapeError(
            f"{name}: for an input of shape {shape} the target has shape {tuple(target.shape)}, expected {wanted}.",
            op=name,
            operands=[
                {"name": "input", "shape": shape, "dtype": str(x.dtype), "axis": 0, "edge": getattr(x, "_edge", None)},
                {"name": "target", "shape": tuple(target.shape), "dtype": str(target.dtype), "axis": 0, "edge": None},
            ],
        )
    classes = x.shape[1] if x.ndim > 1 else x.shape[0]
    wrong = (target < 0) | (target >= classes)
    if ignore_index != -100 or wrong.any():
        wrong &= target != ignore_index
        if wrong.any():
            at = tuple(int(i) for i in np.argwhere(wrong)[0])
            raise IndexingError(
                f"{name}: the target at {at} is class {int(target[at])}; the input has classes 0 to {classes - 1}.",
                op=name,
            )


# -- cross entropy of (N, C) logits: forward and gradient one pass each ----------------------------------------------
# With label smoothing e the target is (1 - e) * one_hot + e / C, and the loss log-sum-exp minus its mean of the logits.


@jit.kernel
def _cross_entropy_kernel(x: Any, target: Any, ignore: Any, smoothing: Any, losses: Any) -> Any:
    total, count = 0.0, 0
    classes = x.shape[1]
    for i in range(x.shape[0]):
        t = target[i]
        losses[i] = 0.0
        if t == ignore:
            continue
        top = x[i, 0]
        for j in range(1, classes):
            top = max(top, x[i, j])
        mass, all_logits = 0.0, 0.0
        for j in range(classes):
            mass += math.exp(x[i, j] - top)
            all_logits += x[i, j]
        losses[i] = math.log(mass) + top - (1 - smoothing) * x[i, t]
        if smoothing > 0:
            losses[i] -= smoothing * all_logits / classes
        total += losses[i]
        count += 1
    return total, count


@jit.kernel
def _cross_entropy_vjp_kernel(scale: Any, x: Any, target: Any, ignore: Any, smoothing: Any, out: Any) -> None:
    classes = x.shape[1]
    for i in range(x.shape[0]):
        t = target[i]
        if t == ignore:
            for j in range(classes):
                out[i, j] = 0.0
            continue
        top = x[i, 0]
        for j in range(1, classes):
            top = max(top, x[i, j])
        mass = 0.0
        for j in range(classes):
            out[i, j] = math.exp(x[i, j] - top)
            mass += out[i, j]
        share = scale[i] / mass
        even = scale[i] * smoothing / classes
        for j in range(classes):
            out[i, j] = out[i, j] * share - even
        out[i, t] -= scale[i] * (1 - smoothing)


def _compiled(x: ndarray) -> bool:
    return x.dtype.char in "fd" and x.shape[1] > 0 and jit.available()


def _targets(x: ndarray, target: ndarray, smoothing: float) -> ndarray:
    """The distribution that each row is compared with."""
    one_hot = (np.arange(x.shape[1]) == target[:, None]).astype(x.dtype)
    return one_hot * (1 - smoothing) + smoothing / x.shape[1] if smoothing else one_hot


@through_float32
def _cross_entropy(x: ndarray, target: ndarray, ignore: int, reduction: str, smoothing: float) -> Any:
    if _compiled(x):
        losses = np.empty(x.shape[0], x.dtype)
        total, count = _cross_entropy_kernel(x, target, ignore, smoothing, losses)
    else:
        top = x.max(1, keepdims=True)
        rows, kept = np.arange(x.shape[0]), target != ignore
        losses = np.log(np.exp(x - top).sum(1)) + top[:, 0] - (1 - smoothing) * x[rows, np.where(kept, target, 0)]
        if smoothing:
            losses = losses - smoothing * x.mean(1)
        losses = np.where(kept, losses, 0).astype(x.dtype)
        total, count = losses.sum(), int(kept.sum())
    if reduction == "none":
        return losses
    return np.array(total if reduction == "sum" else total / count if count else np.nan, x.dtype)


def _row_scale(g: ndarray, target: ndarray, ignore: int, reduction: str, kind: np.dtype[Any]) -> ndarray:
    if reduction == "none":
        return np.ascontiguousarray(g)
    if reduction == "mean":
        g = g / (np.count_nonzero(target != ignore) or np.nan)
    return np.full(target.shape, g, kind)


@through_float32
def _cross_entropy_vjp(
    g: ndarray, x: ndarray, target: ndarray, ignore: int, reduction: str, smoothing: float
) -> ndarray:
    scale = _row_scale(g, target, ignore, reduction, x.dtype)
    if _compiled(x):
        out = np.empty(x.shape, x.dtype)
        _cross_entropy_vjp_kernel(scale, x, target, ignore, smoothing, out)
        return out
    e = np.exp(x - x.max(1, keepdims=True))
    e /= e.sum(1, keepdims=True)
    return (e - _targets(x, target, smoothing)) * np.where(target == ignore, 0, scale)[:, None].astype(x.dtype)


def _weights(g: Any, target: ndarray, ignore: int, reduction: str, like: np.dtype[Any]) -> Any:
    """The gradient of each row's loss, as a column, for the formula of the second derivative."""
    kept = (target != ignore).astype(like)[:, None]
    if reduction == "none":
        return g.reshape((-1, 1)) * kept
    return g * (kept / kept.sum() if reduction == "mean" else kept)


def _second_dg(h: Any, g: Any, x: Any, target: Any, ignore: int, reduction: str, smoothing: float) -> Any:
    """How the input's gradient, weighted by ``h``, changes with ``g``."""
    t, values = array(target), array(x)
    rows = sum(h * (softmax(x, 1) - _targets(values, t, smoothing)), 1)
    if reduction == "none":
        return rows * (t != ignore).astype(values.dtype)
    return sum(rows * _weights(1.0, t, ignore, reduction, values.dtype)[:, 0])


def _second_dx(h: Any, g: Any, x: Any, target: Any, ignore: int, reduction: str, smoothing: float) -> Any:
    """The Hessian of the loss is that of log-sum-exp: ``p * (h - sum(p * h))``, weighted by row."""
    p = softmax(x, 1)
    ph = p * h
    return (ph - p * sum(ph, 1, True)) * _weights(g, array(target), ignore, reduction, array(x).dtype)


_vjp_op: Op = Op(
    "cross_entropy_backward",
    _cross_entropy_vjp,
    (_second_dg, _second_dx, None),
    saves=(0, 1, 2),
    names=("grad", "input", "target"),
)
_cross_entropy_op = Op(
    "cross_entropy",
    _cross_entropy,
    (lambda g, x, target, *attributes: run(_vjp_op, (g, x, target), attributes), None),
    saves=(0, 1),
    names=("input", "target"),
)


@composite
def cross_entropy(input: Any, target: Any, weight: Any = None, size_average: Any = None, ignore_index: int = -100,
                  reduce: Any = None, reduction: str = "mean", label_smoothing: float = 0.0) -> Any:  # fmt: skip
    """How surprised the logits are by the target: ``-log_softmax(input)[target]``.

    Args:
        input: logits (C), (N, C) or (N, C, d1, ...).
        target: class numbers, int64, of the shape of ``input`` without C; or class probabilities of its whole shape.
        weight: (C), a factor for each class.
        ignore_index: the class number of targets that do not count.
        reduction: "mean", "sum" or "none".
        label_smoothing: the share (0 to 1) of each target that is spread evenly over all classes.

    Returns:
        A scalar, or with "none" one loss per target. Gradient: ``(softmax - one_hot) * g``.

    Raises:
        ShapeError, DtypeError, IndexingError: a target that does not fit; names its place.

    Example:
        >>> import tapescope as ts
        >>> ts.nn.functional.cross_entropy(ts.zeros(2, 10), ts.tensor([3, 7]))
        tensor(2.3026)
    """
    check_reduction(reduction, "cross_entropy")
    if array(target).dtype.kind == "f":
        return _soft_cross_entropy(input, target, weight, reduction, label_smoothing)
    if input.ndim == 2 and weight is None:
        _check_target("cross_entropy", array(input), array(target), ignore_index)
        return run(_cross_entropy_op, (input, target), (ignore_index, reduction, float(label_smoothing)))
    axis = 0 if input.ndim == 1 else 1
    scores = log_softmax(input, axis)
    loss = nll_loss(scores, target, weight, ignore_index=ignore_index, reduction=reduction)
    if not label_smoothing:
        return loss
    return (
        loss * (1 - label_smoothing)
        + _smooth_loss(scores, array(target), weight, ignore_index, reduction, axis) * label_smoothing
    )


def _soft_cross_entropy(input: Any, target: Any, weight: Any, reduction: str, smoothing: float) -> Any:
    if tuple(input.shape) != tuple(target.shape):
        raise ShapeError(
            f"cross_entropy: targets of dtype {array(target).dtype} are class probabilities and must have the input's shape "
            f"{tuple(input.shape)}, got {tuple(target.shape)}.", op="cross_entropy",
            hint="For class numbers use int64: target.long().",
        )  # fmt: skip
    axis = 0 if input.ndim == 1 else 1
    if smoothing:
        target = target * (1 - smoothing) + smoothing / input.shape[axis]
    terms = log_softmax(input, axis) * target
    if weight is not None:
        terms = terms * weight.reshape((-1, *[1] * (input.ndim - 1 - axis)))
    losses = -sum(terms, axis)
    if reduction == "none":
        return losses
    return sum(losses) if reduction == "sum" else sum(losses) / max(1, array(losses).size)


def _class_weights(weight: Any, target: ndarray, ignore: int, kind: np.dtype[Any]) -> ndarray:
    kept = target != ignore
    factors = np.ones((), kind) if weight is None else array(weight)[np.where(kept, target, 0)]
    return (factors * kept).astype(kind)


def _smooth_loss(scores: Any, target: ndarray, weight: Any, ignore: int, reduction: str, axis: int) -> Any:
    """The loss against the uniform distribution, weighted as the main loss is."""
    kind = array(scores).dtype
    if weight is not None:
        scores = scores * weight.reshape((-1, *[1] * (scores.ndim - 1 - axis)))
    kept = (target != ignore).astype(kind)
    losses = -mean(scores, axis) * kept
    if reduction == "none":
        return losses
    factors = _class_weights(weight, target, ignore, kind)
    return sum(losses) if reduction == "sum" else sum(losses) / float(factors.sum())


@composite
def nll_loss(input: Any, target: Any, weight: Any = None, size_average: Any = None, ignore_index: int = -100,
             reduce: Any = None, reduction: str = "mean") -> Any:  # fmt: skip
    """The negative log likelihood: ``-input[target]`` of log-probabilities.

    Args:
        input: (C), (N, C) or (N, C, d1, ...).
        target: class numbers, int64, of the shape of ``input`` without C.
        weight, ignore_index, reduction: as for :func:`cross_entropy`.

    Example:
        >>> import tapescope as ts
        >>> ts.nn.functional.nll_loss(ts.tensor([[-0.5, -1.0]]), ts.tensor([1]))
        tensor(1.)
    """
    check_reduction(reduction, "nll_loss")
    t = array(target)
    _check_target("nll_loss", array(input), t, ignore_index)
    axis = 0 if input.ndim == 1 else 1
    places = np.expand_dims(np.where(t == ignore_index, 0, t), axis)
    factors = _class_weights(weight, t, ignore_index, array(input).dtype)
    picked = gather(input, axis, places).reshape(t.shape)
    losses = -where(t == ignore_index, 0.0, picked) * factors
    if reduction == "none":
        return losses
    count = float(factors.sum())
    return sum(losses) if reduction == "sum" else sum(losses) / (count if count else float("nan"))
