"""Memory: how many bytes in which role over time, who holds them, and which lines made them.

Called by ``ts.memory``: once (a survey of everything alive, nothing switched on beforehand) or live. Invariant: what is
shown was measured; a number that could not be had is left out.
"""

from __future__ import annotations

import time
import weakref
from collections.abc import Mapping
from typing import Any

from ..autograd import Tensor
from ..nn import Module
from ..optim import Optimizer
from . import numbers
from .history import History
from .ledger import MemoryLedger
from .nodes import walk
from .sites import Site
from .survey import ROLES, Survey
from .views import View, place

LEAK = 5  # sampled steps that must each end with more, before it is called a leak


class Growth:
    """Whether every step leaves something behind."""

    def __init__(self) -> None:
        self._ends: list[tuple[int, int]] = []

    def add(self, step: int, total: int) -> None:
        """Note what was alive at the end of a step."""
        if self._ends and total <= self._ends[-1][1]:
            self._ends.clear()
        self._ends.append((step, total))
        del self._ends[: -4 * LEAK]

    @property
    def each(self) -> int:
        """Bytes that a step leaves, or 0."""
        if len(self._ends) < LEAK:
            return 0
        (first, low), (last, high) = self._ends[-LEAK], self._ends[-1]
        return int((high - low) / max(last - first, 1))


