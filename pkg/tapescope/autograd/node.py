"""The tape's parts: nodes, leaves, outputs of many-output nodes, and the counter that notices changes in place.

Called by recording (to make them), by the engine (to walk them) and by observers (to look). Invariant: a tensor points
to its node, never a node to its output tensor, so a tape is freed with the last tensor that needs it.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable
from types import CodeType
from typing import TYPE_CHECKING, Any

import numpy as np

from ..ops.record import Op

if TYPE_CHECKING:
    from ..ops.context import Tag
    from .tensor import Tensor

next_sequence = itertools.count(1).__next__


class Node:
    """One recorded operation.

    Attributes:
        op: the record it is an instance of.
        edges: where each tensor input came from: a Node, Output or Leaf; None where no gradient is wanted.
        saved: the values its gradient needs: tensors (inputs), numbers, or an array (its own output); None once freed.
        attrs: the op's attributes.
        shape, dtype: of its output (tuples of them for an op of several outputs).
        seq: its place in the order of recording.
        code, lasti: the call site: code object and offset of the instruction.
        tag: the enclosing module or composite calls, innermost first.
        hooks: callables on the output's gradient, or None.
        counter: that of the output's memory, once something shares or changes it.
    """

    __slots__ = (
        "__weakref__", "attrs", "code", "counter", "dtype", "edges", "hooks", "lasti",
        "op", "saved", "seq", "shape", "tag",
    )  # fmt: skip

    op: Op
    edges: tuple[Edge | None, ...]
    saved: tuple[Any, ...] | None
    attrs: tuple[Any, ...]
    shape: Any
    dtype: Any
    seq: int
    code: CodeType
    lasti: int
    tag: Tag | None
    hooks: list[Callable[..., Any]] | None
    counter: Counter | None

    @property
    def name(self) -> str:
        """The op's name."""
        return self.op.name

    @property
    def next_functions(self) -> tuple[tuple[Edge | None, int], ...]:
        """The nodes that made the inputs, with output numbers, as in PyTorch."""
        return tuple((e.node, e.index) if type(e) is Output else (e, 0) for e in self.edges)

    def saved_arrays(self) -> list[np.ndarray]:
        """The arrays that this node keeps alive for backward."""
        arrays = [getattr(value, "_array", value) for value in self.saved or ()]
        return [a for a in arrays if isinstance(a, np.ndarray)]

    def register_hook(self, hook: Callable[..., Any]) -> Any:
        """Call ``hook(grad)`` with the gradient of the node's output; a returned tensor replaces it."""
        from .handles import RemovableHandle

        if self.hooks is None:
            self.hooks = []
        return RemovableHandle(self.hooks, hook)

    def __repr__(self) -> str:
        return f"<{self.op.name} node {self.seq}>"


class Leaf:
    """Where a gradient ends: a tensor that was not computed. Holds it weakly."""

    __slots__ = ("__weakref__", "dtype", "hooks", "post_hooks", "shape", "tensor")

    seq = 0

    def __init__(self, tensor: Tensor) -> None:
        self.tensor: weakref.ref[Tensor] = weakref.ref(tensor)
        self.shape, self.dtype = tensor._array.shape, tensor._array.dtype
        self.hooks: list[Callable[..., Any]] | None = None
        self.post_hooks: list[Callable[..., Any]] | None = None

    @property
    def name(self) -> str:
        """As PyTorch calls it."""
        return "AccumulateGrad"

    @property
    def variable(self) -> Tensor | None:
        """The leaf tensor, while it lives."""
        return self.tensor()

    def __repr__(self) -> str:
        return f"<leaf {self.shape}>"


class Output:
    """One output of a node that has several."""

    __slots__ = ("dtype", "hooks", "index", "node", "shape")

    def __init__(self, node: Node, index: int, array: np.ndarray) -> None:
        self.node, self.index, self.shape, self.dtype = node, index, array.shape, array.dtype
        self.hooks: list[Callable[..., Any]] | None = None

    @property
    def name(self) -> str:
        """The op's name."""
        return self.node.op.name

    @property
    def seq(self) -> int:
        """The node's place in the order of recording."""
        return self.node.seq

    def __repr__(self) -> str:
        return f"<{self.node.op.name} node {self.node.seq}, output {self.index}>"


Edge = Node | Leaf | Output


class Counter:
    """What shares one piece of memory: a tensor, its views and its detached twins. Made when the first of them is.

    Attributes:
        stamp: sequence number of the last change in place; a value saved before it is stale. No version needs saving.
        count: how many changes there were (``tensor._version``).
        site: code, offset and tag of the last change.
        views: the views, weakly, in the order they were made.
        unfollowed: there may be views that are not in the list, made while the memory was a leaf's.
    """

    __slots__ = ("count", "room", "site", "stamp", "unfollowed", "views")

    def __init__(self) -> None:
        self.stamp = 0
        self.count = 0
        self.site: tuple[CodeType, int, Tag | None] | None = None
        self.views: list[weakref.ref[Tensor]] = []
        self.room = 8
        self.unfollowed = False

    def sweep(self) -> None:
        """Forget the views that are gone; to be called whenever there is no ``room`` left, which then doubles."""
        self.views[:] = [view for view in self.views if view() is not None]
        self.room = max(8, len(self.views))
