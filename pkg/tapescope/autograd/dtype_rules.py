"""Operands of in-place changes: what comes in is cast to the tensor that is written."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import dtypes
from ..errors import DtypeError
from .record import as_operand, ndarray, wrap


def operand_like(x: Any, value: Any, name: str) -> Any:
    """``value`` as a tensor of the dtype of ``x``.

    Raises:
        DtypeError: its category is higher: a float does not fit into integers.
    """
    value = as_operand(value, name)
    kind = x._array.dtype
    if isinstance(value, (bool, int, float, complex)):
        if dtypes.of_scalar(value).category > dtypes.category_of(kind):
            raise DtypeError(f"{name}_: the number {value!r} does not fit into a tensor of dtype {kind}.", op=name)
        return wrap(np.asarray(value, kind))
    if isinstance(value, ndarray):
        value = wrap(value)
    if value._array.dtype == kind:
        return value
    if dtypes.category_of(value._array.dtype) > dtypes.category_of(kind):
        raise DtypeError(
            f"{name}_: a result of dtype {value._array.dtype} cannot be stored in a tensor of dtype {kind}.", op=name
        )
    return value.to(kind)
