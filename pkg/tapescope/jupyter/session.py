"""One loaded extension: what ``%load_ext tapescope`` sets up and ``%unload_ext tapescope`` takes down.

Called through ``tapescope.load_ipython_extension``. Invariants: loading twice is harmless; unloading restores the
shell; a plain terminal IPython gets all that needs no browser.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..observe import View
from ..observe.live import CONDUCTOR
from .cells import CellMap
from .display import Shown
from .hub import Hub
from .traceback import Tracebacks

_session: Session | None = None


class Session:
    """Everything that is installed in one shell."""

    def __init__(self, shell: Any) -> None:
        self.shell = shell
        self.cells = CellMap(shell)
        self.tracebacks = Tracebacks(shell)
        self.shown: dict[str, Shown] = {}
        self.hub: Hub | None = None
        self._undo: list[Callable[[], Any]] = []

    # -- coming and going ------------------------------------------------------------------------------------------

    def install(self) -> None:
        """Set everything up."""
        self.cells.install()
        self._undo.append(self.cells.uninstall)
        self.tracebacks.install()
        self._undo.append(self.tracebacks.uninstall)
        self._install_magics()
        self._install_display()
        self.shell.events.register("post_run_cell", self.cell_ended)
        self._undo.append(lambda: self.shell.events.unregister("post_run_cell", self.cell_ended))
        if getattr(self.shell, "kernel", None) is not None:
            self._install_hub()

    def _install_magics(self) -> None:
        from .magics import TapescopeMagics

        lines = self.shell.magics_manager.magics["line"]
        before = {name: lines.get(name) for name in ("tape", "grads", "mem")}
        self.shell.register_magics(TapescopeMagics)

        def restore() -> None:
            for name, magic in before.items():
                lines.pop(name, None)
                if magic is not None:
                    lines[name] = magic

        self._undo.append(restore)

    def _install_display(self) -> None:
        formatter = self.shell.display_formatter
        if getattr(self.shell, "kernel", None) is None:
            return  # a terminal prints the text form by itself
        formatter.ipython_display_formatter.for_type(View, self.show)
        self._undo.append(lambda: formatter.ipython_display_formatter.pop(View, None))

    def _install_hub(self) -> None:
        hub = self.hub = Hub(lambda: list(CONDUCTOR.views), self.cell_of)
        hub.install()
        self._undo.append(hub.uninstall)
        CONDUCTOR.listeners.append(self.views_changed)
        self._undo.append(lambda: _discard(CONDUCTOR.listeners, self.views_changed))

    def uninstall(self) -> None:
        """Take everything down, in reverse."""
        for shown in self.shown.values():
            if shown.link is not None:
                shown.link.close()
        while self._undo:
            self._undo.pop()()

    # -- views -----------------------------------------------------------------------------------------------------

    def show(self, view: View) -> None:
        """Display a view; shown again, it moves to the newer output."""
        cell = self.cells.current
        old = self.shown.pop(view.id, None)
        if old is not None and old.link is not None:
            old.link.close()
        shown = self.shown[view.id] = Shown(view, None if cell is None else cell.cell)
        view.listeners.append(self._heard)
        shown.show()
        self.views_changed()

    def cell_of(self, view: View) -> str | None:
        """The id of the cell that shows a view."""
        shown = self.shown.get(view.id)
        return None if shown is None else shown.cell

    def views_changed(self) -> None:
        """The list of live views, or what they say, is new."""
        if self.hub is None:
            return
        for view in CONDUCTOR.views:
            if self.hub.changed not in view.listeners:
                view.listeners.append(self.hub.changed)
        self.hub.changed()

    def _heard(self, view: View) -> None:
        if view.state != "ended":
            return
        shown = self.shown.get(view.id)
        if shown is not None and not self.cells.running:
            self._redraw(shown)

    def cell_ended(self, result: Any) -> None:
        """A cell has run: settle what was being sampled, and draw what the saved notebook keeps."""
        if self.cells.running:
            return  # a cell within a cell
        try:
            CONDUCTOR.settle()
            CONDUCTOR.prune()
        finally:
            for shown in list(self.shown.values()):
                self._redraw(shown)

    def _redraw(self, shown: Shown) -> None:
        try:
            shown.redraw()
        except Exception as error:  # a picture must not turn a good cell into a failed one
            shown.trouble = error
        if shown.view not in CONDUCTOR.views:
            self.shown.pop(shown.view.id, None)  # it will not change any more


def _discard(listeners: list[Any], listener: Any) -> None:
    if listener in listeners:
        listeners.remove(listener)


def load(shell: Any) -> None:
    """Set up the extension in ``shell``; harmless if it is there already."""
    global _session
    if _session is not None:
        if _session.shell is shell:
            return
        _session.uninstall()
    _session = Session(shell)
    _session.install()


def unload(shell: Any) -> None:
    """Take the extension out of ``shell``."""
    global _session
    if _session is not None and _session.shell is shell:
        _session.uninstall()
        _session = None


def current() -> Session | None:
    """The loaded extension, or None."""
    return _session
