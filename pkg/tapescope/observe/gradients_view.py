"""Gradients of a model, step after step: how large they are, and how far each step moves the weights.

Called by ``ts.watch``. Invariant: the model is held weakly and only read; a step that is not sampled costs nothing here.
"""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np

from ..nn import Module, Parameter
from . import numbers
from .history import History
from .numbers import finite_or_none, norm
from .sites import Site, site_of_pair
from .views import View, place

VANISHING = 1e-7  # of the median gradient norm
EXPLODING = 1e3  # times the largest norm that the run began with, and of the median
WAITING = "No gradient has arrived yet: it shows after loss.backward()."


def statuses(norms: list[float | None], frozen: list[bool], start: list[float | None]) -> list[str]:
    """One word per parameter: ok, vanishing, exploding, nonfinite, none (no gradient arrived) or frozen.

    Args:
        norms: gradient norms, None where there is no gradient.
        frozen: whether the parameter does not require a gradient.
        start: the norms of the first sampled steps, to tell an explosion from a loss that is simply large.
    """
    usable = [value for value in norms if value is not None and np.isfinite(value) and value > 0]
    median = float(np.median(usable)) if usable else 0.0
    words = []
    for value, is_frozen, first in zip(norms, frozen, start, strict=True):
        if is_frozen:
            words.append("frozen")
        elif value is None:
            words.append("none")
        elif not np.isfinite(value):
            words.append("nonfinite")
        elif value < VANISHING * median or (value == 0 and median > 0):
            words.append("vanishing")
        elif first is not None and value > EXPLODING * max(first, 1e-3):
            words.append("exploding")
        else:
            words.append("ok")
    return words


class Sample:
    """The numbers of one step, gathered between backward and the end of the optimizer's step."""

    __slots__ = ("before", "frozen", "loss", "norms", "updates")

    def __init__(self, loss: float | None) -> None:
        self.loss = loss
        self.norms: list[float | None] = []
        self.frozen: list[bool] = []
        self.before: list[np.ndarray] = []
        self.updates: list[float | None] = []


