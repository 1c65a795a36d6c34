"""Parameter and Buffer: tensors that a module takes note of when they are assigned to it."""

from __future__ import annotations

import sys
from types import CodeType, FrameType
from typing import Any

import numpy as np

from ..autograd import Tensor
from ..autograd.record import counter_of
from ..backends.devices import require
from ..dtypes import as_dtype, default
from ..errors import inside_package


def _of_class(cls: type, data: Any) -> Any:
    """A tensor of class `cls` around the array of `data`, cut from the tape."""
    if data is not None and not isinstance(data, Tensor):
        raise TypeError(
            f"{cls.__name__} takes a tensor, but got {type(data).__name__}. Wrap it: ts.nn.{cls.__name__}(ts.tensor(...))"
        )
    source = Tensor._wrap(np.empty((0,), default().dtype)) if data is None else data
    tensor: Any = object.__new__(cls)
    tensor._array, tensor._counter = source._array, counter_of(source)
    tensor._edge = tensor._grad = tensor._view = None
    tensor._site = _users_line()
    return tensor


def _users_line() -> tuple[CodeType, int] | None:
    """(code, lasti) of the innermost frame outside the package: where the parameter, or its layer, is made."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and inside_package(frame.f_code):
        frame = frame.f_back
    return None if frame is None else (frame.f_code, frame.f_lasti)


class Parameter(Tensor):
    """A tensor to be trained: assigned to a module, it is among its `parameters()`.

    Args:
        data: the starting values; the memory is shared, not copied.
        requires_grad: False freezes it.

    >>> import tapescope as ts
    >>> ts.nn.Parameter(ts.zeros(2))
    Parameter containing:
    tensor([0., 0.], requires_grad=True)
    """

    __slots__ = ()

    def __new__(cls, data: Tensor | None = None, requires_grad: bool = True) -> Parameter:
        parameter = _of_class(cls, data)
        if requires_grad:
            parameter.requires_grad = True
        return parameter

    def __repr__(self) -> str:
        return "Parameter containing:\n" + super().__repr__()


class Buffer(Tensor):
    """A tensor that is part of a module's state but not trained; `persistent=False` keeps it out of state_dict."""

    __slots__ = ()
    persistent: bool

    def __new__(cls, data: Tensor | None = None, *, persistent: bool = True) -> Buffer:
        buffer = _of_class(cls, data)
        buffer.persistent = persistent
        return buffer


def empty_parameter(shape: tuple[int, ...], device: Any = None, dtype: Any = None) -> Parameter:
    """A parameter whose values are still to be filled in, by `init`."""
    require(device)
    kind = default() if dtype is None else as_dtype(dtype)
    return Parameter(Tensor._wrap(np.empty(shape, kind.dtype)))
