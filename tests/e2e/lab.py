"""One notebook open in JupyterLab: run it, read its cells and views, go where it leads.

Called by the browser tests. Invariant: questions are answered by the page as it is now; nothing here waits without a limit.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

PATIENCE = 60_000  # ms
SIZE = {"width": 1280, "height": 1360}
VIEWS = ("tape", "gradients", "memory")

# Cells are addressed by the ids that the notebook file gives them.
SCRIPT = """
window.lab = {
  get panel() { return jupyterapp.shell.currentWidget; },
  get notebook() { return this.panel.content; },
  cell(id) { return this.notebook.widgets.find(cell => cell.model.id === id); },
  prompt(id) { return this.cell(id).node.querySelector('.jp-InputPrompt')?.textContent.trim() ?? ''; },
  outputs(id) { return this.cell(id).model.sharedModel.toJSON().outputs; },
  error(id) {
    const kinds = '[data-mime-type="application/vnd.jupyter.error"], [data-mime-type="application/vnd.jupyter.stderr"]';
    return [...this.cell(id).node.querySelectorAll(kinds)].map(node => node.textContent).join('\\n');
  },
  view(id, kind) {
    return this.cell(id).node.querySelector(`.jp-OutputArea .ts-view[data-view="${kind}"]`);
  },
  seq(id, kind) { return Number(this.view(id, kind)?.dataset.seq ?? -1); },
  top(id) { this.cell(id).node.scrollIntoView({ block: 'start' }); },
  select(id) {
    const index = this.notebook.widgets.findIndex(cell => cell.model.id === id);
    this.notebook.deselectAll();
    this.notebook.activeCellIndex = index;
    return this.notebook.scrollToItem(index, 'smart');
  },
  where() {
    const cell = this.notebook.activeCell;
    return { cell: cell.model.id, line: (cell.editor?.getCursorPosition().line ?? -1) + 1 };
  }
};
0
"""


class Lab:
    """The notebook that is open in a page."""

    def __init__(self, page: Any) -> None:
        self.page = page

    def open(self, address: str) -> None:
        """Load JupyterLab with a notebook and wait for its kernel."""
        self.page.goto(address)
        self.ready()

    def ready(self) -> None:
        """Wait until the notebook has a kernel that is idle."""
        self.page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=PATIENCE)
        self.page.wait_for_function(
            "jupyterapp.shell.currentWidget?.context?.sessionContext?.session?.kernel?.status === 'idle'",
            timeout=PATIENCE,
        )
        self.page.evaluate(SCRIPT)

    def command(self, name: str, arguments: dict[str, Any] | None = None) -> None:
        """Start a command of JupyterLab's without waiting for its end."""
        self.page.evaluate("([name, args]) => void jupyterapp.commands.execute(name, args)", [name, arguments or {}])

    def select(self, cell: str) -> None:
        """Make a cell the active one, in sight."""
        self.page.evaluate("id => void lab.select(id)", cell)
        self.page.wait_for_function("id => lab.where().cell === id", arg=cell, timeout=PATIENCE)

    def top(self, cell: str) -> None:
        """Scroll until a cell that is in sight begins at the top."""
        self.page.evaluate("id => lab.top(id)", cell)

    def run(self, cell: str) -> None:
        """Run one cell."""
        self.select(cell)
        self.command("notebook:run-cell")

    def wait_for_prompt(self, cell: str, prompt: str, seconds: float = 60) -> None:
        """Wait until a cell's prompt is e.g. ``[*]:``."""
        self.page.wait_for_function(
            "([id, prompt]) => lab.prompt(id) === prompt", arg=[cell, prompt], timeout=seconds * 1000
        )

    def wait_until_done(self, cell: str, seconds: float = 60) -> int:
        """Wait until a cell has run; its execution count."""
        self.page.wait_for_function("id => /^\\[\\d+\\]:$/.test(lab.prompt(id))", arg=cell, timeout=seconds * 1000)
        return int(self.prompt(cell).strip("[]:"))

    def prompt(self, cell: str) -> str:
        """A cell's prompt: ``[ ]:``, ``[*]:`` or ``[7]:``."""
        return str(self.page.evaluate("id => lab.prompt(id)", cell))

    def outputs(self, cell: str) -> list[dict[str, Any]]:
        """A cell's outputs as the notebook file will have them."""
        return list(self.page.evaluate("id => lab.outputs(id)", cell))

    def error(self, cell: str) -> str:
        """The text of the error that a cell shows; empty where it shows none."""
        return str(self.page.evaluate("id => lab.error(id)", cell))

    def view(self, cell: str, kind: str) -> Any:
        """A view in a cell's output."""
        index = self.page.evaluate("id => lab.notebook.widgets.findIndex(cell => cell.model.id === id)", cell)
        return self.page.locator(f'.jp-Cell[data-windowed-list-index="{index}"] .ts-view[data-view="{kind}"]')

    def state(self, cell: str) -> dict[str, Any]:
        """The cell's prompt and each view's sequence number, read at one moment."""
        return dict(
            self.page.evaluate(
                """([id, kinds]) => ({ prompt: lab.prompt(id),
                     ...Object.fromEntries(kinds.map(kind => [kind, lab.seq(id, kind)])) })""",
                [cell, list(VIEWS)],
            )
        )

    def where(self) -> dict[str, Any]:
        """The active cell and the line of its cursor."""
        return dict(self.page.evaluate("lab.where()"))

    def until(self, condition: Callable[[], Any], seconds: float = 20, every: float = 0.1) -> Any:
        """Ask again and again until the answer is true; that answer."""
        end = time.monotonic() + seconds
        while True:
            answer = condition()
            if answer or time.monotonic() > end:
                return answer
            time.sleep(every)
