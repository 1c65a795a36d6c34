"""Late compiling with Numba: a kernel is a plain module-level function until it is first called.

Called by ``ops`` and ``optim``. Invariant: importing this module imports no Numba, and where Numba is missing
or switched off (``config.jit = "off"``) :func:`available` is False and callers take their NumPy path.
Kernels are module-level functions because Numba's disk cache never hits for closures.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

from .. import config

_found: bool | None = None


def available() -> bool:
    """Whether kernels can be compiled here."""
    global _found
    if _found is None:
        _found = importlib.util.find_spec("numba") is not None
    return _found and config.jit != "off"


class Kernel:
    """A function that compiles itself at its first call and is cached on disk from then on.

    Args:
        function: a module-level function in Numba's subset of Python.
        ufunc: compile it as an elementwise ufunc (of scalars) instead of a function of arrays.
        fastmath: LLVM's flags that leave the values of finite inputs within rounding.
    """

    __slots__ = ("_compiled", "fastmath", "function", "ufunc")

    def __init__(self, function: Callable[..., Any], *, ufunc: bool = False, fastmath: Any = False) -> None:
        self.function, self.ufunc, self.fastmath = function, ufunc, fastmath
        self._compiled: Callable[..., Any] | None = None

    def __call__(self, *arguments: Any) -> Any:
        compiled = self._compiled
        if compiled is None:
            compiled = self._compiled = self._compile()
        return compiled(*arguments)

    def _compile(self) -> Callable[..., Any]:
        import numba

        if not self.ufunc:
            return numba.njit(self.function, cache=True, nogil=True, error_model="numpy", fastmath=self.fastmath)
        count = self.function.__code__.co_argcount
        signatures = [f"{t}({', '.join([t] * count)})" for t in ("float32", "float64")]
        return numba.vectorize(signatures, cache=True, fastmath=self.fastmath)(self.function)


def kernel(function: Callable[..., Any]) -> Kernel:
    """Mark a module-level function of arrays as a kernel."""
    return Kernel(function)


def elementwise(function: Callable[..., Any]) -> Kernel:
    """Mark a module-level function of scalars as an elementwise kernel."""
    return Kernel(function, ufunc=True)
