"""The dtypes, with PyTorch's names and promotion rules. Called by every layer above; knows nothing but NumPy.

Invariant: each :class:`dtype` is a singleton, so ``x.dtype is ts.float32`` holds.
"""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np

from . import config
from .errors import DtypeError


class dtype:
    """An element type, as in PyTorch. NumPy takes it wherever it takes a dtype.

    Example:
        >>> import tapescope as ts
        >>> ts.float32, ts.float32.itemsize, ts.int64.is_floating_point
        (tapescope.float32, 4, False)
    """

    __slots__ = ("category", "dtype", "name")

    def __init__(self, name: str, numpy: Any, category: int) -> None:
        self.name, self.dtype, self.category = name, np.dtype(numpy), category

    @property
    def itemsize(self) -> int:
        """Bytes per element."""
        return self.dtype.itemsize

    @property
    def is_floating_point(self) -> bool:
        """Whether it is a real floating-point type."""
        return self.category == FLOAT

    @property
    def is_complex(self) -> bool:
        """Whether it is a complex type."""
        return self.category == COMPLEX

    @property
    def is_signed(self) -> bool:
        """Whether it has negative values."""
        return self.category > INTEGER or (self.category == INTEGER and self.dtype.kind == "i")

    def __repr__(self) -> str:
        return f"tapescope.{self.name}"

    def __reduce__(self) -> tuple[Any, ...]:
        return as_dtype, (self.name,)


BOOL, INTEGER, FLOAT, COMPLEX = range(4)

bool_ = dtype("bool", np.bool_, BOOL)
uint8 = dtype("uint8", np.uint8, INTEGER)
int8 = dtype("int8", np.int8, INTEGER)
int16 = dtype("int16", np.int16, INTEGER)
int32 = dtype("int32", np.int32, INTEGER)
int64 = dtype("int64", np.int64, INTEGER)
uint16 = dtype("uint16", np.uint16, INTEGER)
uint32 = dtype("uint32", np.uint32, INTEGER)
uint64 = dtype("uint64", np.uint64, INTEGER)
float16 = dtype("float16", np.float16, FLOAT)
bfloat16 = dtype("bfloat16", ml_dtypes.bfloat16, FLOAT)
float32 = dtype("float32", np.float32, FLOAT)
float64 = dtype("float64", np.float64, FLOAT)
complex64 = dtype("complex64", np.complex64, COMPLEX)
complex128 = dtype("complex128", np.complex128, COMPLEX)

ALL = (
    bool_, uint8, int8, int16, int32, int64, uint16, uint32, uint64,
    float16, bfloat16, float32, float64, complex64, complex128,
)  # fmt: skip
BY_NUMPY: dict[np.dtype[Any], dtype] = {d.dtype: d for d in ALL}
BY_NAME: dict[str, dtype] = {d.name: d for d in ALL}
_BY_PYTHON = {bool: bool_, int: int64, complex: complex64}


def as_dtype(value: Any) -> dtype:
    """The dtype meant by ``value``: a Tapescope or NumPy dtype, a name, or a Python type.

    Raises:
        DtypeError: there is no such dtype here.
    """
    if type(value) is dtype:
        return value
    if value is float:
        return default()
    if isinstance(value, type) and value in _BY_PYTHON:
        return _BY_PYTHON[value]
    try:
        return BY_NAME[value] if isinstance(value, str) else BY_NUMPY[np.dtype(value)]
    except (KeyError, TypeError):
        raise DtypeError(f"unknown dtype {value!r}: expected one of {', '.join(BY_NAME)}.") from None


def default() -> dtype:
    """The dtype of floats when none is given: float32 unless :func:`set_default_dtype` changed it."""
    return BY_NAME[config.default_dtype]


def set_default_dtype(value: Any) -> None:
    """Make ``value`` the dtype of floats when none is given.

    Raises:
        DtypeError: it is not a floating-point dtype.
    """
    chosen = as_dtype(value)
    if not chosen.is_floating_point:
        raise DtypeError(f"set_default_dtype: {chosen} is not a floating-point dtype.")
    config.default_dtype = chosen.name


def category_of(numpy_dtype: np.dtype[Any]) -> int:
    """BOOL, INTEGER, FLOAT or COMPLEX."""
    return BY_NUMPY[numpy_dtype].category


def promote_types(first: dtype, second: dtype) -> dtype:
    """The dtype that holds both, by PyTorch's rule: a higher category wins, whatever its size."""
    if first is second:
        return first
    if first.category != second.category:
        high, low = (first, second) if first.category > second.category else (second, first)
        if high.category == COMPLEX and low is float64:
            return complex128
        return high
    if {first, second} == {float16, bfloat16}:
        return float32
    if bfloat16 in (first, second):  # NumPy does not know it
        return second if first is bfloat16 else first
    try:
        return BY_NUMPY[np.promote_types(first.dtype, second.dtype)]
    except KeyError:
        raise DtypeError(f"no dtype holds both {first} and {second}.") from None


def of_scalar(value: Any) -> dtype:
    """The dtype that a Python number has on its own."""
    if isinstance(value, bool):
        return bool_
    if isinstance(value, int):
        return int64
    if isinstance(value, float):
        return default()
    return complex128 if default() is float64 else complex64


def result_type(*operands: tuple[dtype, int]) -> dtype:
    """PyTorch's promotion over ``(dtype, rank)`` pairs; rank is 2 with dimensions, 1 for 0-d, 0 for a Python number.

    Operands of a lower rank only matter where their category is higher.
    """
    result: dtype | None = None
    for rank in (0, 1, 2):
        group: dtype | None = None
        for kind, of_rank in operands:
            if of_rank == rank:
                group = kind if group is None else promote_types(group, kind)
        if group is not None:
            result = group if result is None else _combine(group, result)
    assert result is not None
    return result


def _combine(higher: dtype, lower: dtype) -> dtype:
    """What a group of operands becomes beside one of lower rank: a lower rank lifts the category, never the size."""
    if higher.category == COMPLEX or (higher.category == FLOAT and lower.category != COMPLEX):
        return higher
    if higher.category == FLOAT:
        return complex128 if higher is float64 else complex64
    return promote_types(higher, lower) if higher is bool_ or lower.category >= FLOAT else higher
