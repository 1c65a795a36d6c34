"""Views as widgets: a snapshot for pages that come late, and live frames while a cell runs.

Called by the display of a view. Invariants: the training loop never waits for a page (one frame may be on its way;
further ones replace each other until the page acknowledges); a page that is gone, or a front end that was not built,
costs the user nothing but the picture.
"""

from __future__ import annotations

import threading
import time
from functools import cache
from pathlib import Path
from typing import Any

from ..observe import View

STATIC = Path(__file__).resolve().parent.parent / "static"
LOST = 2.0  # s without an acknowledgement: the page was closed or reloaded
MIME = "application/vnd.jupyter.widget-view+json"
HOW_TO_BUILD = (
    "The interactive view is not built here: run  pip install -e .  (or  npm --prefix extension run build ) "
    "in the checkout. This is its text form:"
)


def is_built() -> bool:
    """Whether the front end is there."""
    return (STATIC / "widget.js").is_file()


@cache
def widget_class() -> Any:
    """The widget's class; made when first needed, because it imports ipywidgets and traitlets."""
    import anywidget
    import traitlets

    class TapescopeWidget(anywidget.AnyWidget):
        """Draws one view: see ``extension/src/widget``."""

        _esm = (STATIC / "widget.js").read_text(encoding="utf-8")
        _css = (STATIC / "widget.css").read_text(encoding="utf-8") if (STATIC / "widget.css").is_file() else ""
        snapshot = traitlets.Dict({}).tag(sync=True)
        history = traitlets.Bytes(b"").tag(sync=True)

        def open(self) -> None:
            """Open the comm, and keep it open to what the page says while a cell runs."""
            super().open()
            unpin(self.comm)

        def keep(self, snapshot: dict[str, Any], history: bytes) -> None:
            """Set the state for pages that come late, and send nothing: the frame carries the same."""
            values = self._trait_values
            values["snapshot"], values["history"] = snapshot, history

    return TapescopeWidget


def unpin(comm: Any) -> None:
    """Let a page's messages be handled on their own subshell, and so while a cell runs.

    ipykernel 7.4 hands a message to the subshell that last sent on the comm: the main one, which is busy with the cell
    that streams (`Comm._reply_subshell_for`, https://github.com/ipython/ipykernel, ipykernel/comm/comm.py). This can go
    when that version is no longer supported; other versions have no such method.
    """
    if comm is not None and hasattr(comm, "_reply_subshell_for"):
        comm._reply_subshell_for = lambda data, default: default


def publish(widget: Any, content: dict[str, Any], buffers: list[bytes]) -> None:
    """``widget.send``, without the walk over the content that makes it JSON-able: a snapshot is so already.

    The walk (ipykernel's json_clean) takes twice as long as all the rest.
    """
    comm = widget.comm
    kernel, topic = getattr(comm, "kernel", None), getattr(comm, "topic", None)
    if kernel is None or topic is None:
        widget.send(content, buffers=buffers)
        return
    data = {"method": "custom", "content": content}
    kernel.session.send(
        kernel.iopub_socket, "comm_msg", {"data": data, "comm_id": comm.comm_id}, metadata={},
        parent=kernel.get_parent(), ident=topic, buffers=buffers,
    )  # fmt: skip


class Link:
    """Carries one view to the pages that show it, one unacknowledged frame at a time."""

    def __init__(self, view: View) -> None:
        self.view = view
        self.sent = 0
        self.cost = 0.0  # s spent sending, in all
        self._lock = threading.Lock()
        self._sent_at = float("-inf")
        self._in_flight: int | None = None
        self._waiting = False
        self._state, self._revision = view.state, view.revision
        self.widget = widget_class()(snapshot=view.snapshot(), history=_bytes(view))
        self.widget.on_msg(self._heard)
        view.listeners.append(self.frame)

    @property
    def model_id(self) -> str:
        """The widget's id."""
        return self.widget.model_id

    def frame(self, view: View) -> None:
        """The view has something new."""
        began = time.perf_counter()
        with self._lock:
            if view.state != self._state:
                self._state = view.state
                self.widget.send({"type": "state", "state": view.state})
            if view.revision == self._revision:
                self._keep()  # nothing but the state is new
            elif self._in_flight is not None and began - self._sent_at < LOST:
                self._waiting = True
                self._keep()
            else:
                self._send()
        self.cost += time.perf_counter() - began

    def _keep(self) -> tuple[dict[str, Any], bytes]:
        snapshot, history = self.view.snapshot(), _bytes(self.view)
        self.widget.keep(snapshot, history)
        return snapshot, history

    def _send(self) -> None:
        snapshot, history = self._keep()
        self._waiting, self._revision = False, self.view.revision
        self._in_flight, self._sent_at = snapshot["seq"], time.perf_counter()
        self.sent += 1
        publish(self.widget, {"type": "frame", "snapshot": snapshot}, [history])

    def _heard(self, widget: Any, content: Any, buffers: Any) -> None:
        """A page says something; on a subshell, while a cell runs."""
        kind = content.get("type") if isinstance(content, dict) else None
        if kind == "close":
            self.view.close()
        elif kind == "ack":
            with self._lock:
                if self._in_flight is not None and content.get("seq", -1) >= self._in_flight:
                    self._in_flight = None
                    if self._waiting:
                        self._send()

    def sync(self) -> None:
        """Send the whole state as traits: the cell has ended, nothing is in a hurry."""
        snapshot, history = self.view.snapshot(), _bytes(self.view)
        self.widget.keep({}, b"")
        with self.widget.hold_sync():
            self.widget.snapshot, self.widget.history = snapshot, history

    def close(self) -> None:
        """Stop carrying; the widget stays as it is."""
        if self.frame in self.view.listeners:
            self.view.listeners.remove(self.frame)


def _bytes(view: View) -> bytes:
    rows = view.history_rows()
    return b"" if rows is None else rows.astype("<f4", copy=False).tobytes()
