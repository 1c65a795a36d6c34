"""Tracebacks that begin with the user's lines.

Called by IPython for each exception that a cell raises. Invariants: an exception that did not come through the package,
and an interrupt, look exactly as they always did; ours are ordinary error outputs; ``%tb`` and ``%debug`` still work.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any

from ..observe.faults import Plain, faults_of, lines_of, passes_through


class Ansi(Plain):
    """The parts of a traceback in the terminal's colours, as IPython uses them."""

    def head(self, text: str) -> str:
        """The error's class: red."""
        return f"\x1b[1;31m{text}\x1b[0m"

    def place(self, text: str) -> str:
        """A place: green."""
        return f"\x1b[32m{text}\x1b[0m"

    def culprit(self, text: str) -> str:
        """The culprit's line: bold."""
        return f"\x1b[1m{text}\x1b[0m"

    def faint(self, text: str) -> str:
        """For completeness: grey."""
        return f"\x1b[90m{text}\x1b[0m"

    def wrong(self, text: str) -> str:
        """The axis that does not fit: red."""
        return f"\x1b[1;31m{text}\x1b[0m"


def structured(error: BaseException, colours: bool = True) -> list[str]:
    """The traceback of an exception, and of what led to it, as a list of strings."""
    paint = Ansi() if colours else Plain()
    parts: list[str] = []
    for fault in faults_of(error):
        parts.append("\n".join(lines_of(fault, paint)))
        if fault.link is not None:
            parts.append(f"\n{fault.link}\n")
    return parts


def _has_group(error: BaseException | None) -> bool:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, BaseExceptionGroup):
            return True
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return False


def show(
    shell: Any,
    kind: type[BaseException],
    error: BaseException,
    traceback: TracebackType | None,
    tb_offset: int | None = None,
) -> list[str]:
    """IPython's custom exception handler."""
    stb: list[str] | None = None
    try:
        if not _has_group(error) and not hasattr(error, "_render_traceback_") and passes_through(error):
            stb = structured(error, str(getattr(shell, "colors", "")).lower() != "nocolor")
    except Exception:  # a traceback must never be lost: IPython's own follows
        stb = None
    if stb is None:
        shell.showtraceback((kind, error, traceback), tb_offset=tb_offset, running_compiled_code=True)
        return []
    shell._get_exc_info((kind, error, traceback))  # sets sys.last_value and its like, for %tb and %debug
    shell.InteractiveTB.tb = traceback
    shell._showtraceback(kind, error, stb)
    if shell.call_pdb:
        shell.debugger(force=True)
    return []


class Tracebacks:
    """Puts the handler in, and takes it out again."""

    def __init__(self, shell: Any) -> None:
        self.shell = shell
        self._before: tuple[Any, Any] | None = None

    def install(self) -> None:
        """From now on errors are shown by :func:`show`; a handler that the user has set stays in charge."""
        if self.shell.custom_exceptions:
            return
        self._before = (self.shell.custom_exceptions, self.shell.CustomTB)
        self.shell.set_custom_exc((Exception,), show)
        self._ours = self.shell.CustomTB

    def uninstall(self) -> None:
        """Put back what was there, unless somebody else has replaced it since."""
        if self._before is not None and self.shell.CustomTB == self._ours:
            self.shell.custom_exceptions, self.shell.CustomTB = self._before
        self._before = None
