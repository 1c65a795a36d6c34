"""Comparisons and logic: results are bool, and have no gradient."""

from __future__ import annotations

from typing import Any

import numpy as np

from .record import binary, unary


def _doc(text: str, call: str, shown: str) -> str:
    return f"{text}\n\nExample:\n    >>> import tapescope as ts\n    >>> {call}\n    {shown}\n"


_PAIR = "(ts.tensor([1.0, 2.0, 3.0]), 2)"

eq = binary(
    "eq",
    np.equal,
    result="bool",
    doc=_doc("Whether ``input == other``, element by element.", f"ts.eq{_PAIR}", "tensor([False,  True, False])"),
)
ne = binary(
    "ne",
    np.not_equal,
    result="bool",
    doc=_doc("Whether ``input != other``, element by element.", f"ts.ne{_PAIR}", "tensor([ True, False,  True])"),
)
lt = binary(
    "lt",
    np.less,
    result="bool",
    doc=_doc("Whether ``input < other``, element by element.", f"ts.lt{_PAIR}", "tensor([ True, False, False])"),
)
le = binary(
    "le",
    np.less_equal,
    result="bool",
    doc=_doc("Whether ``input <= other``, element by element.", f"ts.le{_PAIR}", "tensor([ True,  True, False])"),
)
gt = binary(
    "gt",
    np.greater,
    result="bool",
    doc=_doc("Whether ``input > other``, element by element.", f"ts.gt{_PAIR}", "tensor([False, False,  True])"),
)
ge = binary(
    "ge",
    np.greater_equal,
    result="bool",
    doc=_doc("Whether ``input >= other``, element by element.", f"ts.ge{_PAIR}", "tensor([False,  True,  True])"),
)

_BOTH = "(ts.tensor([True, False]), ts.tensor([True, True]))"

logical_and = binary(
    "logical_and",
    np.logical_and,
    result="bool",
    doc=_doc("Whether both are true (not zero).", f"ts.logical_and{_BOTH}", "tensor([ True, False])"),
)
logical_or = binary(
    "logical_or",
    np.logical_or,
    result="bool",
    doc=_doc("Whether one is true (not zero).", f"ts.logical_or{_BOTH}", "tensor([True, True])"),
)
logical_xor = binary(
    "logical_xor",
    np.logical_xor,
    result="bool",
    doc=_doc("Whether exactly one is true (not zero).", f"ts.logical_xor{_BOTH}", "tensor([False,  True])"),
)
logical_not = unary(
    "logical_not",
    np.logical_not,
    result="bool",
    doc=_doc("Whether it is false (zero).", "ts.logical_not(ts.tensor([True, False]))", "tensor([False,  True])"),
)

bitwise_and = binary(
    "bitwise_and",
    np.bitwise_and,
    doc=_doc("``input & other``, of integers or bools.", f"ts.bitwise_and{_BOTH}", "tensor([ True, False])"),
)
bitwise_or = binary(
    "bitwise_or",
    np.bitwise_or,
    doc=_doc("``input | other``, of integers or bools.", f"ts.bitwise_or{_BOTH}", "tensor([True, True])"),
)
bitwise_xor = binary(
    "bitwise_xor",
    np.bitwise_xor,
    doc=_doc("``input ^ other``, of integers or bools.", f"ts.bitwise_xor{_BOTH}", "tensor([False,  True])"),
)
bitwise_not = unary(
    "bitwise_not",
    np.invert,
    doc=_doc("``~input``, of integers or bools.", "ts.bitwise_not(ts.tensor([0, 1]))", "tensor([-1, -2])"),
)

_ODD = "(ts.tensor([1.0, float('nan'), float('inf')]))"

isnan = unary(
    "isnan",
    np.isnan,
    result="bool",
    doc=_doc("Whether it is not a number.", f"ts.isnan{_ODD}", "tensor([False,  True, False])"),
)
isinf = unary(
    "isinf",
    np.isinf,
    result="bool",
    doc=_doc("Whether it is infinite.", f"ts.isinf{_ODD}", "tensor([False, False,  True])"),
)
isfinite = unary(
    "isfinite",
    np.isfinite,
    result="bool",
    doc=_doc("Whether it is neither infinite nor not a number.", f"ts.isfinite{_ODD}", "tensor([ True, False, False])"),
)


def array(value: Any) -> np.ndarray:
    """The array behind a tensor, an array or a number."""
    inner = getattr(value, "_array", value)
    return inner if type(inner) is np.ndarray else np.asarray(inner)


def equal(input: Any, other: Any) -> bool:
    """Whether shapes and all elements are equal.

    Example:
        >>> import tapescope as ts
        >>> ts.equal(ts.tensor([1, 2]), ts.tensor([1, 2]))
        True
    """
    return bool(np.array_equal(array(input), array(other)))


def allclose(input: Any, other: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> bool:
    """Whether ``|input - other| <= atol + rtol * |other|`` everywhere.

    Example:
        >>> import tapescope as ts
        >>> ts.allclose(ts.tensor([1.0]), ts.tensor([1.0 + 1e-7]))
        True
    """
    return bool(np.allclose(array(input), array(other), rtol, atol, equal_nan))