class GradientsView(View):
    """Gradient and update norms of a model's parameters.

    Attributes:
        parameters: name, shape, norm, update and status of each.
        loss: the last sampled loss, where backward began at a scalar.
        history: float32 rows: step, loss, norm of each parameter, update of each parameter.
    """

    kind = "gradients"

    def __init__(self, model: Module, name: str | None, site: Site | None = None) -> None:
        super().__init__(name or type(model).__name__, site)
        self._model = weakref.ref(model)
        found = list(model.named_parameters())
        self._names = [name for name, _ in found]
        self._parameters = [weakref.ref(parameter) for _, parameter in found]
        self._ids = {id(parameter) for _, parameter in found}
        owners = {name: owner for owner, module in model.named_modules() for name in _owned(owner, module)}
        modules = dict(model.named_modules())
        self._sites = [self._made_at(parameter, modules.get(owners.get(name, ""))) for name, parameter in found]
        self._shapes = [list(parameter._array.shape) for _, parameter in found]
        self._record = History(2 + 2 * len(found))
        self._first_step: int | None = None
        self._last_step = 0
        self._start: list[float | None] = [None] * len(found)
        self._since: dict[int, int] = {}
        self._sample: Sample | None = None
        self._last: Sample | None = None

    @staticmethod
    def _made_at(parameter: Parameter, owner: Module | None) -> dict[str, Any] | None:
        site = site_of_pair(getattr(parameter, "_site", None)) or site_of_pair(getattr(owner, "_site", None))
        return None if site is None else site.as_dict()

    @property
    def model(self) -> Module | None:
        """The watched model, or None once it is gone."""
        return self._model()

    # -- one sampled step --------------------------------------------------------------------------------------

    def watches(self, optimizer: Any) -> bool:
        """Whether an optimizer moves any of this model's parameters."""
        return any(id(p) in self._ids for group in optimizer.param_groups for p in group["params"])

    def measure_gradients(self, loss: float | None) -> None:
        """Read the gradients as backward (and whatever came after it, such as clipping) left them."""
        sample = self._sample = Sample(loss)
        for reference in self._parameters:
            parameter = reference()
            grad = None if parameter is None else parameter.grad
            sample.frozen.append(parameter is not None and not parameter.requires_grad)
            sample.norms.append(None if grad is None else norm(grad._array))

    def keep_weights(self) -> None:
        """Copy the weights, to see how far the optimizer moves them."""
        if self._sample is not None:
            held = (reference() for reference in self._parameters)
            self._sample.before = [np.empty(0) if p is None else p._array.copy() for p in held]

    def measure_updates(self) -> None:
        """Norm of the change over norm of the weight, after the optimizer's step."""
        if self._sample is None:
            return
        for reference, old in zip(self._parameters, self._sample.before, strict=False):
            parameter = reference()
            size = norm(old)
            moved = None if parameter is None or size == 0 else norm(parameter._array - old) / size
            self._sample.updates.append(moved)
        self._sample.before = []

    def finish(self, step: int) -> None:
        """Add the sampled step to the history."""
        sample, self._sample = self._sample, None
        if sample is None:
            return
        if not sample.updates and self._last is not None:
            sample.updates = self._last.updates  # a step of several backward passes: the optimizer came later
        self._last = sample
        self._first_step = step if self._first_step is None else self._first_step
        self._last_step = step
        self._start = [
            _larger(a, b) if self._record.count < 5 else a for a, b in zip(self._start, sample.norms, strict=True)
        ]
        updates = sample.updates or [None] * len(sample.norms)
        row = [float(step), sample.loss, *sample.norms, *updates]
        self._record.add([np.nan if value is None else np.inf if np.isnan(value) else value for value in row])

    def message(self) -> dict[str, Any]:
        """The snapshot's own part."""
        last = self._last
        if last is None:
            return self.empty()
        words = statuses(last.norms, last.frozen, self._start)
        updates = last.updates or [None] * len(words)
        for index, word in enumerate(words):
            if word in ("vanishing", "exploding", "nonfinite"):
                self._since.setdefault(index, self._last_step)
            else:
                self._since.pop(index, None)
        rows = [
            {
                "name": self._names[i], "shape": self._shapes[i], "norm": finite_or_none(last.norms[i]),
                "update": finite_or_none(updates[i]), "status": words[i], "site": self._sites[i],
            }
            for i in range(len(words))
        ]  # fmt: skip
        sentence, sites = self._sentence(rows)
        return {
            "step": self._last_step, "sentence": sentence, "sentence_sites": sites, "parameters": rows,
            "columns": self._record.count, "first_step": self._first_step or 0, "last_step": self._last_step,
            "loss": finite_or_none(last.loss),
        }  # fmt: skip

    def frame(self) -> None:
        """Show the newest state."""
        self.show(self.message(), self._record.rows())

    # -- words -------------------------------------------------------------------------------------------------

    def empty(self) -> dict[str, Any]:
        """The message before anything was seen."""
        rows = [
            {"name": name, "shape": shape, "norm": None, "update": None, "status": "none", "site": site}
            for name, shape, site in zip(self._names, self._shapes, self._sites, strict=True)
        ]
        return {
            "step": None, "sentence": WAITING, "sentence_sites": [], "parameters": rows,
            "columns": 0, "first_step": 0, "last_step": 0, "loss": None,
        }  # fmt: skip

    def _sentence(self, rows: list[dict[str, Any]]) -> tuple[str, list[dict[str, Any]]]:
        for word, say in _TROUBLES.items():
            bad = [i for i, row in enumerate(rows) if row["status"] == word]
            if bad:
                row, more = rows[bad[0]], numbers.plural(len(bad) - 1, "other")
                name = row["name"] + (f" and {more}" if len(bad) > 1 else "")
                verb = "have" if len(bad) > 1 else "has"
                since = f" since step {self._since[bad[0]]:,}" if bad[0] in self._since else ""
                where = f", made at {row['site']['text']}" if row["site"] else ""
                text = f"{name} {verb} {say}{since}{where}."
                return text.replace("NORM", numbers.number(row["norm"])), [row["site"]] if row["site"] else []
        return _healthy(rows), []

    def body(self, message: dict[str, Any]) -> list[str]:
        """One row per parameter."""
        rows = [
            [
                row["name"], numbers.shape(row["shape"]), numbers.number(row["norm"]),
                numbers.number(row["update"]), row["status"], place(row["site"]),
            ]
            for row in message["parameters"]
        ]  # fmt: skip
        head = ["parameter", "shape", "‖grad‖", "update/weight", "status", "made at"]
        loss = [] if message["loss"] is None else [f"loss {numbers.number(message['loss'])}"]
        return [*loss, *numbers.table(head, rows, right=(2, 3))]


_TROUBLES = {
    "nonfinite": "a gradient that is not finite",
    "exploding": "a gradient of norm NORM, a thousand times what the run began with,",
    "vanishing": "a gradient of norm NORM, less than 1e-7 of the median,",
    "none": "no gradient: the loss does not depend on it, or it is detached",
}


def _healthy(rows: list[dict[str, Any]]) -> str:
    with_norm = [row for row in rows if row["norm"] is not None]
    if not with_norm:
        return "All parameters are frozen: none takes a gradient."
    low, high = (pick(with_norm, key=lambda row: row["norm"]) for pick in (min, max))
    text = (
        f"Gradient norms lie between {numbers.number(low['norm'])} ({low['name']}) "
        f"and {numbers.number(high['norm'])} ({high['name']})"
    )
    moved = [row for row in rows if row["update"] is not None]
    if moved:
        most = max(moved, key=lambda row: row["update"])
        text += f"; a step moves {most['name']} by {numbers.number(most['update'])} of its norm"
    return text + "."


def _owned(owner: str, module: Module) -> list[str]:
    return [f"{owner}.{name}" if owner else name for name in module._parameters]


def _larger(a: float | None, b: float | None) -> float | None:
    if a is None or b is None or not np.isfinite(b):
        return b if a is None and b is not None and np.isfinite(b) else a
    return max(a, b)
