"""The calling context of a thread: whether the tape records, and inside which module or composite we are.

Read by ``autograd`` at each record, written by modules and composites. Invariant: :attr:`State.tag` is a linked list of
the enclosing calls, innermost first, so that an op called inside the library still leads to the user's line.
"""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Callable
from types import CodeType
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


class Tag:
    """One enclosing call: of a module's forward, or of a composite function.

    Attributes:
        module: the ``nn.Module``, or None.
        name: the composite's name, or None.
        parent: the call around this one, or None.
        code, lasti: the line that made the call.
    """

    __slots__ = ("code", "lasti", "module", "name", "parent")

    def __init__(self, module: Any, name: str | None, parent: Tag | None, code: CodeType, lasti: int) -> None:
        self.module, self.name, self.parent, self.code, self.lasti = module, name, parent, code, lasti


class State(threading.local):
    """What the current thread records: gradients wanted or not, and the enclosing call."""

    grad: bool = True
    tag: Tag | None = None


STATE = State()


def composite(function: F) -> F:
    """Mark a function that is written with other ops: what it records leads to the line that called it."""
    name = function.__name__

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        frame = sys._getframe(1)
        outer = STATE.tag
        STATE.tag = Tag(None, name, outer, frame.f_code, frame.f_lasti)
        try:
            return function(*args, **kwargs)
        finally:
            STATE.tag = outer

    return call  # type: ignore[return-value]
