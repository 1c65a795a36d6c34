"""The Tensor methods that come from op records: operators, functions as methods, and the in-place forms.

Importing this module attaches them. What is listed here is the whole surface; nothing is attached elsewhere.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from .. import dtypes
from ..errors import DtypeError, ShapeError
from ..ops import activation, compare, elementwise, index, join, linalg, random, reduce, shape
from ..ops import record as ops_record
from ..ops.record import axes_of, ndarray
from . import inplace
from .dtype_rules import operand_like
from .record import apply, apply_one, asarray, binary_method, record, reflected_method, unary_method, view_of, wrap
from .state import STATE
from .tensor import Tensor

UNARY: list[Any] = [
    elementwise.neg, elementwise.abs, elementwise.sign, elementwise.floor, elementwise.ceil, elementwise.exp,
    elementwise.expm1, elementwise.log, elementwise.log1p, elementwise.sqrt, elementwise.rsqrt, elementwise.reciprocal,
    elementwise.square, elementwise.sin, elementwise.cos, activation.relu, activation.tanh, activation.sigmoid,
    compare.logical_not, compare.bitwise_not, compare.isnan, compare.isinf, compare.isfinite,
]  # fmt: skip
BINARY: list[Any] = [
    elementwise.mul, elementwise.floor_divide, elementwise.remainder, elementwise.pow, elementwise.maximum,
    elementwise.minimum, elementwise.true_divide, compare.eq, compare.ne, compare.lt, compare.le, compare.gt,
    compare.ge, compare.logical_and, compare.logical_or, compare.logical_xor, compare.bitwise_and, compare.bitwise_or,
    compare.bitwise_xor, linalg.matmul,
]  # fmt: skip
FUNCTIONS: list[Any] = [
    elementwise.add, elementwise.sub, elementwise.div, elementwise.clamp, elementwise.clone, activation.softmax,
    activation.log_softmax, reduce.sum, reduce.mean, reduce.prod, reduce.amax, reduce.amin, reduce.argmax, reduce.argmin,
    reduce.var, reduce.std, reduce.all, reduce.any, shape.reshape, shape.view, shape.flatten, shape.unflatten,
    shape.squeeze, shape.unsqueeze, shape.permute, shape.transpose, shape.movedim, shape.flip, shape.expand, join.narrow,
    join.split, join.chunk, join.unbind, index.masked_fill, index.index_select, index.gather, linalg.mm, linalg.bmm,
    linalg.dot, compare.equal, compare.allclose,
]  # fmt: skip
OPERATORS: dict[str, Any] = {
    "__add__": elementwise._add, "__sub__": elementwise._sub, "__mul__": elementwise.mul, "__truediv__": elementwise.true_divide,
    "__floordiv__": elementwise.floor_divide, "__mod__": elementwise.remainder, "__pow__": elementwise.pow,
    "__matmul__": linalg.matmul, "__eq__": compare.eq, "__ne__": compare.ne, "__lt__": compare.lt, "__le__": compare.le,
    "__gt__": compare.gt, "__ge__": compare.ge, "__and__": compare.bitwise_and, "__or__": compare.bitwise_or,
    "__xor__": compare.bitwise_xor,
}  # fmt: skip
REFLECTED = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and", "or", "xor")
INPLACE: dict[str, Any] = {
    "add": elementwise._add, "sub": elementwise._sub, "mul": elementwise.mul, "div": elementwise.true_divide,
    "floor_divide": elementwise.floor_divide, "remainder": elementwise.remainder, "pow": elementwise.pow,
    **{f.__name__: f for f in UNARY if f.__name__ not in ("isnan", "isinf", "isfinite", "sign")},
}  # fmt: skip
_REVERSED = [tuple(range(n - 1, -1, -1)) for n in range(65)]
INPLACE_OPERATORS = {"iadd": "add_", "isub": "sub_", "imul": "mul_", "itruediv": "div_", "ifloordiv": "floor_divide_",
                     "imod": "remainder_", "ipow": "pow_"}  # fmt: skip


def extreme(name: str) -> Any:
    """``max`` and ``min``: of all, along a dimension (values and indices), or of two tensors."""
    of_two: Any = elementwise.maximum if name == "max" else elementwise.minimum
    of_all = reduce.amax_op if name == "max" else reduce.amin_op
    result = reduce.max_result if name == "max" else reduce.min_result

    def function(input: Any, dim: Any = None, keepdim: bool = False, *, other: Any = None) -> Any:
        if isinstance(dim, Tensor) or other is not None:
            return ops_record._entry(of_two.op, (input, dim if other is None else other), (), 2)
        if dim is None:
            return apply_one(of_all, input, (None, False), 2)
        values, places = reduce.extreme(name, input, dim, keepdim)
        return result(values, wrap(places))

    word = "largest" if name == "max" else "smallest"
    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"""The {word} element of all; with ``dim`` (values, indices) along it; with a tensor, the {word} of each pair.

    Gradient: to the element that was taken, shared equally among all for a full reduction.

    Example:
        >>> import tapescope as ts
        >>> ts.{name}(ts.tensor([[1.0, 3.0], [2.0, 0.0]]), dim=1).indices
        tensor({[1, 0] if name == "max" else [0, 1]})
    """
    return function


max, min = extreme("max"), extreme("min")


# -- the same, shorter: what training calls all the time -----------------------------------------------------------------


def sum(self: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    edge = self._edge
    if dtype is not None or edge is None or not STATE.grad:
        return apply_one(reduce._sum_op, self if dtype is None else self.to(dtype), (dim, keepdim), 2)
    array = self._array
    axes = None if dim is None else axes_of(dim, array.ndim, "sum")
    out = reduce._sum(array, axes, keepdim, array.shape)
    if type(out) is not ndarray:
        out = asarray(out)
    return record(reduce._sum_op, out, (edge,), (), (axes, keepdim, array.shape), sys._getframe(1))


def reshape(self: Any, *shape_: Any) -> Any:
    array = self._array
    try:
        out = array.reshape(*shape_)
    except (ValueError, TypeError):
        return apply_one(shape._reshape, self, shape.shape_arguments(shape_), 2)
    return view_of(shape._reshape, self, out, (out.shape, array.shape), sys._getframe(1))


def view(self: Any, *sizes: Any) -> Any:
    array = self._array
    if not array.flags.c_contiguous or (sizes and isinstance(sizes[0], (dtypes.dtype, type))):
        return apply_one(shape._view, self, shape.shape_arguments(sizes), 2)
    try:
        out = array.reshape(*sizes)
    except (ValueError, TypeError):
        return apply_one(shape._view, self, shape.shape_arguments(sizes), 2)
    return view_of(shape._view, self, out, (out.shape, array.shape), sys._getframe(1))


def t(self: Any) -> Any:
    array = self._array
    if array.ndim > 2:
        raise ShapeError(f"t: a tensor of shape {array.shape} has more than two dimensions.", op="t", hint="Use mT.")
    return view_of(shape._permute, self, array.T, (_REVERSED[array.ndim],), sys._getframe(1))


sum.__doc__, reshape.__doc__, view.__doc__ = reduce.sum.__doc__, shape.reshape.__doc__, shape.view.__doc__
t.__doc__ = """The transpose of a matrix; a vector as it is.

