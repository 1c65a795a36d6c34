"""What each live view looks at during a sampled step.

Called by the conductor, phase by phase. Invariant: between sampled steps a probe holds no tensor and no node.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..autograd import Tensor
from ..autograd.node import Leaf, Node
from ..nn import Module
from . import numbers
from .gradients_view import GradientsView
from .memory_view import MemoryView
from .namespace import parameter_names, tensor_names
from .nodes import Draft, Facts, draft, runs_through, source_of, walk
from .numbers import SAMPLE, Stats
from .sites import Site
from .tape_view import NO_STEP, TapeView, message_of
from .views import View

FRAME = 0.2  # s between frames of one view: five a second
LIVE_WALK = 20_000  # nodes that a live view follows


class Probe:
    """The live half of a view.

    Attributes:
        needs: which per-node events the probe listens to in a sampled step.
        interval: seconds between samples, at least.
        refreshes: whether there is something new to see when a loop has ended.
    """

    needs: frozenset[str] = frozenset()
    interval = FRAME
    refreshes = False

    def __init__(self, view: View) -> None:
        self.view = view
        self.sampled_at = self.framed_at = float("-inf")
        self.frames = 0  # in this run
        self.began_at = 0  # the conductor's step when the view was made
        self.unshown = False  # whether a sample came after the last frame
        self.cost = 0.002  # s for a sampled step, running mean
        self.warm = False  # whether it has looked before: the first look of all is cold, and tells little
        self.step_cost = 0.0  # s in this one
        self.purse = 0.0  # s that this probe may spend: views share the budget evenly

    def gone(self) -> bool:
        """Whether what is watched no longer exists."""
        return False

    def begin(self) -> None:
        """A sampled step begins: forward comes next."""

    def recorded(self, node: Node, tensor: Tensor, elapsed: float) -> None:
        """An op was recorded; ``elapsed`` seconds since the one before."""

    def created(self, tensor: Tensor) -> None:
        """A tensor was made."""

    def concerns(self, root: Tensor) -> bool:
        """Whether this backward is about what is watched; if not, the probe waits for one that is."""
        return True

    def before_backward(self, root: Tensor) -> None:
        """Forward has ended."""

    def node_done(self, node: Node, grads: Any) -> None:
        """Backward has passed a node."""

    def after_backward(self, root: Tensor) -> None:
        """Backward has ended."""

    def before_step(self, optimizer: Any) -> None:
        """The optimizer is about to move the weights."""

    def after_step(self, optimizer: Any) -> None:
        """It has moved them."""

    def finish(self, step: int, frame: bool) -> None:
        """The sampled step is over; with ``frame`` show it."""

    def flush(self) -> None:
        """Show the last sample: the loop has ended."""

    def drop(self) -> None:
        """Give up the step and let go of everything that belongs to it."""


class TapeProbe(Probe):
    """The tape of the current step: values forward, gradients backward."""

    needs = frozenset({"recorded", "node_done"})

    def __init__(self, view: LiveTape) -> None:
        super().__init__(view)
        self.tape = view
        self.drop()

    def gone(self) -> bool:
        """Whether the model is gone."""
        return self.tape.gone()

    def concerns(self, root: Tensor) -> bool:
        """Whether the tape runs through the model."""
        return self.tape.model is None or runs_through(root, self.tape.model)

    def drop(self) -> None:
        """Let go of the step."""
        self.values: dict[int, Stats | None] = {}
        self.times: dict[int, float] = {}
        self.grads: dict[int, Stats | None] = {}
        self.sums: dict[int, tuple[np.ndarray, int]] = {}
        self.fans: dict[int, int] = {}
        self.rows: dict[int, dict[str, Any]] = {}
        self.message: dict[str, Any] | None = None
        self.made: Draft | None = None

    def begin(self) -> None:
        """Start clean."""
        self.drop()

    def recorded(self, node: Node, tensor: Tensor, elapsed: float) -> None:
        """Look at a value when it is made: nothing needs to be kept for later."""
        if len(self.values) < LIVE_WALK:
            self.values[node.seq] = numbers.stats(tensor._array, SAMPLE)
            self.times[node.seq] = elapsed * 1e6

    def before_backward(self, root: Tensor) -> None:
        """Take the tape while it is whole."""
        names, model = self.tape.names, self.tape.model
        facts = Facts(
            names, parameter_names(names, model), tensor_names(names),
            values=self.values, times=self.times, accumulated=False,
        )  # fmt: skip
        made = draft(root, facts, model, LIVE_WALK)
        self.made = made
        nodes = walk(root, LIVE_WALK)
        self.rows = {}
        for node in nodes:
            if id(node) in made.ids:
                self.rows[node.seq] = made.rows[made.ids[id(node)]]
            for edge in node.edges:
                source = source_of(edge)
                if source is None:
                    continue
                key = _key(source)
                self.fans[key] = self.fans.get(key, 0) + 1
                if type(source) is Leaf and id(source) in made.ids:
                    self.rows[key] = made.rows[made.ids[id(source)]]
        if type(root._edge) is Node:
            self.grads[root._edge.seq] = numbers.stats(np.ones_like(root._array), SAMPLE)

    def node_done(self, node: Node, grads: Any) -> None:
        """Gradients of a node's inputs; those of a value used twice are added up first."""
        for edge, grad in zip(node.edges, grads, strict=False):
            source = source_of(edge)
            array = getattr(grad, "_array", grad)
            if source is None or not isinstance(array, np.ndarray):
                continue
            key = _key(source)
            if self.fans.get(key, 1) == 1:
                self.grads[key] = numbers.stats(array, SAMPLE)
                continue
            total, count = self.sums.pop(key, (None, 0))
            total = array.copy() if total is None else total + array
            if count + 1 == self.fans[key]:
                self.grads[key] = numbers.stats(total, SAMPLE)
            else:
                self.sums[key] = (total, count + 1)

    def after_backward(self, root: Tensor) -> None:
        """Write the gradients into the rows; what is left refers to no tensor."""
        for key, (total, _) in self.sums.items():
            self.grads[key] = numbers.stats(total, SAMPLE)
        self.sums.clear()
        for key, found in self.grads.items():
            if key in self.rows and found is not None:
                self.rows[key]["grad"] = found.as_dict()
        if self.made is not None:
            self.message = message_of(self.made)
        self.made = None

    def finish(self, step: int, frame: bool) -> None:
        """Show the step."""
        message = self.message
        self.drop()
        if message is not None and frame:
            self.view.show({**message, "step": step})


