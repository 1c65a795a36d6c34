"""How a view appears in a cell's output: a live widget, and beneath it a picture that a saved notebook keeps.

Called by IPython's display and by the session when a cell has ended. Invariant: what fails here falls back to the text
form; a display never raises into the user's cell.
"""

from __future__ import annotations

import base64
import html
import uuid
from typing import Any

from ..observe import View
from .widgets import HOW_TO_BUILD, MIME, Link, is_built


class Shown:
    """A view in an output."""

    def __init__(self, view: View, cell: str | None) -> None:
        self.view, self.cell = view, cell
        self.display_id = uuid.uuid4().hex
        self.link: Link | None = None
        self.drawn = -1  # seq of what the picture shows
        self.trouble: BaseException | None = None
        try:
            self.link = Link(view) if is_built() else None
        except Exception as error:  # no ipywidgets, or no kernel
            self.trouble = error

    def bundle(self, picture: bool) -> dict[str, Any]:
        """The output's data; with ``picture`` also what a saved notebook shows without its kernel."""
        text = self.view.text()
        data: dict[str, Any] = {"text/plain": text if self.link is not None else f"{HOW_TO_BUILD}\n{text}"}
        if self.link is not None:
            data[MIME] = {"version_major": 2, "version_minor": 0, "model_id": self.link.model_id}
        if picture:
            data.update(still(self.view))
        return data

    def show(self) -> None:
        """Put the view into the running cell's output."""
        from IPython.display import display

        display(self.bundle(picture=False), raw=True, display_id=self.display_id)

    def redraw(self) -> None:
        """Replace what the output keeps by the view's last state."""
        from IPython.display import update_display

        seq = self.view.snapshot()["seq"]
        if seq == self.drawn:
            return
        self.drawn = seq
        if self.link is not None:
            self.link.sync()
        update_display(self.bundle(picture=True), raw=True, display_id=self.display_id)


def still(view: View) -> dict[str, str]:
    """The view as HTML and as a PNG picture, where matplotlib is there; else as HTML alone."""
    snapshot = view.snapshot()
    try:
        from .picture import png

        encoded = base64.b64encode(png(snapshot, view.history_rows())).decode("ascii")
    except Exception:
        encoded = ""
    sentence = html.escape(snapshot["sentence"])
    head = html.escape(f"{snapshot['view']} · {snapshot['title']}")
    image = f'<img alt="{sentence}" src="data:image/png;base64,{encoded}">' if encoded else ""
    text = html.escape(view.text())
    body = (
        f'<div class="tapescope-still"><b>{head}</b><br>{image}<p>{sentence}</p>'
        f"<details><summary>as text</summary><pre>{text}</pre></details></div>"
    )
    return {"text/html": body, "image/png": encoded} if encoded else {"text/html": body}
