"""Which cell, and which line of it, a code object comes from.

Called by ``observe.sites`` (as a resolver) and by error messages (as a namer). Invariant: the line is the one that the
user sees in the cell, also below blank lines that IPython strips, in ``%%time``, and where the notebook sends no ids.
"""

from __future__ import annotations

import linecache
import sys
from collections import deque
from dataclasses import dataclass
from types import CodeType
from typing import Any

from .. import errors
from ..observe import sites
from ..observe.sites import CellLine

# What runs the rest of a cell under a file name of its own: body line L is the cell's line L + 1.
MAGICS = {
    "<timed exec>": ("%%time", "%time"),
    "<timed eval>": ("%%time", "%time"),
    "<magic-timeit>": ("%%timeit", "%timeit"),
    "<string>": ("%%prun", "%prun"),
}


@dataclass(frozen=True, slots=True)
class Cell:
    """One execution of a cell.

    Args:
        cell: the notebook's id, or None.
        files: the file name its code has, by which IPython's compiler knows k of ``In[k]``; where the version of
            IPython decides it, the names it may have.
        shift: added to a line of the code that ran, it gives the line in the cell.
        lines: the cell as the user wrote it.
    """

    cell: str | None
    files: tuple[str, ...]
    shift: int
    lines: tuple[str, ...]


def leading_blanks(lines: tuple[str, ...]) -> int:
    """How many lines IPython strips at the top."""
    count = 0
    while count < len(lines) and not lines[count].strip():
        count += 1
    return count if count < len(lines) else 0


