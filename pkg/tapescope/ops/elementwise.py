"""Arithmetic and elementary functions, element by element."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from . import record
from .record import Op, binary, run, run_one, unary


def is_number(value: Any) -> bool:
    """Whether a saved operand is a plain Python number."""
    return isinstance(value, (int, float, complex))


# -- two inputs ------------------------------------------------------------------------------------------------

_add = binary("add", np.add, (lambda g: g, lambda g: g))
_sub = binary("sub", np.subtract, (lambda g: g, lambda g: -g))


def add(input: Any, other: Any, *, alpha: Any = 1) -> Any:
    """``input + alpha * other``, broadcast. Gradient: ``g`` and ``alpha * g``.

    Example:
        >>> import tapescope as ts
        >>> ts.add(ts.tensor([1.0, 2.0]), 10)
        tensor([11., 12.])
    """
    return record._entry(_add.op, (input, other if alpha == 1 else mul(other, alpha)), (), 2)  # type: ignore[attr-defined]


def sub(input: Any, other: Any, *, alpha: Any = 1) -> Any:
    """``input - alpha * other``, broadcast. Gradient: ``g`` and ``-alpha * g``.

    Example:
        >>> import tapescope as ts
        >>> ts.sub(ts.tensor([1.0, 2.0]), 1)
        tensor([0., 1.])
    """
    return record._entry(_sub.op, (input, other if alpha == 1 else mul(other, alpha)), (), 2)  # type: ignore[attr-defined]


mul = binary("mul", np.multiply, (lambda g, x, y: g * y, lambda g, x, y: g * x), (0, 1), uses=((1,), (0,)), doc="""
``input * other``, broadcast. Gradient: ``g * other`` and ``g * input``.

Example:
    >>> import tapescope as ts
    >>> ts.mul(ts.tensor([1.0, 2.0]), 3)
    tensor([3., 6.])
""")  # fmt: skip

true_divide = binary("div", np.true_divide, (lambda g, x, y: g / y, lambda g, x, y: -g * x / (y * y)), (0, 1),
                     uses=((1,), (0, 1)), result="float", doc="""
``input / other``; integers give the default float. Gradient: ``g / other`` and ``-g * input / other**2``.

Example:
    >>> import tapescope as ts
    >>> ts.true_divide(ts.tensor([1, 2]), 4)
    tensor([0.2500, 0.5000])
""")  # fmt: skip

floor_divide = binary("floor_divide", np.floor_divide, doc="""
``input // other``, rounded towards minus infinity. No gradient: it is zero almost everywhere.

Example:
    >>> import tapescope as ts
    >>> ts.floor_divide(ts.tensor([7, -7]), 2)
    tensor([ 3, -4])
""")  # fmt: skip

remainder = binary("remainder", np.remainder, (lambda g, x, y: g, lambda g, x, y: -g * floor(x / y)), (0, 1),
                   uses=((1,), (1,)), doc="""
The remainder with the sign of ``other``. Gradient: ``g`` and ``-g * floor(input / other)``.

Example:
    >>> import tapescope as ts
    >>> ts.remainder(ts.tensor([7.0, -7.0]), 3)
    tensor([1., 2.])
""")  # fmt: skip


def div(input: Any, other: Any, *, rounding_mode: str | None = None) -> Any:
    """``input / other``; with ``rounding_mode`` "floor" or "trunc" rounded to an integer value.

    Example:
        >>> import tapescope as ts
        >>> ts.div(ts.tensor([7.0, -7.0]), 2, rounding_mode="trunc")
        tensor([ 3., -3.])
    """
    if rounding_mode is None:
        return record._entry(true_divide.op, (input, other), (), 2)  # type: ignore[attr-defined]
    if rounding_mode == "floor":
        return record._entry(floor_divide.op, (input, other), (), 2)  # type: ignore[attr-defined]
    if rounding_mode == "trunc":
        return record._entry(_trunc_divide.op, (input, other), (), 2)  # type: ignore[attr-defined]
    raise ValueError(f"div: rounding_mode must be None, 'floor' or 'trunc', got {rounding_mode!r}.")


def _truncated(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    quotient = np.trunc(np.true_divide(x, y))
    return quotient.astype(np.result_type(x, y), copy=False)


_trunc_divide = binary("trunc_divide", _truncated)


def _pow_dx(g: Any, x: Any, y: Any, out: Any) -> Any:
    if is_number(y):
        return g * 0 if y == 0 else g * (y * x ** (y - 1))
    return g * where(y == 0, 0.0, y * x ** where(y == 0, 1.0, y - 1))


def _pow_dy(g: Any, x: Any, y: Any, out: Any) -> Any:
    if is_number(x):
        return g * out * float(np.log(x)) if x else g * 0
    return g * where((x == 0) & (y >= 0), 0.0, out * log(where((x == 0) & (y >= 0), 1.0, x)))


pow = binary("pow", operator.pow, (_pow_dx, _pow_dy), (0, 1, "out"), uses=((0, 1), (0, 1), (1,)), doc="""
``input ** other``. Gradient: ``g * other * input**(other-1)`` and ``g * out * log(input)``.

