"""An error as a view: what failed, where in the user's code, with which operands, and what to try.

Called by the notebook's traceback, and by tests. Invariant: nothing of the exception is lost: the message is given in
full, causes and notes are kept, and the folded library frames are counted.
"""

from __future__ import annotations

import linecache
from dataclasses import dataclass
from types import CodeType, FrameType
from typing import Any

from ..autograd.node import Leaf, Node
from ..errors import inside_package, users_site
from ..nn import Module
from . import numbers
from .sites import Site, frames, is_users, position, resolvers, site_at, site_of_node, site_of_pair

AROUND = 2  # lines shown before and after a culprit
VERSION = 1


@dataclass(frozen=True, slots=True)
class Culprit:
    """A line of the user's that is involved: its role, its place, and the lines around it as ``(number, text)``."""

    role: str
    site: Site
    function: str
    around: tuple[tuple[int, str], ...]

    def as_dict(self) -> dict[str, Any]:
        """As plain data."""
        around = [list(pair) for pair in self.around]
        return {"role": self.role, "site": self.site.as_dict(), "function": self.function, "around": around}


@dataclass(frozen=True, slots=True)
class Fault:
    """One exception of a chain, as it is shown.

    Args:
        kind, message, hint: the class, ``str(error)`` and what to try.
        culprits: the user's lines, the most important first.
        operands: ``name, shape, dtype, axis, made`` of each tensor involved.
        folded: how many frames that are not the user's were left out.
        notes: what was added with ``add_note``.
        link: how this error led to the one shown after it, or None.
    """

    kind: str
    message: str
    hint: str | None
    culprits: tuple[Culprit, ...]
    operands: tuple[dict[str, Any], ...]
    folded: int
    notes: tuple[str, ...]
    link: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """The snapshot."""
        return {
            "v": VERSION, "view": "error", "kind": self.kind, "sentence": self.message, "hint": self.hint,
            "culprits": [culprit.as_dict() for culprit in self.culprits], "operands": list(self.operands),
            "folded": self.folded, "notes": list(self.notes), "link": self.link,
        }  # fmt: skip

    def text(self) -> str:
        """The fault in a terminal."""
        return "\n".join(lines_of(self))


def passes_through(error: BaseException) -> bool:
    """Whether an exception came through the package, so that this view can say more than a plain traceback."""
    return any(inside_package(frame.f_code) for frame, _ in frames(error.__traceback__))


def chain(error: BaseException) -> list[tuple[BaseException, str | None]]:
    """The exceptions that led to ``error``, oldest first, each with how it led to the next."""
    found: list[tuple[BaseException, str | None]] = [(error, None)]
    seen = {id(error)}
    while True:
        last = found[-1][0]
        if last.__cause__ is not None:
            older, link = last.__cause__, "The above exception was the direct cause of the following exception:"
        elif last.__context__ is not None and not last.__suppress_context__:
            older, link = last.__context__, "During handling of the above exception, another exception occurred:"
        else:
            break
        if id(older) in seen:
            break
        seen.add(id(older))
        found.append((older, link))
    return found[::-1]


def faults_of(error: BaseException) -> list[Fault]:
    """The whole chain, oldest first."""
    return [fault_of(one, link) for one, link in chain(error)]


def fault_of(error: BaseException, link: str | None = None) -> Fault:
    """One exception."""
    everything = list(frames(error.__traceback__))
    while everything and not is_users(everything[0][0].f_code):
        everything.pop(0)  # what runs a cell or a test is nobody's news
    mine = _users(everything)
    role = "needed at" if getattr(error, "sites", ()) else ""
    culprits = [_culprit("called" if i else role, frame.f_code, lasti) for i, (frame, lasti) in enumerate(mine[::-1])]
    first = [_culprit(role, *users_site(code, lasti, tag)) for role, code, lasti, tag in getattr(error, "sites", ())]
    owners = _owners(everything) if getattr(error, "operands", ()) else {}
    operands = tuple(_operand(operand, owners) for operand in getattr(error, "operands", ()) or ())
    notes = tuple(str(note) for note in getattr(error, "__notes__", ()))
    hint = getattr(error, "hint", None)
    folded = len(everything) - len(mine)
    return Fault(
        type(error).__name__, _message(error), hint if isinstance(hint, str) else None,
        tuple(_once([*first, *culprits])), operands, folded, notes, link,
    )  # fmt: skip


def _users(everything: list[tuple[FrameType, int]]) -> list[tuple[FrameType, int]]:
    """The user's frames, less those that only hand a cell's body to a magic."""
    mine = []
    for (frame, lasti), following in zip(everything, [*everything[1:], None], strict=False):
        handed = following is not None and following[0].f_code.co_name == "run_cell_magic"
        if is_users(frame.f_code) and not handed:
            mine.append((frame, lasti))
    return mine


def _owners(everything: list[tuple[FrameType, int]]) -> dict[int, tuple[str, Module]]:
    """``id(parameter) -> (name, module)`` for the modules that the error passed through."""
    found: dict[int, tuple[str, Module]] = {}
    for frame, _ in everything:
        module = frame.f_locals.get("self") if frame.f_code.co_varnames[:1] == ("self",) else None
        if isinstance(module, Module):
            for name, parameter in module._parameters.items():
                if parameter is not None:
                    found[id(parameter)] = (name, module)
    return found


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return "<the exception's own text could not be made>"


def _once(culprits: list[Culprit]) -> list[Culprit]:
    """Each line once; the first role it has is the one that matters."""
    seen: dict[tuple[str, str], Culprit] = {}
    for culprit in culprits:
        seen.setdefault((culprit.site.text, culprit.role if culprit.role not in ("", "called") else ""), culprit)
    return list(seen.values())


