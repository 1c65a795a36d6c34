"""The tape as a view: its snapshot, its sentence and its text form.

Called by ``ts.tape``. Invariant: a snapshot is small (statistics, not tensors) and holds no reference to the tape.
"""

from __future__ import annotations

from typing import Any

from ..autograd import Tensor
from ..nn import Module
from . import numbers
from .namespace import name_of, parameter_names, tensor_names
from .nodes import Draft, Facts, draft
from .sites import Site
from .views import View, place, signature

NOTHING = "Nothing is on the tape yet: compute something from tensors with requires_grad, then call ts.tape(loss)."
NO_STEP = "No step was seen yet: the tape shows when loss.backward() runs."


def message_of(made: Draft, step: int | None = None) -> dict[str, Any]:
    """The snapshot's own part, from the gathered rows."""
    sentence, sites = _sentence(made)
    return {
        "step": step,
        "sentence": sentence,
        "sentence_sites": sites,
        "nodes": made.rows,
        "edges": made.edges,
        "scopes": made.rooms.used(made.rows),
        "folded": made.folded,
        "saved_bytes": made.saved,
    }


def _sentence(made: Draft) -> tuple[str, list[dict[str, Any]]]:
    operations = [row for row in made.rows if row["kind"] == "op"]
    if not operations:
        return NOTHING, []
    largest = max(operations, key=lambda row: row["saved"])
    sites = []
    count = numbers.plural(len(operations) + made.folded, "operation")
    if made.saved == 0:
        text = f"{count}, nothing saved for backward"
    else:
        text = f"{count} {'keeps' if len(operations) == 1 else 'keep'} {numbers.size(made.saved)} for backward"
        if len(operations) > 1:
            text += f", {largest['label']} the most ({numbers.size(largest['saved'])})"
        if largest["site"] is not None:
            text += f" at {largest['site']['text']}"
            sites.append(largest["site"])
    flow = _flow(made.rows)
    fold = f" {made.folded:,} nodes in the middle are folded." if made.folded else ""
    bad = _nonfinite(made.rows)
    if bad is not None:
        row, what = bad
        sites = [row["site"]] if row["site"] else []
        where = f" at {row['site']['text']}" if row["site"] else ""
        return f"The {what} of {row['name'] or row['label']} is not finite{where}; {text}.{fold}", sites
    return f"{text}{flow}.{fold}", sites


def _nonfinite(rows: list[dict[str, Any]]) -> tuple[dict[str, Any], str] | None:
    for what in ("value", "grad"):
        for row in rows if what == "value" else reversed(rows):
            if row[what] is not None and row[what]["nonfinite"]:
                return row, "value" if what == "value" else "gradient"
    return None


def _flow(rows: list[dict[str, Any]]) -> str:
    """How the gradient changes on its way back to the first parameter."""
    seen = [row for row in rows if row["kind"] == "parameter" and row["grad"] and row["grad"]["norm"]]
    if len(seen) < 2:
        return ""
    first = seen[0]
    last = next((row for row in reversed(seen) if row["label"] == first["label"]), seen[-1])
    if last is first:
        return ""
    ratio = last["grad"]["norm"] / first["grad"]["norm"]
    if 0.5 < ratio < 2:
        return ""  # nothing to tell
    verb = "falls" if ratio >= 1 else "grows"
    times = numbers.number(max(ratio, 1 / ratio))
    return f"; the gradient norm {verb} {times}-fold from {last['name']} to {first['name']}"


class TapeView(View):
    """The tape of one value, or live the tape of the current step.

    Attributes:
        nodes, edges, scopes: what was computed, in tape order.
        saved_bytes: what the tape keeps for backward, bytes.
    """

    kind = "tape"
    waiting = NOTHING

    def empty(self) -> dict[str, Any]:
        """The message before anything was seen."""
        rows: dict[str, Any] = {"nodes": [], "edges": [], "scopes": [], "folded": 0, "saved_bytes": 0}
        return {"step": None, "sentence": self.waiting, "sentence_sites": [], **rows}

    def body(self, message: dict[str, Any]) -> list[str]:
        """One row per node."""
        rows = []
        for row in message["nodes"]:
            mark = {"op": "", "parameter": "▭ ", "input": "→ "}[row["kind"]]
            counted = row["dtype"].startswith(("int", "uint", "bool"))  # labels and masks: a norm says nothing
            value, grad = (row[what] and row[what]["norm"] for what in ("value", "grad"))
            value = None if counted else value
            saved = numbers.size(row["saved"]) if row["saved"] else ""
            rows.append([
                mark + (row["name"] or row["label"]), row["scope"], signature(row), saved,
                numbers.number(value), numbers.number(grad), place(row["site"]),
            ])  # fmt: skip
        head = ["node", "in", "gives", "saved", "‖value‖", "‖grad‖", "made at"]
        return numbers.table(head, rows, right=(3, 4, 5))


def facts_from(names: dict[str, Any], model: Module | None = None, sample: int | None = None) -> Facts:
    """What the user's names say about a tape."""
    return Facts(names, parameter_names(names, model), tensor_names(names), sample=sample)


def tape_of(tensor: Tensor, names: dict[str, Any], site: Site | None) -> TapeView:
    """The tape behind a tensor, seen once."""
    view = TapeView(name_of(tensor, names) or "a tensor", site)
    view.show(message_of(draft(tensor, facts_from(names))))
    return view
