"""Every error Tapescope raises on purpose, and how a place in the user's code is put into words.

Called by all layers. The one invariant: ``str(error)`` is complete on its own (what failed, what came in,
what was expected, what to try); the attributes carry the same facts for views that draw them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from types import CodeType
from typing import Any

PACKAGE = os.path.dirname(os.path.abspath(__file__)) + os.sep

# (file name, line) -> "Cell In[3], line 2", or None where the namer does not know the file. The notebook layer adds one.
NAMERS: list[Callable[[str, int], str | None]] = []

_inside: dict[str, bool] = {}


def inside_package(code: CodeType) -> bool:
    """Whether ``code`` belongs to Tapescope itself, and so is not a line of the user's."""
    name = code.co_filename
    known = _inside.get(name)
    if known is None:
        known = _inside[name] = name.startswith(PACKAGE)
    return known


def line_of(code: CodeType, lasti: int) -> int:
    """The line number of instruction offset ``lasti`` (bytes) in ``code``."""
    for index, (line, *_) in enumerate(code.co_positions()):
        if index == lasti // 2:
            return line or code.co_firstlineno
    return code.co_firstlineno


def users_site(code: CodeType, lasti: int, tag: Any = None) -> tuple[CodeType, int]:
    """The innermost call site that is not inside the package: the op's own, else that of an enclosing call."""
    while tag is not None and inside_package(code):
        code, lasti, tag = tag.code, tag.lasti, tag.parent
    return code, lasti


def place(code: CodeType, lasti: int, tag: Any = None) -> str:
    """The user's line of a call site in words: ``Cell In[3], line 2`` or ``File "model.py", line 12``."""
    code, lasti = users_site(code, lasti, tag)
    line = line_of(code, lasti)
    for namer in NAMERS:
        named = namer(code.co_filename, line)
        if named is not None:
            return named
    return f'File "{code.co_filename}", line {line}'


class TapescopeError(RuntimeError):
    """The base of all deliberate errors; a ``RuntimeError``, as in PyTorch.

    Args:
        message: what failed, what came in and what was expected.
        op: the op's name.
        operands: one dict per operand: ``name``, ``shape``, ``dtype``, ``axis`` (the one that does not fit, or
            None) and ``edge`` (the tape's node that made it, or None).
        hint: one thing to try; it ends the message.
        sites: ``(role, code, lasti, tag)`` of the lines involved, most important first.
    """

    def __init__(
        self,
        message: str,
        *,
        op: str | None = None,
        operands: Sequence[dict[str, Any]] = (),
        hint: str | None = None,
        sites: Sequence[tuple[str, CodeType, int, Any]] = (),
    ) -> None:
        super().__init__(f"{message} {hint}" if hint else message)
        self.op, self.operands, self.hint, self.sites = op, tuple(operands), hint, tuple(sites)


class ShapeError(TapescopeError, ValueError):
    """Shapes that do not fit each other, or a dimension that is not there."""


class IndexingError(ShapeError, IndexError):
    """An index out of range, or of a kind that cannot index."""


class DtypeError(TapescopeError, TypeError):
    """A dtype that the operation is not defined for."""


class DeviceError(TapescopeError):
    """A device that is unknown, absent, or has no kernel for the operation."""


class GradError(TapescopeError):
    """The tape cannot give the gradient that was asked for."""


class InplaceError(GradError):
    """A change in place that would make, or has made, a gradient wrong."""


class CheckpointError(TapescopeError):
    """A file or state dict that cannot be loaded, or an object that cannot be saved."""


class DataError(TapescopeError):
    """A data set or loader that failed; names the sample."""
