"""Where a line of the user's code is: from (code object, instruction) to a place that a reader knows.

Called by every view here. Invariant: observe knows nothing of notebooks; what a code object of a cell is called
comes from :data:`resolvers`, which the notebook layer fills. Text is made only here, and only when it is shown.
"""

from __future__ import annotations

import linecache
import os
import sysconfig
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from types import CodeType, FrameType, TracebackType
from typing import Any

from ..errors import inside_package, users_site


@dataclass(frozen=True, slots=True)
class CellLine:
    """A line of a notebook cell: the answer of a resolver.

    Args:
        cell: the notebook's id of the cell, or None where the front end gave none.
        count: k of ``In[k]``.
        line: the line in the cell as the user sees it, counted from 1.
        source: the text of that line.
    """

    cell: str | None
    count: int | None
    line: int
    source: str


# resolver(code, line) -> the cell's line, or None where the resolver does not know the code.
resolvers: list[Callable[[CodeType, int], CellLine | None]] = []


@dataclass(frozen=True, slots=True)
class Site:
    """A place in the user's code: ``label`` for a chip (``In[5]:6``), ``text`` for a sentence."""

    label: str
    text: str
    cell: str | None
    count: int | None
    line: int
    file: str | None
    source: str

    def as_dict(self) -> dict[str, Any]:
        """The site as it goes over the wire."""
        return {
            "label": self.label, "text": self.text, "cell": self.cell, "count": self.count,
            "line": self.line, "file": self.file, "source": self.source,
        }  # fmt: skip

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Position:
    """Lines (from 1) and columns (from 0) of an instruction, as ``code.co_positions`` has them."""

    line: int
    end_line: int
    column: int | None
    end_column: int | None


@lru_cache(maxsize=4096)
def position(code: CodeType, lasti: int) -> Position:
    """Line and columns of the instruction at byte offset ``lasti``."""
    line, end, column, end_column = next(
        islice(code.co_positions(), max(lasti, 0) // 2, None), (None, None, None, None)
    )
    line = line or code.co_firstlineno
    return Position(line, end or line, column, end_column)


def site_of(code: CodeType, lasti: int) -> Site:
    """The place of one instruction."""
    return site_at(code, position(code, lasti).line)


def site_at(code: CodeType, line: int) -> Site:
    """The place of a line of ``code``'s file."""
    for resolve in resolvers:
        found = resolve(code, line)
        if found is not None:
            count = "?" if found.count is None else found.count
            label, text = f"In[{count}]:{found.line}", f"Cell In[{count}], line {found.line}"
            return Site(label, text, found.cell, found.count, found.line, None, found.source)
    name = code.co_filename
    source = linecache.getline(name, line).strip()
    label = f"{os.path.basename(name)}:{line}"
    return Site(label, f'File "{name}", line {line}', None, None, line, name, source)


def site_of_node(node: Any) -> Site | None:
    """The user's line of a tape node: its own, else that of the nearest call outside the package."""
    if node is None or getattr(node, "code", None) is None:
        return None
    return site_of(*users_site(node.code, node.lasti, node.tag))


def site_of_pair(pair: tuple[CodeType, int] | None) -> Site | None:
    """The place of a stored ``(code, lasti)``, or None."""
    return None if pair is None else site_of(*pair)


def site_of_tensor(tensor: Any) -> Site | None:
    """The line that made a tensor: its node's, else the one it was created at."""
    pair = origin(tensor)
    return None if pair is None else site_of(*pair)


def origin(tensor: Any) -> tuple[CodeType, int] | None:
    """``(code, lasti)`` of the user's line that made ``tensor``, or None where it was not noted."""
    edge = tensor._edge
    node = getattr(edge, "node", edge)
    if getattr(node, "code", None) is not None:
        return users_site(node.code, node.lasti, node.tag)
    return getattr(tensor, "_site", None)


def users_frame(frame: FrameType | None) -> FrameType | None:
    """The innermost frame, from ``frame`` outward, that is not inside the package."""
    while frame is not None and inside_package(frame.f_code):
        frame = frame.f_back
    return frame


@lru_cache(maxsize=1)
def _library_folders() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    folders = {os.path.realpath(paths[key]) for key in ("stdlib", "platstdlib", "purelib", "platlib")}
    folders |= {paths[key] for key in ("stdlib", "platstdlib", "purelib", "platlib")}
    return tuple(folder + os.sep for folder in folders)


@lru_cache(maxsize=1024)
def is_library(filename: str) -> bool:
    """Whether a file belongs to Python or to an installed package, and so is not the user's."""
    return filename.startswith("<frozen") or filename.startswith(_library_folders())


def is_users(code: CodeType) -> bool:
    """Whether ``code`` was written by the user: neither the package's nor a library's."""
    return not inside_package(code) and not is_library(code.co_filename)


def frames(traceback: TracebackType | None) -> Iterator[tuple[FrameType, int]]:
    """``(frame, lasti)`` of a traceback, outermost first."""
    while traceback is not None:
        yield traceback.tb_frame, traceback.tb_lasti
        traceback = traceback.tb_next


def users_frames(traceback: TracebackType | None) -> list[tuple[FrameType, int]]:
    """The frames of a traceback that the user wrote, outermost first."""
    return [(frame, lasti) for frame, lasti in frames(traceback) if is_users(frame.f_code)]
