"""``%tape``, ``%grads`` and ``%mem``: thin shells over the functions.

Called by IPython. Invariant: a magic never guesses between two things: it takes the obvious one, or says what to type.
"""

from __future__ import annotations

import sys
from typing import Any

from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_magic, magics_class
from IPython.core.magic_arguments import argument, magic_arguments, parse_argstring

from ..autograd import Tensor
from ..observe import View, api
from ..observe.namespace import modules_in
from ..observe.sites import is_users


@magics_class
class TapescopeMagics(Magics):
    """The magics of ``%load_ext tapescope``."""

    def _names(self) -> dict[str, Any]:
        return dict(self.shell.user_ns)

    def _only_model(self, magic: str) -> Any:
        models = modules_in(self._names())
        parts = {id(part) for model in models.values() for part in model.modules() if part is not model}
        models = {name: model for name, model in models.items() if id(model) not in parts}
        if len(models) == 1:
            return next(iter(models.values()))
        if not models:
            raise UsageError(
                f"%{magic}: there is no model yet. Make one (net = nn.Sequential(...)), then %{magic} net."
            )
        raise UsageError(f"%{magic}: which model? Type one of: " + ", ".join(f"%{magic} {name}" for name in models))

    def _evaluate(self, text: str) -> Any:
        return self.shell.ev(text)

    @line_magic
    def tape(self, line: str) -> View:
        """The tape of a value: ``%tape loss``; of the running step: ``%tape net``; alone: of ``loss``."""
        text = line.strip()
        value = self._evaluate(text) if text else self._loss()
        return api.open_tape(value, None, _caller(), {**self._names(), **_label(text, value)})

    def _loss(self) -> Tensor:
        names = self._names()
        found = {n: v for n, v in names.items() if isinstance(v, Tensor) and not v.is_leaf and not n.startswith("_")}
        if isinstance(found.get("loss"), Tensor):
            return found["loss"]
        if len(found) == 1:
            return next(iter(found.values()))
        if not found:
            raise UsageError("%tape: nothing is on the tape yet. Compute a loss, then %tape loss.")
        raise UsageError("%tape: which value? Type one of: " + ", ".join(f"%tape {name}" for name in found))

    @line_magic
    def grads(self, line: str) -> View:
        """Gradients of a model while it trains: ``%grads net``; alone: of the only model."""
        text = line.strip()
        model = self._evaluate(text) if text else self._only_model("grads")
        return api.open_watch(model, _caller(), {**self._names(), **_label(text, model)})

    @magic_arguments()
    @argument("--live", action="store_true", help="follow the loop that runs next")
    @argument("--budget", default=None, help="bytes to compare with: 64MiB, 2e9")
    @line_magic
    def mem(self, line: str) -> View:
        """Who holds memory now: ``%mem``; while a loop runs: ``%mem --live``."""
        options = parse_argstring(self.mem, line)
        budget = None if options.budget is None else parse_size(options.budget)
        return api.open_memory(options.live, budget, _caller(), self._names())


def _label(text: str, value: Any) -> dict[str, Any]:
    """What was typed names the value, where no variable does."""
    return {text: value} if text and not text.startswith("_") else {}


def parse_size(text: str) -> int:
    """Bytes of ``64MiB``, ``1.5 GB`` or a plain number."""
    units = {"kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "kb": 1000, "mb": 10**6, "gb": 10**9, "b": 1, "": 1}
    text = text.strip().lower()
    number = text.rstrip("kmgib ")
    try:
        return int(float(number) * units[text[len(number) :].strip()])
    except (KeyError, ValueError):
        raise UsageError(f"%mem: --budget {text!r} is not a size. Try 64MiB.") from None


def _caller() -> Any:
    """The cell's frame, below IPython's own."""
    frame: Any = sys._getframe(1)
    while frame is not None and not is_users(frame.f_code):
        frame = frame.f_back
    return frame