Example:
    >>> import tapescope as ts
    >>> ts.pow(ts.tensor([1.0, 2.0, 3.0]), 2)
    tensor([1., 4., 9.])
""")  # fmt: skip


def _share(g: Any, x: Any, y: Any, wins: Any) -> Any:
    """All of the gradient where this input wins, half of it where both are equal."""
    return g * (wins + 0.5 * (x == y))


maximum = binary("maximum", np.maximum, (lambda g, x, y: _share(g, x, y, x > y), lambda g, x, y: _share(g, x, y, y > x)),
                 (0, 1), doc="""
The larger of the two, element by element. Gradient: to the larger one; half to each where they are equal.

Example:
    >>> import tapescope as ts
    >>> ts.maximum(ts.tensor([1.0, 5.0]), ts.tensor([3.0, 2.0]))
    tensor([3., 5.])
""")  # fmt: skip

minimum = binary("minimum", np.minimum, (lambda g, x, y: _share(g, x, y, x < y), lambda g, x, y: _share(g, x, y, y < x)),
                 (0, 1), doc="""
The smaller of the two, element by element. Gradient: to the smaller one; half to each where they are equal.

Example:
    >>> import tapescope as ts
    >>> ts.minimum(ts.tensor([1.0, 5.0]), ts.tensor([3.0, 2.0]))
    tensor([1., 2.])
""")  # fmt: skip


# -- one input -------------------------------------------------------------------------------------------------

neg = unary(
    "neg",
    np.negative,
    lambda g: -g,
    doc="""
``-input``. Gradient: ``-g``.

Example:
    >>> import tapescope as ts
    >>> ts.neg(ts.tensor([1.0, -2.0]))
    tensor([-1.,  2.])
""",
)

abs = unary(
    "abs",
    np.absolute,
    lambda g, x: g * sign(x),
    (0,),
    doc="""
The absolute value. Gradient: ``g * sign(input)``.

Example:
    >>> import tapescope as ts
    >>> ts.abs(ts.tensor([1.0, -2.0]))
    tensor([1., 2.])
""",
)

sign: Any = unary(
    "sign",
    np.sign,
    lambda g: g * 0,
    doc="""
-1, 0 or 1. Gradient: zero.

Example:
    >>> import tapescope as ts
    >>> ts.sign(ts.tensor([3.0, 0.0, -2.0]))
    tensor([ 1.,  0., -1.])
""",
)

floor: Any = unary(
    "floor",
    np.floor,
    lambda g: g * 0,
    doc="""
The largest integer not above. Gradient: zero.

Example:
    >>> import tapescope as ts
    >>> ts.floor(ts.tensor([1.7, -1.2]))
    tensor([ 1., -2.])
""",
)

ceil = unary(
    "ceil",
    np.ceil,
    lambda g: g * 0,
    doc="""
The smallest integer not below. Gradient: zero.

Example:
    >>> import tapescope as ts
    >>> ts.ceil(ts.tensor([1.2, -1.7]))
    tensor([ 2., -1.])
""",
)

exp = unary(
    "exp",
    np.exp,
    lambda g, out: g * out,
    ("out",),
    result="float",
    doc="""
The exponential. Gradient: ``g * out``.

Example:
    >>> import tapescope as ts
    >>> ts.exp(ts.tensor([0.0, 1.0]))
    tensor([1.0000, 2.7183])
""",
)

expm1 = unary(
    "expm1",
    np.expm1,
    lambda g, out: g * (out + 1),
    ("out",),
    result="float",
    doc="""
``exp(input) - 1``, accurate near zero. Gradient: ``g * (out + 1)``.

Example:
    >>> import tapescope as ts
    >>> ts.expm1(ts.tensor([0.0, 1.0]))
    tensor([0.0000, 1.7183])
""",
)

log = unary(
    "log",
    np.log,
    lambda g, x: g / x,
    (0,),
    result="float",
    doc="""
The natural logarithm. Gradient: ``g / input``.

Example:
    >>> import tapescope as ts
    >>> ts.log(ts.tensor([1.0, 10.0]))
    tensor([0.0000, 2.3026])
""",
)

log1p = unary(
    "log1p",
    np.log1p,
    lambda g, x: g / (x + 1),
    (0,),
    result="float",
    doc="""
``log(1 + input)``, accurate near zero. Gradient: ``g / (1 + input)``.

Example:
    >>> import tapescope as ts
    >>> ts.log1p(ts.tensor([0.0, 1.0]))
    tensor([0.0000, 0.6931])
""",
)

sqrt = unary(
    "sqrt",
    np.sqrt,
    lambda g, out: g / (2 * out),
    ("out",),
    result="float",
    doc="""
The square root. Gradient: ``g / (2 * out)``.

Example:
    >>> import tapescope as ts
    >>> ts.sqrt(ts.tensor([4.0, 9.0]))
    tensor([2., 3.])
""",
)


def _rsqrt(x: np.ndarray) -> np.ndarray:
    return 1 / np.sqrt(x)


rsqrt = unary(
    "rsqrt",
    _rsqrt,
    lambda g, out: g * out * out * out * -0.5,
    ("out",),
    result="float",
    doc="""
