"""Activations, losses and layers as functions, under PyTorch's names.

Most are ops and are only named here; the rest are composites of ops. Invariant: what a composite records carries a Tag
with its name and the calling line, so the user's line is known.
"""

from __future__ import annotations

import sys
import warnings

import numpy as np

from ..autograd import Tensor, composite
from ..autograd.inplace import write
from ..errors import DtypeError, ShapeError, TapescopeError
from ..ops.activation import gelu, log_softmax, logsigmoid, sigmoid, softmax, softplus, tanh
from ..ops.elementwise import abs, clamp, log, square, where
from ..ops.linalg import linear
from ..ops.loss import check_reduction, cross_entropy, nll_loss
from ..ops.random import dropout
from ..ops.record import OPS, run_one
from ..ops.reduce import mean, sum

__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "dropout",
    "gelu",
    "huber_loss",
    "l1_loss",
    "leaky_relu",
    "linear",
    "log_softmax",
    "logsigmoid",
    "mse_loss",
    "nll_loss",
    "one_hot",
    "relu",
    "sigmoid",
    "silu",
    "smooth_l1_loss",
    "softmax",
    "softplus",
    "tanh",
]


_RELU, _LEAKY_RELU, _SILU = OPS["relu"], OPS["leaky_relu"], OPS["silu"]


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """max(input, 0); `inplace` writes it into the input. Gradient: g where the input is positive, else 0.

    Example:
        >>> import tapescope as ts
        >>> x = ts.tensor([-1.0, 2.0])
        >>> ts.nn.functional.relu(x, inplace=True) is x, x.tolist()
        (True, [0.0, 2.0])
    """
    return write(_RELU, input, (), (), sys._getframe(1)) if inplace else run_one(_RELU, input)


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """The input where positive, negative_slope * input elsewhere; `inplace` writes it into the input.

    Gradient: g times 1 or the slope. Source: Maas, Hannun, Ng, 2013.

    Example:
        >>> import tapescope as ts
        >>> ts.nn.functional.leaky_relu(ts.tensor([-1.0, 2.0]), 0.1)
        tensor([-0.1000,  2.0000])
    """
    if inplace:
        return write(_LEAKY_RELU, input, (), (negative_slope,), sys._getframe(1))
    return run_one(_LEAKY_RELU, input, (negative_slope,))


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """input * sigmoid(input), also called swish; `inplace` writes it into the input.

    Gradient: g * s * (1 + input * (1 - s)) with s = sigmoid(input). Source: Hendrycks, Gimpel, 2016.

    Example:
        >>> import tapescope as ts
        >>> ts.nn.functional.silu(ts.tensor([0.0, 1.0]))
        tensor([0.0000, 0.7311])
    """
    return write(_SILU, input, (), (), sys._getframe(1)) if inplace else run_one(_SILU, input)


def _reduced(losses: Tensor, reduction: str) -> Tensor:
    if reduction == "mean":
        return mean(losses)
    if reduction == "sum":
        return sum(losses)
    return losses


def _difference(input: Tensor, target: Tensor, reduction: str, name: str) -> Tensor:
    """input - target, after a word about shapes that only broadcast."""
    check_reduction(reduction, name)
    if tuple(input.shape) != tuple(target.shape):
        warnings.warn(
            f"{name}: using a target size ({tuple(target.shape)}) that is different to the input size "
            f"({tuple(input.shape)}). This will likely lead to incorrect results due to broadcasting. "
            f"Please ensure they have the same size.",
            stacklevel=4,
        )
    return input - target


