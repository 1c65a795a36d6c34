"""What every view is: a snapshot that prints as text, has its data as attributes, and can be closed.

Called by ``ts.tape``, ``ts.watch`` and ``ts.memory``, which return one; the notebook layer subscribes to its frames.
Invariant: a view never raises into the user's code; what went wrong inside is remembered and shown in its text.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import numpy as np

from . import numbers
from .sites import Site

VERSION = 1
_numbers = itertools.count(1)


class View:
    """A look at something, once or live.

    The data of the last snapshot are attributes: ``view.sentence``, ``view.state``, and what the kind of view adds.
    """

    kind = ""

    def __init__(self, title: str, site: Site | None = None) -> None:
        self.id = f"{self.kind}-{next(_numbers)}"
        self.title = title
        self.site = site
        self.origin: tuple[str, int] | None = None  # file name and line of the call that made it
        self.state = "idle"
        self.trouble: BaseException | None = None
        self.listeners: list[Callable[[View], Any]] = []
        self.closers: list[Callable[[View], Any]] = []
        self.lock = threading.RLock()
        self.revision = 0  # how often there was something new, apart from the state
        self._seq = 0
        self._message: dict[str, Any] = {}
        self._history: np.ndarray | None = None

    # -- data ------------------------------------------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """The last state as plain JSON-able data, version 1."""
        with self.lock:
            common = {"v": VERSION, "view": self.kind, "seq": self._seq, "state": self.state, "title": self.title}
            return {**common, **(self._message or self.empty())}

    def history_rows(self) -> np.ndarray | None:
        """What goes beside the snapshot as a buffer: float32, one row per quantity; None where there is none."""
        with self.lock:
            return self._history

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_"):
            if name == "history":
                return self.history_rows()
            data = self.snapshot()
            if name in data:
                return data[name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self.snapshot()})

    def empty(self) -> dict[str, Any]:
        """The message before anything was seen."""
        raise NotImplementedError

    def body(self, message: dict[str, Any]) -> list[str]:
        """The body of the text form."""
        raise NotImplementedError

    def text(self) -> str:
        """The view in a terminal; its last line is the sentence."""
        message = self.snapshot()
        step = "" if message["step"] is None else f", step {message['step']:,}"
        head = f"{self.kind} · {message['title']} · {message['state']}{step}"
        parts = [head, *self.body(message)]
        if self.trouble is not None:
            parts.append(f"This view met {type(self.trouble).__name__}: {self.trouble} The last good state is shown.")
        return "\n".join([*parts, message["sentence"]])

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return self.text()

    # -- frames ----------------------------------------------------------------------------------------------

    def show(self, message: dict[str, Any], history: np.ndarray | None = None) -> None:
        """Make this the newest state and tell who listens."""
        with self.lock:
            self._seq += 1
            self.revision += 1
            self._message, self._history = message, history
        self.tell()

    def tell(self) -> None:
        """Hand the newest state to the listeners; a listener that fails is dropped."""
        for listener in list(self.listeners):
            try:
                listener(self)
            except Exception as error:
                self.trouble = error
                if listener in self.listeners:
                    self.listeners.remove(listener)

    def set_state(self, state: str) -> None:
        """live, idle or ended; an ended view stays ended."""
        if self.state in (state, "ended"):
            return
        with self.lock:
            self.state = state
            self._seq += 1
        self.tell()

    # -- end -------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """End the view; its last state stays readable."""
        while self.closers:
            self.closers.pop()(self)
        self.set_state("ended")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def place(site: dict[str, Any] | None) -> str:
    """A site's text in a table; empty where there is none."""
    return "" if site is None else str(site["text"])


def signature(row: dict[str, Any]) -> str:
    """Shape and dtype: ``(64, 10) f32``."""
    return f"{numbers.shape(row['shape'])} {numbers.dtype(row['dtype'])}".rstrip()