class CellMap:
    """File names of cells, as they are run."""

    def __init__(self, shell: Any) -> None:
        self.shell = shell
        self.by_file: dict[str, Cell] = {}
        self.recent: deque[Cell] = deque(maxlen=64)  # cells with a magic that compiles, newest last
        self.running: list[Cell] = []

    # -- as cells run ----------------------------------------------------------------------------------------------

    def install(self) -> None:
        """Listen to the shell, and answer what code objects are called."""
        self.shell.events.register("pre_run_cell", self.pre_run_cell)
        self.shell.events.register("post_run_cell", self.post_run_cell)
        sites.resolvers.append(self.resolve)
        errors.NAMERS.append(self.name)
        self._adopt_current()

    def uninstall(self) -> None:
        """Stop."""
        for event, function in (("pre_run_cell", self.pre_run_cell), ("post_run_cell", self.post_run_cell)):
            if function in self.shell.events.callbacks[event]:
                self.shell.events.unregister(event, function)
        if self.resolve in sites.resolvers:
            sites.resolvers.remove(self.resolve)
        if self.name in errors.NAMERS:
            errors.NAMERS.remove(self.name)

    def _adopt_current(self) -> None:
        """The cell that loads the extension began before anybody listened."""
        raw, cell_id = current_cell(self.shell)
        if raw:
            self._enter(raw, self.shell.transform_cell(raw), cell_id)

    def pre_run_cell(self, info: Any) -> None:
        """A cell is about to run."""
        transformed = info.transformed_cell
        self._enter(info.raw_cell, info.raw_cell if transformed is None else transformed, info.cell_id)

    def post_run_cell(self, result: Any) -> None:
        """It has run."""
        if self.running:
            self.running.pop()

    def _enter(self, raw: str, transformed: str, cell_id: str | None) -> None:
        lines = tuple(raw.splitlines())
        cell = Cell(cell_id, self._files(raw, transformed), leading_blanks(lines), lines)
        names = cell.files
        if cell_id is None and self.running:
            cell = self._nested(cell)
        self.by_file.update(dict.fromkeys(names, cell))
        if any(word in line for line in lines for word in ("%time", "%prun")):
            self.recent.append(cell)
        self.running.append(cell)

    def _files(self, raw: str, transformed: str) -> tuple[str, ...]:
        """The names the cell's code may have: IPython counts a cell before it runs, or (before 9) after."""
        count = self.shell.execution_count
        try:
            names = [self.shell.compile.get_code_name(raw, transformed, number) for number in (count - 1, count)]
        except Exception:  # a compiler of someone else's: places are then given by file
            return ()
        return tuple(dict.fromkeys(names))

    def _nested(self, cell: Cell) -> Cell:
        """A cell run by a magic of another one (``%%capture``) is a part of that."""
        outer = self.running[-1]
        size = len(cell.lines)
        for start in range(len(outer.lines) - size + 1):
            if size and outer.lines[start : start + size] == cell.lines:
                return Cell(outer.cell, outer.files, start + leading_blanks(cell.lines), outer.lines)
        return cell

    @property
    def current(self) -> Cell | None:
        """The cell that is running, or ran last; the outermost one."""
        return self.running[0] if self.running else None

    # -- asked -------------------------------------------------------------------------------------------------------

    def resolve(self, code: CodeType, line: int) -> CellLine | None:
        """The cell's line of a line of ``code``, or None where it is no cell's."""
        cell = self.by_file.get(code.co_filename) or self._older(code.co_filename)
        if cell is not None:
            return self._at(cell, line + cell.shift)
        if code.co_filename in MAGICS:
            return self._in_magic(code.co_filename, line, code)
        return None

    def name(self, filename: str, line: int) -> str | None:
        """``Cell In[3], line 2`` for a file name of a cell's."""
        cell = self.by_file.get(filename) or self._older(filename)
        found = self._at(cell, line + cell.shift) if cell is not None else None
        if found is None and filename in MAGICS:
            found = self._in_magic(filename, line, None)
        return None if found is None else f"Cell In[{found.count}], line {found.line}"

    def _at(self, cell: Cell, line: int) -> CellLine:
        source = cell.lines[line - 1].strip() if 0 < line <= len(cell.lines) else ""
        return CellLine(cell.cell, self._count(*cell.files), line, source)

    def _count(self, *files: str) -> int | None:
        """k of ``In[k]``, as IPython writes it: two cells of one text have one file name, and the later number."""
        for file in files:
            label = self.shell.compile.format_code_name(file)
            if label is not None and label[1].startswith("In["):
                return int(label[1][3:-1])
        return None

    def _older(self, filename: str) -> Cell | None:
        """A cell that ran before the extension was loaded: IPython still knows its number."""
        count = self._count(filename)
        if count is None:
            return None
        history = getattr(self.shell.history_manager, "input_hist_raw", [])
        raw = history[count] if 0 < count < len(history) else ""
        source = [line.rstrip("\n") for line in linecache.getlines(filename)]
        lines = tuple(raw.splitlines())
        shift = leading_blanks(lines)
        if lines[shift : shift + 1] != tuple(source[:1]):  # no history, or another cell of the same number
            lines, shift = tuple(source), 0
        cell = self.by_file[filename] = Cell(None, (filename,), shift, lines)
        return cell

    def _in_magic(self, filename: str, line: int, code: CodeType | None) -> CellLine | None:
        """The line below (or on) the magic that compiled ``code``; of several candidates the newest that fits."""
        whole, inline = MAGICS[filename]
        for cell in [*reversed(self.running), *reversed(self.recent)]:
            for number, text in enumerate(cell.lines):
                word = text.split()[0] if text.split() else ""
                body = cell.lines[number + 1 :]
                skipped = leading_blanks(body)
                if word == whole and line + skipped <= len(body) and _mentions("\n".join(body), code):
                    return self._at(cell, number + 1 + skipped + line)
                if line == 1 and word != whole and inline in text.split() and _mentions(text, code):
                    return self._at(cell, number + 1)
        return None


def _mentions(text: str, code: CodeType | None) -> bool:
    return code is None or all(name in text for name in code.co_names)


def current_cell(shell: Any) -> tuple[str, str | None]:
    """Text and id of the cell that is running, asked of the kernel, else of the history."""
    kernel = getattr(shell, "kernel", None)
    if kernel is not None:
        parent = kernel.get_parent("shell") or {}
        code = parent.get("content", {}).get("code")
        if code:
            return code, parent.get("metadata", {}).get("cellId")
    history = getattr(getattr(shell, "history_manager", None), "input_hist_raw", [])
    frame: Any = sys._getframe()
    while frame is not None and "run_cell" not in frame.f_code.co_name:
        frame = frame.f_back
    return (history[-1], None) if frame is not None and len(history) > 1 else ("", None)