@composite
def mse_loss(input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """The squared difference. Gradient of the mean: 2 * (input - target) / n.

    Example:
        >>> import tapescope as ts
        >>> ts.nn.functional.mse_loss(ts.tensor([1.0, 2.0]), ts.tensor([1.0, 4.0])).item()
        2.0
    """
    return _reduced(square(_difference(input, target, reduction, "mse_loss")), reduction)


@composite
def l1_loss(input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """The absolute difference. Gradient of the mean: sign(input - target) / n.

    Example:
        >>> import tapescope as ts
        >>> ts.nn.functional.l1_loss(ts.tensor([1.0, 2.0]), ts.tensor([1.0, 4.0])).item()
        1.0
    """
    return _reduced(abs(_difference(input, target, reduction, "l1_loss")), reduction)


@composite
def smooth_l1_loss(input: Tensor, target: Tensor, *, reduction: str = "mean", beta: float = 1.0) -> Tensor:
    """0.5 * d ** 2 / beta where |d| < beta, |d| - 0.5 * beta elsewhere, with d = input - target.

    Gradient of the mean: d / beta / n where |d| < beta, sign(d) / n elsewhere. Source: Girshick, 2015.

    Example:
        >>> import tapescope as ts
        >>> ts.nn.functional.smooth_l1_loss(ts.tensor([1.5, 2.0]), ts.tensor([1.0, 4.0]), reduction="none")
        tensor([0.1250, 1.5000])
    """
    if beta < 0:
        raise ValueError(f"smooth_l1_loss does not support negative values for beta, got {beta}")
    size = abs(_difference(input, target, reduction, "smooth_l1_loss"))
    if beta == 0:
        return _reduced(size, reduction)
    return _reduced(where(size < beta, square(size) * (0.5 / beta), size - 0.5 * beta), reduction)


@composite
def huber_loss(input: Tensor, target: Tensor, *, reduction: str = "mean", delta: float = 1.0) -> Tensor:
    """0.5 * d ** 2 where |d| < delta, delta * (|d| - 0.5 * delta) elsewhere, with d = input - target.

    Gradient of the mean: d / n where |d| < delta, delta * sign(d) / n elsewhere. Source: Huber, 1964.

    Example:
        >>> import tapescope as ts
        >>> ts.nn.functional.huber_loss(ts.tensor([1.5, 2.0]), ts.tensor([1.0, 4.0]), reduction="none", delta=0.5)
        tensor([0.1250, 0.8750])
    """
    if delta <= 0:
        raise ValueError(f"huber_loss does not support non-positive values for delta, got {delta}")
    size = abs(_difference(input, target, reduction, "huber_loss"))
    return _reduced(where(size < delta, square(size) * 0.5, (size - 0.5 * delta) * delta), reduction)


def _check_binary(name: str, input: Tensor, target: Tensor) -> None:
    if tuple(input.shape) != tuple(target.shape):
        raise ShapeError(
            f"{name}: target size ({tuple(target.shape)}) must be the same as input size ({tuple(input.shape)}).",
            op=name,
        )
    if not target.dtype.is_floating_point:
        raise DtypeError(
            f"{name}: the target has dtype {target.dtype}, expected a floating-point dtype.", op=name,
            hint="Convert it with target.float().",
        )  # fmt: skip


# The logarithm of a probability is taken to be at least -100, as in PyTorch; exp(-104) keeps log(0) out of the gradient.
_LEAST_LOG, _LEAST = -100.0, 1.4e-45


def _log(probability: Tensor) -> Tensor:
    return clamp(log(clamp(probability, min=_LEAST)), min=_LEAST_LOG)


@composite
def binary_cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None = None, *, reduction: str = "mean"
) -> Tensor:
    """-(target * log(input) + (1 - target) * log(1 - input)), each logarithm at least -100.

    Gradient of the mean: (input - target) / (input * (1 - input)) / n.

    Args:
        input: probabilities, 0 to 1.
        target: of the same shape, 0 to 1.
        weight: a factor for each element, broadcast to the shape.
        reduction: "mean", "sum" or "none".

    Raises:
        TapescopeError: an input is not within 0 and 1.
        ShapeError: the shapes of input and target differ.

    Example:
        >>> import tapescope as ts
        >>> ts.nn.functional.binary_cross_entropy(ts.tensor([0.5, 0.9]), ts.tensor([1.0, 1.0]), reduction="none")
        tensor([0.6931, 0.1054])
    """
    name = "binary_cross_entropy"
    check_reduction(reduction, name)
    _check_binary(name, input, target)
    values = input._array
    if values.size and not (values.min() >= 0 and values.max() <= 1):
        raise TapescopeError(
            f"{name}: all elements of input should be between 0 and 1, but they range from {values.min():.4g} to "
            f"{values.max():.4g}.",
            op=name,
            hint="For logits use binary_cross_entropy_with_logits; otherwise put a sigmoid before the loss.",
        )
    losses = -(target * _log(input) + (1 - target) * _log(1 - input))
    return _reduced(losses if weight is None else losses * weight, reduction)


@composite
def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """Binary cross entropy of sigmoid(input), computed from the logits without overflow.

    Gradient of the mean: (sigmoid(input) - target) / n, where no weight is given.

    Args:
        input: logits.
        target: of the same shape, 0 to 1.
        weight: a factor for each element, broadcast to the shape.
        reduction: "mean", "sum" or "none".
        pos_weight: a factor for the positive part, broadcast to the shape.

    Raises:
        ShapeError: the shapes of input and target differ.

    Example:
        >>> import tapescope as ts
        >>> ts.nn.functional.binary_cross_entropy_with_logits(ts.tensor([0.0, -200.0]), ts.ones(2), reduction="none")
        tensor([  0.6931, 200.0000])
    """
    name = "binary_cross_entropy_with_logits"
    check_reduction(reduction, name)
    _check_binary(name, input, target)
    surprise = -logsigmoid(input)
    if pos_weight is not None:
        surprise = surprise * (1 + (pos_weight - 1) * target)
    losses = (1 - target) * input + surprise
    return _reduced(losses if weight is None else losses * weight, reduction)


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """Class numbers (...) as int64 rows (..., num_classes) with a single 1; -1 takes the largest number plus one.

    Example:
        >>> import tapescope as ts
        >>> ts.nn.functional.one_hot(ts.tensor([2, 0])).tolist()
        [[0, 0, 1], [1, 0, 0]]
    """
    numbers = tensor._array
    if numbers.dtype.kind not in "iu":
        raise DtypeError(
            f"one_hot: the input has dtype {tensor.dtype}, expected int64 class numbers.", op="one_hot",
            hint="Convert it with .long().",
        )  # fmt: skip
    if numbers.size == 0 and num_classes <= 0:
        raise ValueError("one_hot: can not infer the total number of classes from an empty tensor")
    count = int(numbers.max()) + 1 if num_classes == -1 else num_classes
    if numbers.size and not (numbers.min() >= 0 and numbers.max() < count):
        raise ValueError(
            f"one_hot: class numbers must lie in 0..{count - 1}, but they range from {numbers.min()} to {numbers.max()}"
        )
    return Tensor._wrap((numbers[..., None] == np.arange(count)).astype(np.int64))
