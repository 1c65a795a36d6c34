"""Switches of recording: no_grad, enable_grad, set_grad_enabled. For the current thread; context managers and decorators."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from .state import STATE


class _Mode:
    """A context manager, and a decorator of functions and generators, that sets whether operations are recorded."""

    def __init__(self, enabled: bool) -> None:
        self.enabled = enabled
        self._outer: list[bool] = []

    def __enter__(self) -> None:
        self._outer.append(STATE.grad)
        STATE.grad = self.enabled

    def __exit__(self, *exc: object) -> None:
        STATE.grad = self._outer.pop()

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        enabled = self.enabled
        if inspect.isgeneratorfunction(function):
            return _generator(function, enabled)

        @functools.wraps(function)
        def inner(*args: Any, **kwargs: Any) -> Any:
            with _Mode(enabled):
                return function(*args, **kwargs)

        return inner


def _generator(function: Callable[..., Any], enabled: bool) -> Callable[..., Any]:
    @functools.wraps(function)
    def inner(*args: Any, **kwargs: Any) -> Any:
        source = function(*args, **kwargs)
        sent = None
        while True:
            with _Mode(enabled):
                try:
                    value = source.send(sent)
                except StopIteration as stop:
                    return stop.value
            sent = yield value

    return inner


class no_grad(_Mode):
    """Record nothing inside: ``with ts.no_grad():``, or ``@ts.no_grad()`` on a function.

    Example:
        >>> import tapescope as ts
        >>> x = ts.ones(2, requires_grad=True)
        >>> with ts.no_grad():
        ...     (x * 2).requires_grad
        False
    """

    def __new__(cls, function: Callable[..., Any] | None = None) -> Any:
        return super().__new__(cls) if function is None else _Mode(False)(function)

    def __init__(self, function: Callable[..., Any] | None = None) -> None:
        super().__init__(False)


class enable_grad(_Mode):
    """Record inside, also within :class:`no_grad`."""

    def __new__(cls, function: Callable[..., Any] | None = None) -> Any:
        return super().__new__(cls) if function is None else _Mode(True)(function)

    def __init__(self, function: Callable[..., Any] | None = None) -> None:
        super().__init__(True)


class set_grad_enabled(_Mode):
    """Record or not from here on, or inside a ``with``.

    Example:
        >>> import tapescope as ts
        >>> with ts.set_grad_enabled(False):
        ...     ts.is_grad_enabled()
        False
    """

    def __init__(self, mode: bool) -> None:
        super().__init__(bool(mode))
        self._outer.append(STATE.grad)  # as a plain call it is on at once; __exit__ puts this back
        STATE.grad = self.enabled

    def __enter__(self) -> None:
        STATE.grad = self.enabled

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        STATE.grad = self._outer.pop()
        return super().__call__(function)


def is_grad_enabled() -> bool:
    """Whether operations of this thread are recorded."""
    return STATE.grad
