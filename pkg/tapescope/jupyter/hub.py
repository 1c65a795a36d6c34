"""The lab panel's wire: which live views there are, told to every page that asks or listens.

Called by the session. Invariants: at most two messages a second; a handler that fails answers with an error and keeps
the channel. The kernel opens the stream's comm (it arrives even while a cell runs); a page asks on a comm of its own.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from ..observe import View
from .widgets import unpin

TARGET = "tapescope.v1"
REQUESTS = "tapescope.v1.req"
VERSION = 1
GAP = 0.5  # s between messages


class Hub:
    """Tells pages about the views.

    Args:
        views: gives the live views.
        cell_of: gives the id of the cell that shows a view.
    """

    def __init__(self, views: Callable[[], list[View]], cell_of: Callable[[View], str | None]) -> None:
        self.views, self.cell_of = views, cell_of
        self.comms: list[Any] = []
        self._seq = 0
        self._lock = threading.Lock()
        self._last: list[dict[str, Any]] | None = None
        self._sent_at = float("-inf")
        self._timer: threading.Timer | None = None
        self._manager: Any = None

    def install(self) -> None:
        """Open the stream, and listen for requests."""
        import comm

        self._manager = comm.get_comm_manager()
        self._manager.register_target(REQUESTS, self._on_request)
        self._keep(comm.create_comm(target_name=TARGET, data=self.message()))

    def uninstall(self) -> None:
        """Close everything."""
        if self._timer is not None:
            self._timer.cancel()
        if self._manager is not None:
            self._manager.unregister_target(REQUESTS, self._on_request)
        for comm in list(self.comms):
            comm.close()
        self.comms.clear()

    def _keep(self, comm: Any) -> None:
        unpin(comm)
        comm.on_close(lambda message: self.comms.remove(comm) if comm in self.comms else None)
        self.comms.append(comm)

    def _on_request(self, comm: Any, message: Any) -> None:
        self._keep(comm)
        comm.on_msg(lambda received: self._answer(comm, received))
        self._answer(comm, message)

    def _answer(self, comm: Any, message: Any) -> None:
        data = message.get("content", {}).get("data", {})
        try:
            if data.get("type") in (None, "views?"):
                comm.send(self.message())
            else:
                comm.send({"type": "error", "v": VERSION, "error": f"unknown request {data.get('type')!r}"})
        except Exception as error:  # the channel must survive its messages
            comm.send({"type": "error", "v": VERSION, "error": repr(error)})

    def message(self) -> dict[str, Any]:
        """The list of views as it goes over the wire."""
        self._seq += 1
        return {"type": "views", "v": VERSION, "seq": self._seq, "views": self.listed()}

    def listed(self) -> list[dict[str, Any]]:
        """One row per live view."""
        rows = []
        for view in self.views():
            snapshot = view.snapshot()
            site = view.site.as_dict() if view.site is not None else None
            rows.append({
                "id": view.id, "view": view.kind, "title": snapshot["title"], "state": snapshot["state"],
                "sentence": snapshot["sentence"], "site": site, "cell": self.cell_of(view),
            })  # fmt: skip
        return rows

    def changed(self, _: Any = None) -> None:
        """Something about a view is new; told at once, or half a second after the last time."""
        with self._lock:
            wait = self._sent_at + GAP - time.monotonic()
            if wait > 0:
                if self._timer is None:
                    self._timer = threading.Timer(wait, self._late)
                    self._timer.daemon = True
                    self._timer.start()
                return
            self._sent_at = time.monotonic()
        self._send()

    def _late(self) -> None:
        with self._lock:
            self._timer = None
            self._sent_at = time.monotonic()
        self._send()

    def _send(self) -> None:
        rows = self.listed()
        if rows == self._last:
            return
        self._last = rows
        self._seq += 1
        message = {"type": "views", "v": VERSION, "seq": self._seq, "views": rows}
        for comm in list(self.comms):
            try:
                comm.send(message)
            except Exception:  # a page that is gone
                self.comms.remove(comm)