def _operand(operand: dict[str, Any], owners: dict[int, tuple[str, Module]]) -> dict[str, Any]:
    edge = operand.get("edge")
    node = getattr(edge, "node", edge)
    site, made = None, None
    if isinstance(node, Node):
        site, made = site_of_node(node), _made_by(node)
    elif isinstance(node, Leaf) and (tensor := node.tensor()) is not None:
        site = site_of_pair(tensor._site)
        if id(tensor) in owners:
            module = owners[id(tensor)][1]
            site, made = site or site_of_pair(getattr(module, "_site", None)), repr(module).partition("\n")[0]
    return {
        "name": str(operand.get("name", "")), "shape": list(operand.get("shape", ())),
        "dtype": str(operand.get("dtype", "")), "axis": operand.get("axis"), "made": made,
        "site": site and site.as_dict(),
    }  # fmt: skip


def _made_by(node: Any) -> str:
    """The last ops before an operand: ``flatten ← relu ← linear``."""
    names: list[str] = []
    while node is not None and getattr(node, "op", None) is not None and len(names) < 3:
        names.append(node.op.name)
        edges = [getattr(edge, "node", edge) for edge in node.edges if edge is not None]
        node = next((edge for edge in edges if getattr(edge, "op", None) is not None), None)
    return " ← ".join(names)


def _culprit(role: str, code: CodeType, lasti: int) -> Culprit:
    line = position(code, lasti).line
    site = site_at(code, line)
    shift = site.line - line
    name = code.co_name
    return Culprit(role, site, "" if name == "<module>" else name, tuple(_around(code, line, shift)))


def _around(code: CodeType, line: int, shift: int) -> list[tuple[int, str]]:
    """The lines around one, numbered as the site numbers them."""
    source = linecache.getlines(code.co_filename)
    if not source:
        return _resolved_around(code, line)
    low, high = max(1, line - AROUND), min(len(source), line + AROUND)
    return [(number + shift, source[number - 1].rstrip("\n")) for number in range(low, high + 1)]


def _resolved_around(code: CodeType, line: int) -> list[tuple[int, str]]:
    rows = []
    for number in range(max(1, line - AROUND), line + AROUND + 1):
        for resolve in resolvers:
            found = resolve(code, number)
            if found is not None and found.source:
                rows.append((found.line, found.source))
                break
    return rows


# -- text ----------------------------------------------------------------------------------------------------------


class Plain:
    """How the parts of the text are marked; the notebook's version of it knows colours."""

    def head(self, text: str) -> str:
        """The error's class."""
        return text

    def place(self, text: str) -> str:
        """A place."""
        return text

    def culprit(self, text: str) -> str:
        """The culprit's line."""
        return text

    def faint(self, text: str) -> str:
        """What is there for completeness."""
        return text

    def wrong(self, text: str) -> str:
        """The axis that does not fit."""
        return text


def lines_of(fault: Fault, paint: Plain | None = None) -> list[str]:
    """The text of a fault: one sentence, the culprit, the operands, the other lines, what was folded, the notes."""
    paint = paint or Plain()
    lines = [f"{paint.head(fault.kind)}: {fault.message}", ""]
    for culprit in fault.culprits:
        lines += _culprit_lines(culprit, paint)
    if fault.operands:
        lines += [*_operand_lines(fault, paint), ""]
    if fault.folded:
        frames = numbers.plural(fault.folded, "library frame")
        lines.append(paint.faint(f"{frames} folded; %tb shows {'it' if fault.folded == 1 else 'them'}."))
    lines += fault.notes
    while lines and not lines[-1]:
        lines.pop()
    return lines


def _culprit_lines(culprit: Culprit, paint: Plain) -> list[str]:
    site = culprit.site
    where = paint.place(site.text) + (f", in {culprit.function}" if culprit.function else "")
    lines = [f"{culprit.role} {where}" if culprit.role and culprit.role != "called" else where]
    around = culprit.around or ((site.line, site.source),)
    width = max(len(str(number)) for number, _ in around)
    for number, text in around:
        here = number == site.line
        line = f"{'--> ' if here else '    '}{number:>{width}} {text}".rstrip()
        lines.append(paint.culprit(line) if here else line)
    return [*lines, ""]


def _operand_lines(fault: Fault, paint: Plain) -> list[str]:
    rows, marks = [], []
    for operand in fault.operands:
        shape = numbers.shape(operand["shape"])
        made = operand["made"] or ""
        where = operand["site"]["text"] if operand["site"] else ""
        rows.append([operand["name"], shape, numbers.dtype(operand["dtype"]), made, where])
        marks.append(axis_span(operand["shape"], operand["axis"]))
    table = numbers.table(["operand", "shape", "dtype", "made by", "at"], rows)
    start = table[0].index("shape")
    lines = [table[0]]
    for line, mark in zip(table[1:], marks, strict=True):
        if mark is None:
            lines.append(line)
            continue
        left, right = start + mark[0], start + mark[1]
        lines.append(line[:left] + paint.wrong(line[left:right]) + line[right:])
        lines.append(" " * left + paint.wrong("^" * (right - left)))
    return lines


def axis_span(shape: list[int], axis: int | None) -> tuple[int, int] | None:
    """Where in the text of a shape one axis stands."""
    if axis is None or not -len(shape) <= axis < len(shape):
        return None
    axis %= len(shape)
    start = 1 + sum(len(str(length)) + 2 for length in shape[:axis])
    return start, start + len(str(shape[axis]))