def _key(source: Any) -> int:
    return source.seq if type(source) is Node else -id(source)


class LiveTape(TapeView):
    """The tape of the current step; the model, if one is given, is held weakly."""

    waiting = NO_STEP

    def __init__(self, model: Module | None, names: Mapping[str, Any], title: str, site: Site | None) -> None:
        super().__init__(title, site)
        self._namespace = names
        self._model = None if model is None else weakref.ref(model)

    @property
    def names(self) -> Mapping[str, Any]:
        """The user's names."""
        return self._namespace

    @property
    def model(self) -> Module | None:
        """The watched model."""
        return None if self._model is None else self._model()

    def gone(self) -> bool:
        """Whether a model was given that no longer exists."""
        return self._model is not None and self._model() is None


class GradientsProbe(Probe):
    """Gradient norms after backward, updates around the optimizer's step."""

    interval = 0.04  # the history wants more points than frames are shown

    def __init__(self, view: GradientsView) -> None:
        super().__init__(view)
        self.gradients = view
        self.loss: float | None = None

    def gone(self) -> bool:
        """Whether the model is gone."""
        return self.gradients.model is None

    def concerns(self, root: Tensor) -> bool:
        """Whether the loss depends on the model."""
        model = self.gradients.model
        return model is not None and runs_through(root, model)

    def before_backward(self, root: Tensor) -> None:
        """Backward began at a loss, if at a scalar."""
        self.loss = float(root._array.item()) if root._array.size == 1 and root._array.dtype.kind == "f" else None

    def after_backward(self, root: Tensor) -> None:
        """Read the gradients; read again before the optimizer's step, should something change them."""
        self.gradients.measure_gradients(self.loss)

    def before_step(self, optimizer: Any) -> None:
        """Remember the weights."""
        if self.gradients.watches(optimizer):
            self.gradients.keep_weights()

    def after_step(self, optimizer: Any) -> None:
        """Measure how far they moved."""
        if self.gradients.watches(optimizer):
            self.gradients.measure_updates()

    def finish(self, step: int, frame: bool) -> None:
        """Add a column, and show it."""
        self.gradients.finish(step)
        if frame:
            self.gradients.frame()

    def flush(self) -> None:
        """Show the last column."""
        self.gradients.frame()


class MemoryProbe(Probe):
    """Bytes at the step's fullest moment and at its end."""

    needs = frozenset({"created"})
    refreshes = True

    def __init__(self, view: MemoryView) -> None:
        super().__init__(view)
        self.memory = view
        self.step: int | None = None

    def begin(self) -> None:
        """Count from here on which line makes what."""
        self.memory.begin_lines()

    def created(self, tensor: Tensor) -> None:
        """Count a new tensor."""
        self.memory.created(tensor)

    def before_backward(self, root: Tensor) -> None:
        """Forward has ended: this is where most is alive."""
        self.memory.meet_models(root)
        self.memory.keep_lines()
        self.memory.look((root,))

    def before_step(self, optimizer: Any) -> None:
        """Meet the optimizer."""
        self.memory.meet_optimizer(optimizer)

    def finish(self, step: int, frame: bool) -> None:
        """See what the step leaves, and show it."""
        self.memory.end_step(step)
        self.step = step
        if frame:
            self.memory.frame(step)

    def flush(self) -> None:
        """Show what is left when the loop has ended."""
        self.memory.look()
        self.memory.frame(self.step)

    def drop(self) -> None:
        """Stop following what was made."""
        self.memory.begin_lines()