class MemoryView(View):
    """Memory by role, holder and line.

    Attributes:
        total, peak: bytes alive now, and the most seen at once.
        budget: the limit to compare with, bytes, or None.
        holders: who holds memory, largest first.
        lines: live bytes by the line that made them.
        history: float32 rows: seconds, then bytes of each role.
    """

    kind = "memory"

    def __init__(self, names: Mapping[str, Any], budget: int | None = None, site: Site | None = None) -> None:
        super().__init__("cpu", site)
        self._namespace = names
        self._budget = budget
        self._peak = 0
        self._began = time.perf_counter()
        self._record = History(1 + len(ROLES), merge="max")
        self._growth = Growth()
        self._ledger = MemoryLedger()
        self._models: weakref.WeakSet[Module] = weakref.WeakSet()
        self._optimizers: list[weakref.ref[Optimizer]] = []
        self._made: list[dict[str, Any]] = []
        self._newest: Survey | None = None

    # -- looking ---------------------------------------------------------------------------------------------------

    def look(self, roots: tuple[Tensor, ...] = (), scan: bool = False) -> Survey:
        """Survey what is alive, and add it to the history."""
        optimizers = [found for reference in self._optimizers if (found := reference()) is not None]
        survey = Survey(self._namespace, roots, list(self._models), optimizers, scan)
        self._peak = max(self._peak, survey.total)
        self._record.add([time.perf_counter() - self._began, *(survey.roles[role] for role in ROLES)])
        self._newest = survey
        return survey

    def meet_models(self, root: Tensor) -> None:
        """Remember, weakly, the models that a tape ran through: no name may hold them here."""
        for node in walk(root, 64):
            tag, outer = node.tag, None
            while tag is not None:
                outer = tag.module if tag.module is not None else outer
                tag = tag.parent
            if outer is not None:
                self._models.add(outer)

    def meet_optimizer(self, optimizer: Optimizer) -> None:
        """Remember an optimizer, weakly."""
        if all(reference() is not optimizer for reference in self._optimizers):
            self._optimizers.append(weakref.ref(optimizer))

    def begin_lines(self) -> None:
        """Attribute what is made from now on to its lines."""
        self._ledger.clear()

    def created(self, tensor: Tensor) -> None:
        """Count a tensor that was just made."""
        self._ledger.created(tensor)

    def keep_lines(self) -> None:
        """Read the lines at the step's fullest moment, when forward has ended."""
        self._made = self._ledger.lines()
        self._ledger.clear()

    def end_step(self, step: int) -> None:
        """Note what the step leaves."""
        self._growth.add(step, self.look().total)

    # -- words -----------------------------------------------------------------------------------------------------

    def message(self, step: int | None = None) -> dict[str, Any]:
        """The snapshot's own part."""
        survey = self._newest
        if survey is None:
            return self.empty()
        holders = [holder.as_dict() for holder in survey.largest()]
        sentence, sites = self._sentence(survey, holders)
        return {
            "step": step, "sentence": sentence, "sentence_sites": sites, "device": "cpu", "total": survey.total,
            "peak": self._peak, "budget": self._budget, "roles": list(ROLES), "columns": self._record.count,
            "holders": holders, "lines": _merge_lines(survey.lines(), self._made),
        }  # fmt: skip

    def frame(self, step: int | None = None) -> None:
        """Show the newest state."""
        self.show(self.message(step), self._record.rows())

    def empty(self) -> dict[str, Any]:
        """The message before anything was seen."""
        return {
            "step": None, "sentence": "Nothing is allocated yet.", "sentence_sites": [], "device": "cpu", "total": 0,
            "peak": 0, "budget": self._budget, "roles": list(ROLES), "columns": 0, "holders": [], "lines": [],
        }  # fmt: skip

    def _sentence(self, survey: Survey, holders: list[dict[str, Any]]) -> tuple[str, list[dict[str, Any]]]:
        trouble = next((holder for holder in holders if holder["trouble"]), None)
        if trouble is not None:
            return self._leak(trouble)
        if survey.total == 0:
            return "No tensor is alive.", []
        role = max(ROLES, key=lambda name: survey.roles[name])
        text = f"{numbers.size(survey.total)} alive, at most {numbers.size(self._peak)} at once; "
        text += f"the largest part is {_SAID[role]} ({numbers.size(survey.roles[role])})"
        if self._budget is not None and self._peak > self._budget:
            text += f"; over the budget of {numbers.size(self._budget)}"
        sites = []
        if holders and holders[0]["site"]:
            sites.append(holders[0]["site"])
            text += f"; the largest holder is {holders[0]['name']}, from {holders[0]['site']['text']}"
        return text + ".", sites

    def _leak(self, holder: dict[str, Any]) -> tuple[str, list[dict[str, Any]]]:
        count = holder["detail"].split(", ")[-1]
        text = f"{holder['name']} keeps {count} alive ({numbers.size(holder['bytes'])})"
        each = self._growth.each
        if each:
            text += f"; each step leaves {numbers.size(each)}"
        if holder["site"]:
            text += f" at {holder['site']['text']}"
        return f"{text}. Keep loss.item() or loss.detach() instead.", [holder["site"]] if holder["site"] else []

    def lines_text(self, message: dict[str, Any]) -> list[str]:
        """Live bytes by line, as a table."""
        rows = [
            [numbers.size(row["bytes"]), f"{row['count']:,}", place(row["site"]), row["site"]["source"][:60]]
            for row in message["lines"]
        ]
        return numbers.table(["bytes", "tensors", "made at", ""], rows, right=(0, 1))

    def body(self, message: dict[str, Any]) -> list[str]:
        """Roles, holders, lines."""
        roles = self._newest.roles if self._newest is not None else dict.fromkeys(ROLES, 0)
        budget = "" if message["budget"] is None else f", budget {numbers.size(message['budget'])}"
        head = f"{numbers.size(message['total'])} alive, peak {numbers.size(message['peak'])}{budget}"
        split = numbers.table(["role", "bytes"], [[role, numbers.size(roles[role])] for role in ROLES], right=(1,))
        rows = [
            [
                ("! " if row["trouble"] else "") + row["name"],
                row["detail"],
                numbers.size(row["bytes"]),
                place(row["site"]),
            ]
            for row in message["holders"]
        ]
        held = numbers.table(["held by", "", "bytes", "made at"], rows, right=(2,))
        parts = [[head], split, held, self.lines_text(message)]
        return [line for part in parts if part for line in [*part, ""]][:-1]


_SAID = {
    "parameters": "parameters", "gradients": "gradients", "optimizer": "the optimizer's state",
    "saved": "values saved for backward", "other": "other tensors",
}  # fmt: skip


def _merge_lines(found: list[dict[str, Any]], made: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Lines of what a survey saw, and of what the sampled step made; the larger number of each line counts."""
    merged = {row["site"]["text"]: row for row in made}
    for row in found:
        other = merged.get(row["site"]["text"])
        if other is None or row["bytes"] > other["bytes"]:
            merged[row["site"]["text"]] = row
    return sorted(merged.values(), key=lambda row: -row["bytes"])[:12]


def memory_now(names: Mapping[str, Any], budget: int | None, site: Site | None) -> MemoryView:
    """Everything alive, seen once."""
    view = MemoryView(names, budget, site)
    view.look(scan=True)
    view.frame()
    view._namespace = {}  # a view keeps nothing alive
    return view
