"""A real IPython shell, with the extension loaded or not; shells and views end with their test."""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from tapescope.observe.live import CONDUCTOR


class Shell:
    """Runs cells and remembers the tracebacks that were shown."""

    def __init__(self, shell: InteractiveShell) -> None:
        self.shell = shell
        self.tracebacks: list[tuple[str, str, list[str]]] = []
        shell._showtraceback = self._show  # type: ignore[method-assign]

    def _show(self, kind: Any, value: Any, stb: list[str]) -> None:
        self.tracebacks.append((kind.__name__, str(value), stb))

    def run(self, text: str, cell_id: str | None = None, store: bool = True) -> Any:
        """Run a cell as a notebook would."""
        self.tracebacks.clear()
        return self.shell.run_cell(text, store_history=store, cell_id=cell_id)

    def good(self, text: str, **more: Any) -> Any:
        """Run a cell that must not fail."""
        result = self.run(text, **more)
        assert result.success, self.tracebacks or result.error_before_exec
        return result.result

    @property
    def error(self) -> str:
        """The traceback of the last cell, as text."""
        [(_, _, stb)] = self.tracebacks
        return "\n".join(stb)

    def __getitem__(self, name: str) -> Any:
        return self.shell.user_ns[name]


@contextmanager
def open_shell(folder: str, load: bool = True) -> Iterator[Shell]:
    """A shell whose history is kept in memory, taken down afterwards."""
    from traitlets.config import Config

    os.environ.setdefault("IPYTHONDIR", folder)
    config = Config()
    config.HistoryManager.enabled = False  # in memory only
    config.InteractiveShell.colors = "nocolor"
    InteractiveShell.clear_instance()
    inner = InteractiveShell.instance(config=config)
    shell = Shell(inner)
    try:
        shell.good("import tapescope as ts\nfrom tapescope import nn, optim\nimport tapescope.nn.functional as F")
        if load:
            shell.good("%load_ext tapescope")
        yield shell
    finally:
        inner.extension_manager.unload_extension("tapescope")
        atexit.unregister(inner.atexit_operations)
        InteractiveShell.clear_instance()


@pytest.fixture
def shell(tmp_path):
    with open_shell(str(tmp_path)) as opened:
        yield opened
    for view in list(CONDUCTOR.views):
        view.close()
    CONDUCTOR.settle()


@pytest.fixture
def bare_shell(tmp_path):
    with open_shell(str(tmp_path), load=False) as opened:
        yield opened