One over the square root. Gradient: ``-g * out**3 / 2``.

Example:
    >>> import tapescope as ts
    >>> ts.rsqrt(ts.tensor([4.0, 16.0]))
    tensor([0.5000, 0.2500])
""",
)

reciprocal = unary(
    "reciprocal",
    lambda x: 1 / x,
    lambda g, out: -g * out * out,
    ("out",),
    result="float",
    doc="""
``1 / input``. Gradient: ``-g * out**2``.

Example:
    >>> import tapescope as ts
    >>> ts.reciprocal(ts.tensor([2.0, 4.0]))
    tensor([0.5000, 0.2500])
""",
)

square = unary(
    "square",
    np.square,
    lambda g, x: g * x * 2,
    (0,),
    doc="""
``input ** 2``. Gradient: ``2 * g * input``.

Example:
    >>> import tapescope as ts
    >>> ts.square(ts.tensor([2.0, -3.0]))
    tensor([4., 9.])
""",
)

sin = unary(
    "sin",
    np.sin,
    lambda g, x: g * cos(x),
    (0,),
    result="float",
    doc="""
The sine, of radians. Gradient: ``g * cos(input)``.

Example:
    >>> import tapescope as ts
    >>> ts.sin(ts.tensor([0.0, 1.0]))
    tensor([0.0000, 0.8415])
""",
)

cos: Any = unary(
    "cos",
    np.cos,
    lambda g, x: -g * sin(x),
    (0,),
    result="float",
    doc="""
The cosine, of radians. Gradient: ``-g * sin(input)``.

Example:
    >>> import tapescope as ts
    >>> ts.cos(ts.tensor([0.0, 1.0]))
    tensor([1.0000, 0.5403])
""",
)


# -- several inputs, or settings -------------------------------------------------------------------------------


def _explain_where(condition: Any, x: Any, y: Any) -> Any:
    for first, second in ((condition, x), (condition, y), (x, y)):
        message, axes = record.explain_broadcast(first, second)
        if axes[0] is not None:
            return message, (None,) * 3
    return f"cannot choose between {record.describe(x)} and {record.describe(y)}.", (None,) * 3


_where = Op(
    "where", np.where, (None, lambda g, c: where(c, g, 0.0), lambda g, c: where(c, 0.0, g)), saves=(0,),
    promotes=1,
    names=("condition", "input", "other"), explain=_explain_where,
)  # fmt: skip


def where(condition: Any, input: Any = None, other: Any = None) -> Any:
    """``input`` where ``condition`` holds, else ``other``; with the condition alone, ``nonzero(condition, as_tuple=True)``.

    Gradient: ``g`` to the input that was taken, zero to the other.

    Example:
        >>> import tapescope as ts
        >>> x = ts.tensor([1.0, -2.0, 3.0])
        >>> ts.where(x > 0, x, 0.0)
        tensor([1., 0., 3.])
    """
    if input is None and other is None:
        return condition.nonzero(as_tuple=True)
    return run(_where, (condition, input, other))


def _clamp(x: np.ndarray, low: Any, high: Any) -> np.ndarray:
    kind = x.dtype.type
    out = x if low is None else np.maximum(x, kind(low))
    return out if high is None else np.minimum(out, kind(high))


def _clamp_vjp(g: Any, x: Any, low: Any, high: Any) -> Any:
    inside = x >= low if low is not None else x <= high
    if low is not None and high is not None:
        inside = inside & (x <= high)
    return g * inside


_clamp_op = Op("clamp", _clamp, (_clamp_vjp,), saves=(0,))


def clamp(input: Any, min: float | None = None, max: float | None = None) -> Any:
    """``input`` limited to ``min`` .. ``max`` (numbers, or None). Gradient: ``g`` inside the limits, zero outside.

    Example:
        >>> import tapescope as ts
        >>> ts.clamp(ts.tensor([-1.0, 0.5, 2.0]), 0, 1)
        tensor([0.0000, 0.5000, 1.0000])
    """
    if min is None and max is None:
        raise ValueError("clamp: min and max are both None: give at least one.")
    if not ((min is None or is_number(min)) and (max is None or is_number(max))):
        low = input if min is None else maximum(input, min)
        return low if max is None else minimum(low, max)
    return run_one(_clamp_op, input, (min, max))


_cast = Op("to", lambda x, dtype, source: x.astype(dtype), (lambda g, dtype, source: cast(g, source),),
           rule=lambda x, dtype: (dtype, x.dtype))  # fmt: skip


def cast(input: Any, dtype: np.dtype[Any]) -> Any:
    """``input`` in another dtype (NumPy's). Gradient: ``g`` in the dtype of ``input``."""
    return run_one(_cast, input, (dtype,))


_clone = Op("clone", lambda x: x.copy(), (lambda g: g,))


def clone(input: Any) -> Any:
    """A copy with memory of its own. Gradient: ``g``.

    Example:
        >>> import tapescope as ts
        >>> ts.clone(ts.tensor([1.0]))
        tensor([1.])
    """
    return run_one(_clone, input)
