"""The functions of the top level, in one list: what ``ts.sum`` and its like are, on tensors.

Invariant: elementwise functions are the fast methods themselves; everything else is the op's public function.
"""

from __future__ import annotations

from typing import Any

from ..ops.activation import log_softmax, softmax
from ..ops.compare import allclose, equal
from ..ops.elementwise import add, clamp, clone, div, sub, where
from ..ops.index import gather, index_select, masked_fill
from ..ops.join import cat, chunk, narrow, split, stack, unbind
from ..ops.linalg import bmm, dot, matmul, mm
from ..ops.random import dropout
from ..ops.reduce import all, amax, amin, any, argmax, argmin, mean, prod, std, sum, var
from ..ops.shape import (
    expand,
    flatten,
    flip,
    movedim,
    permute,
    reshape,
    shape_arguments,
    squeeze,
    transpose,
    unflatten,
    unsqueeze,
)  # fmt: skip
from . import methods
from .methods import max, min, nonzero, t
from .tensor import Tensor

__all__ = [
    "abs", "add", "all", "allclose", "amax", "amin", "any", "argmax", "argmin", "bitwise_and", "bitwise_not",
    "bitwise_or", "bitwise_xor", "bmm", "broadcast_to", "cat", "ceil", "chunk", "clamp", "clip", "clone", "concat", "cos",
    "div", "divide", "dot", "dropout", "eq", "equal", "exp", "expm1", "flatten", "flip", "floor", "floor_divide", "gather",
    "ge", "gt", "index_select", "is_tensor", "isfinite", "isinf", "isnan", "le", "log", "log1p", "log_softmax",
    "logical_and", "logical_not", "logical_or", "logical_xor", "lt", "masked_fill", "matmul", "max", "maximum", "mean",
    "min", "minimum", "mm", "movedim", "mul", "multiply", "narrow", "ne", "neg", "nonzero", "numel", "permute", "pow",
    "prod", "reciprocal", "relu", "remainder", "reshape", "rsqrt", "sigmoid", "sign", "sin", "softmax", "split", "sqrt",
    "square", "squeeze", "stack", "std", "sub", "subtract", "sum", "t", "tanh", "transpose", "true_divide", "unbind",
    "unflatten", "unsqueeze", "var", "where",
]  # fmt: skip


def _function(name: str) -> Any:
    """The elementwise method, also for arrays and numbers as first operand."""
    for function in (*methods.UNARY, *methods.BINARY):
        if function.__name__ == name:
            return function
    raise LookupError(name)


abs, neg, sign, floor, ceil = map(_function, ("abs", "neg", "sign", "floor", "ceil"))
exp, expm1, log, log1p, sqrt, rsqrt = map(_function, ("exp", "expm1", "log", "log1p", "sqrt", "rsqrt"))
reciprocal, square, sin, cos = map(_function, ("reciprocal", "square", "sin", "cos"))
relu, tanh, sigmoid = map(_function, ("relu", "tanh", "sigmoid"))
logical_not, bitwise_not, isnan, isinf, isfinite = map(
    _function, ("logical_not", "bitwise_not", "isnan", "isinf", "isfinite")
)
mul, floor_divide, remainder, pow = map(_function, ("mul", "floor_divide", "remainder", "pow"))
maximum, minimum, true_divide = map(_function, ("maximum", "minimum", "div"))
eq, ne, lt, le, gt, ge = map(_function, ("eq", "ne", "lt", "le", "gt", "ge"))
logical_and, logical_or, logical_xor = map(_function, ("logical_and", "logical_or", "logical_xor"))
bitwise_and, bitwise_or, bitwise_xor = map(_function, ("bitwise_and", "bitwise_or", "bitwise_xor"))
divide, multiply, subtract, clip, concat = div, mul, sub, clamp, cat


def broadcast_to(input: Any, size: Any) -> Any:
    """``input`` expanded to the shape ``size``, without a copy.

    Example:
        >>> import tapescope as ts
        >>> ts.broadcast_to(ts.tensor([1, 2]), (2, 2))
        tensor([[1, 2],
                [1, 2]])
    """
    return expand(input, shape_arguments((size,)))


def is_tensor(obj: Any) -> bool:
    """Whether ``obj`` is a tensor.

    Example:
        >>> import tapescope as ts
        >>> ts.is_tensor(ts.ones(1)), ts.is_tensor([1])
        (True, False)
    """
    return isinstance(obj, Tensor)


def numel(input: Tensor) -> int:
    """The number of elements.

    Example:
        >>> import tapescope as ts
        >>> ts.numel(ts.zeros(2, 3))
        6
    """
    return input.numel()