Example:
    >>> import tapescope as ts
    >>> ts.t(ts.zeros(2, 3)).shape
    tapescope.Size([3, 2])
"""
SHORT = {"sum": sum, "reshape": reshape, "view": view, "t": t}


def nonzero(input: Tensor, *, as_tuple: bool = False) -> Any:
    """The places of all elements that are not zero: (n, ndim), or a tuple of one tensor per dimension.

    Example:
        >>> import tapescope as ts
        >>> ts.nonzero(ts.tensor([0, 5, 7]))
        tensor([[1],
                [2]])
    """
    places = index.nonzero(input)
    return tuple(wrap(places[:, i].copy()) for i in range(places.shape[1])) if as_tuple else wrap(places)


def stack_dims(order: str) -> Any:
    """``x.T`` and ``x.mT``."""

    def transposed(self: Tensor) -> Any:
        n = self._array.ndim
        if order == "T":
            return view_of(shape._permute, self, self._array.T, (_REVERSED[n],), sys._getframe(1))
        if n < 2:
            raise ShapeError(f"mT: a tensor of shape {self._array.shape} is not a matrix.", op="mT")
        return view_of(shape._transpose, self, self._array.mT, (n - 2, n - 1), sys._getframe(1))

    doc = "All dimensions in reverse order." if order == "T" else "The last two dimensions exchanged."
    return property(transposed, doc=doc)


def contiguous(self: Tensor) -> Tensor:
    """The tensor with its elements one after the other in memory: itself, or a copy."""
    return self if self._array.flags.c_contiguous else apply_one(elementwise._clone, self, (), 2)


def reshape_as(self: Tensor, other: Tensor) -> Tensor:
    """Reshaped to the shape of ``other``."""
    return apply_one(shape._reshape, self, tuple(other.shape), 2)


def view_as(self: Tensor, other: Tensor) -> Tensor:
    """Viewed in the shape of ``other``."""
    return apply_one(shape._view, self, tuple(other.shape), 2)


def expand_as(self: Tensor, other: Tensor) -> Tensor:
    """Expanded to the shape of ``other``."""
    return apply_one(shape._expand, self, tuple(other.shape), 2)


def converter(kind: dtypes.dtype) -> Any:
    """``x.float()`` and the like."""

    def method(self: Tensor) -> Tensor:
        return self.to(kind)

    method.__doc__ = f"The tensor in dtype {kind.name}."
    return method


# -- in place, beyond the elementwise ops --------------------------------------------------------------------------------

_fill = ops_record.Op("fill", lambda x, value: np.broadcast_to(value, x.shape), (lambda g: g * 0, lambda g: g))
_copy = ops_record.Op("copy", lambda x, source: np.broadcast_to(source, x.shape), (lambda g: g * 0, lambda g: g),
                      explain=lambda x, y: ops_record.explain_broadcast(x, y))  # fmt: skip


def add_(self: Tensor, other: Any, *, alpha: Any = 1) -> Tensor:
    """In place: ``self + alpha * other``."""
    return inplace.write(elementwise._add.op, self, (other if alpha == 1 else other * alpha,), (), sys._getframe(1))  # type: ignore[attr-defined]


def sub_(self: Tensor, other: Any, *, alpha: Any = 1) -> Tensor:
    """In place: ``self - alpha * other``."""
    return inplace.write(elementwise._sub.op, self, (other if alpha == 1 else other * alpha,), (), sys._getframe(1))  # type: ignore[attr-defined]


def zero_(self: Tensor) -> Tensor:
    """In place: zeros."""
    return inplace.write(_fill, self, (0,), (), sys._getframe(1))


def fill_(self: Tensor, value: Any) -> Tensor:
    """In place: ``value`` everywhere."""
    return inplace.write(_fill, self, (value,), (), sys._getframe(1))


def copy_(self: Tensor, src: Tensor, non_blocking: bool = False) -> Tensor:
    """In place: the values of ``src``, broadcast and cast."""
    source = src if isinstance(src, Tensor) else wrap(np.asarray(src))
    if source._array.dtype != self._array.dtype:
        source = elementwise.cast(source, self._array.dtype)
    return inplace.write(_copy, self, (source,), (), sys._getframe(1))


def clamp_(self: Tensor, min: Any = None, max: Any = None) -> Tensor:
    """In place: limited to ``min`` .. ``max``."""
    return inplace.write(elementwise._clamp_op, self, (), (min, max), sys._getframe(1))


def masked_fill_(self: Tensor, mask: Tensor, value: Any) -> Tensor:
    """In place: the number ``value`` where ``mask`` is true."""
    number = value.item() if hasattr(value, "item") else value
    filler = operand_like(self, number, "masked_fill")
    return inplace.write(index.setitem_op, self, (filler,), (compare.array(mask),), sys._getframe(1))


def _random_in_place(name: str, first: float, second: float) -> Any:
    draw = random.uniform if name == "uniform_" else random.normal

    def method(self: Tensor, a: float = first, b: float = second, *, generator: Any = None) -> Tensor:
        if self.dtype.category != dtypes.FLOAT:
            raise DtypeError(f"{name}: a tensor of {self.dtype} cannot hold random real numbers.", op=name)
        values = draw(self._array.shape, self._array.dtype, generator, a, b)
        return inplace.write(_copy, self, (wrap(values),), (), sys._getframe(1))

    method.__doc__ = "In place: " + (
        "uniform numbers in [a, b)." if name == "uniform_" else "normal numbers of mean a and deviation b."
    )
    return method


def bernoulli_(self: Tensor, p: float = 0.5, *, generator: Any = None) -> Tensor:
    """In place: one with probability ``p``, else zero."""
    values = random.uniform(self._array.shape, np.dtype(np.float32), generator) < p
    return inplace.write(_copy, self, (wrap(values.astype(self._array.dtype)),), (), sys._getframe(1))


def attach() -> None:
    """Put all methods on Tensor."""
    function: Any
    for function in UNARY:
        setattr(Tensor, function.__name__, unary_method(function))
    for function in BINARY:
        setattr(Tensor, function.__name__, binary_method(function))
    for function in FUNCTIONS:
        setattr(Tensor, function.__name__, function)
    for name, function in (*SHORT.items(), *((name, binary_method(of)) for name, of in OPERATORS.items())):
        setattr(Tensor, name, function)
    for name in REFLECTED:
        setattr(Tensor, f"__r{name}__", reflected_method(OPERATORS[f"__{name}__"]))
    for name, function in INPLACE.items():
        setattr(Tensor, f"{name}_", inplace.inplace_method(function))
    for method in (
        add_,
        sub_,
        zero_,
        fill_,
        copy_,
        clamp_,
        masked_fill_,
        bernoulli_,
        contiguous,
        reshape_as,
        view_as,
        expand_as,
        nonzero,
    ):
        setattr(Tensor, method.__name__, method)
    for name, of in INPLACE_OPERATORS.items():
        setattr(Tensor, f"__{name}__", getattr(Tensor, of))
    tensor: Any = Tensor
    more: dict[str, Any] = {
        "__neg__": tensor.neg, "__abs__": tensor.abs, "__invert__": tensor.bitwise_not, "__pos__": lambda self: self,
        "negative": tensor.neg, "absolute": tensor.abs, "divide": tensor.div, "multiply": tensor.mul,
        "subtract": tensor.sub, "clip": tensor.clamp, "greater": tensor.gt, "less": tensor.lt, "max": max, "min": min,
        "T": stack_dims("T"), "mT": stack_dims("mT"), "uniform_": _random_in_place("uniform_", 0, 1),
        "normal_": _random_in_place("normal_", 0, 1),
        "swapaxes": tensor.transpose, "where": _where_method,
    }  # fmt: skip
    kinds = {"float": dtypes.float32, "double": dtypes.float64, "half": dtypes.float16, "bfloat16": dtypes.bfloat16,
             "int": dtypes.int32, "long": dtypes.int64, "short": dtypes.int16, "char": dtypes.int8, "byte": dtypes.uint8,
             "bool": dtypes.bool_}  # fmt: skip
    more.update({name: converter(kind) for name, kind in kinds.items()})
    for name, member in more.items():
        setattr(Tensor, name, member)


def _where_method(self: Tensor, condition: Any, other: Any) -> Tensor:
    """The tensor where ``condition`` holds, else ``other``."""
    return apply(elementwise._where, (condition, self, other), (), 2)


attach()
