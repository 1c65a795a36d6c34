"""The backward pass: from roots down the tape, in descending order of recording, without recursion.

Called by ``Tensor.backward`` and ``autograd.grad``. Invariants: a node is visited once, when all that flows into it has
arrived; gradients leave here un-broadcast and in their input's dtype; what a node saved is freed as it is passed.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heappush
from math import prod
from typing import Any

import numpy as np

from ..errors import GradError, InplaceError, place
from ..ops.reduce import sum as reduce_sum
from . import events
from .node import Edge, Leaf, Node, Output
from .record import asarray, ndarray, wrap
from .state import STATE, Tag

_DONE = events.node_done


def backward(
    roots: Sequence[Any], grads: Sequence[Any], *, retain: bool, create: bool, inputs: Sequence[Edge] | None = None
) -> dict[Edge, Any]:
    """Send ``grads`` down from ``roots`` (edges).

    Args:
        roots: the edges to start from.
        grads: their gradients: arrays, or tensors if ``create``.
        retain: keep what the nodes saved.
        create: compute with tensors, so that the gradients have a tape of their own.
        inputs: collect the gradients of these edges, and visit only what leads to them; else all leaves.

    Returns:
        The gradient of each leaf (or of each of ``inputs``) that was reached.
    """
    wanted = None if inputs is None else _leading_to(roots, inputs)
    found: dict[Edge, Any] = {}
    targets = frozenset(inputs or ())
    pending = _Pending(wanted, targets, found, create)
    for edge, grad in zip(roots, grads, strict=True):
        pending.add(edge, grad)
    while pending.heap:
        node, grad = pending.pop()
        if node.hooks:
            grad = _hooked(node.hooks, grad, create)
        if node in targets:
            found[node] = grad
        if wanted is not None and node not in wanted:
            continue
        below = _vjp(node, grad, create)
        if _DONE:
            for listener in tuple(_DONE):
                listener(node, below)
        for edge, gradient in zip(node.edges, below, strict=True):
            if gradient is not None:
                pending.add(edge, gradient)
        if not retain and node.saved:
            node.saved = None
    for edge in found:
        hooks = getattr(edge, "hooks", None) if type(edge) is Leaf else None
        if hooks:
            found[edge] = _hooked(hooks, found[edge], create)
    return found


class _Pending:
    """The gradients that have arrived at nodes not yet visited, latest node first."""

    __slots__ = ("create", "found", "grads", "heap", "nodes", "own", "targets", "wanted")

    def __init__(
        self, wanted: set[Edge] | None, targets: frozenset[Edge], found: dict[Edge, Any], create: bool
    ) -> None:
        self.heap: list[int] = []
        self.nodes: dict[int, Node] = {}
        self.grads: dict[int, Any] = {}
        self.own: set[Any] = set()  # sums that nobody else holds, so that more can be added in place
        self.wanted, self.targets, self.found, self.create = wanted, targets, found, create

    def add(self, edge: Any, grad: Any) -> None:
        """Let ``grad`` arrive at ``edge``."""
        kind = type(edge)
        if kind is Leaf:
            if self.wanted is None or edge in self.targets:
                self._accumulate(self.found, edge, grad)
            return
        node = edge
        if kind is Output:
            node = edge.node
            if self.wanted is not None and node not in self.wanted and edge not in self.targets:
                return
            self._add_output(edge, grad)
            return
        seq = node.seq
        if seq in self.nodes:
            self._accumulate(self.grads, seq, grad)
        elif self.wanted is None or node in self.wanted or node in self.targets:
            self.nodes[seq] = node
            self.grads[seq] = grad
            heappush(self.heap, -seq)

    def _accumulate(self, into: dict[Any, Any], key: Any, grad: Any) -> None:
        have = into.get(key)
        if have is None:
            into[key] = grad
        elif key in self.own and have.dtype == grad.dtype:
            have += grad
        elif self.create:
            into[key] = have + grad
        else:
            into[key] = asarray(have + grad)  # NumPy makes numbers of 0-d sums, which nothing can be added to in place
            self.own.add(key)

    def _add_output(self, edge: Output, grad: Any) -> None:
        node, seq = edge.node, edge.node.seq
        if edge.hooks:
            grad = _hooked(edge.hooks, grad, self.create)
        if edge in self.targets:
            self._accumulate(self.found, edge, grad)
        if self.wanted is not None and node not in self.wanted:
            return
        if seq not in self.nodes:
            self.nodes[seq] = node
            self.grads[seq] = [None] * len(node.shape)
            heappush(self.heap, -seq)
        parts = self.grads[seq]
        have = parts[edge.index]
        parts[edge.index] = grad if have is None else have + grad if self.create else asarray(have + grad)

    def pop(self) -> tuple[Node, Any]:
        """The latest node, and all that has arrived there."""
        seq = -heappop(self.heap)
        node, grad = self.nodes.pop(seq), self.grads.pop(seq)
        self.own.discard(seq)
        if type(grad) is list:
            zeros = zip(grad, node.shape, node.dtype, strict=True)
            filled = tuple(np.zeros(shape, dtype) if part is None else part for part, shape, dtype in zeros)
            grad = tuple(wrap(p) if self.create and type(p) is ndarray else p for p in filled)
        return node, grad


def _vjp(node: Node, grad: Any, create: bool) -> list[Any]:
    """The gradients of a node's inputs, un-broadcast; None where none is wanted."""
    op, edges, attrs = node.op, node.edges, node.attrs
    saved = _unpack(node, create)
    outer = STATE.tag
    if create:
        STATE.tag = Tag(None, f"backward of {op.name}", node.tag, node.code, node.lasti)
    try:
        if op.joint:
            raw = op.vjp(grad, [edge is not None for edge in edges], *saved, *attrs)  # type: ignore[operator]
            return [None if e is None or g is None else fit(g, e) for g, e in zip(raw, edges, strict=True)]
        below: list[Any] = []
        for edge, vjp in zip(edges, op.vjp, strict=False):  # type: ignore[arg-type]
            if edge is None or vjp is None:
                below.append(None)
                continue
            g = vjp(grad, *saved, *attrs)
            below.append(g if type(g) is ndarray and g.shape == edge.shape and g.dtype == edge.dtype else fit(g, edge))
        return below
    except GradError:
        raise
    except Exception as error:
        error.add_note(f"In backward of {op.name}, recorded at {place(node.code, node.lasti, node.tag)}.")
        error.__dict__.setdefault("sites", (("recorded at", node.code, node.lasti, node.tag),))
        raise
    finally:
        STATE.tag = outer


def fit(g: Any, edge: Any) -> Any:
    """``g`` in the shape and dtype of what it is the gradient of: summed over what was broadcast."""
    if type(g) is not ndarray and isinstance(g, (np.generic, float, int)):
        g = asarray(g)
    shape = edge.shape
    if g.shape != shape:
        extra = len(g.shape) - len(shape)
        if extra < 0:
            g = g.reshape((*(1 for _ in range(-extra)), *g.shape))
            extra = 0
        axes = (*range(extra), *(i + extra for i, n in enumerate(shape) if n == 1 and g.shape[i + extra] != 1))
        if axes:
            g = asarray(np.add.reduce(g, axes)) if type(g) is ndarray else reduce_sum(g, axes)
        if tuple(g.shape) != shape:
            g = g.reshape(shape) if prod(g.shape) == prod(shape) else g + np.zeros(shape, edge.dtype)
    if type(g) is ndarray:
        return g if g.dtype == edge.dtype else g.astype(edge.dtype)
    return g if g._array.dtype == edge.dtype else g.to(edge.dtype)


def _unpack(node: Node, create: bool) -> list[Any]:
    """What the node saved, as arrays (as tensors if ``create``), made sure that nobody changed it since."""
    saved, seq = node.saved, node.seq
    if saved is None:
        raise _freed(node)
    values = []
    for value in saved:
        if type(value) is ndarray:  # its own output
            if node.counter is not None and node.counter.stamp > seq:
                raise _changed(node, node.counter, "its own output")
            values.append(_as_output(value, node) if create else value)
        elif hasattr(value, "_array"):
            counter = value._counter
            if counter is not None and counter.stamp > seq:
                raise _changed(node, counter, f"an input of shape {value._array.shape}")
            values.append(value if create else value._array)
        else:
            values.append(value)
    return values


def _as_output(array: ndarray, node: Node) -> Any:
    t = wrap(array)
    t._edge = node
    return t


def _freed(node: Node) -> GradError:
    where = place(node.code, node.lasti, node.tag)
    return GradError(
        f"backward: the tape was walked before, and what {node.op.name} ({where}) had saved is freed.",
        op=node.op.name,
        hint="Call the first backward(retain_graph=True), or compute the loss anew.",
        sites=[("recorded at", node.code, node.lasti, node.tag)],
    )


def _changed(node: Node, counter: Any, what: str) -> InplaceError:
    sites = [("saved at", node.code, node.lasti, node.tag)]
    changed = ""
    if counter.site is not None:
        sites.append(("changed at", *counter.site))
        changed = f"; changed in place at {place(*counter.site)}"
    return InplaceError(
        f"backward: {node.op.name} saved {what} at {place(node.code, node.lasti, node.tag)}{changed}; its gradient needs the "
        "value as it was.",
        op=node.op.name,
        hint="Use the form that makes a new tensor (x + y for x += y), or clone() before the change.",
        sites=sites,
    )


def _hooked(hooks: list[Any], grad: Any, create: bool) -> Any:
    """``grad`` as the hooks leave it."""
    if type(grad) is tuple:
        return grad
    for hook in tuple(hooks):
        given = grad if create else wrap(grad)
        answer = hook(given)
        if answer is not None:
            if tuple(answer.shape) != tuple(given.shape):
                raise GradError(
                    f"hook: {getattr(hook, '__qualname__', hook)} returned a gradient of shape {tuple(answer.shape)}, "
                    f"expected {tuple(given.shape)}."
                )
            grad = answer if create else answer._array
    return grad


def _leading_to(roots: Sequence[Any], inputs: Sequence[Edge]) -> set[Edge]:
    """The nodes above ``inputs``: those through which a gradient must pass to reach one of them."""
    targets = set(inputs)
    below: dict[Edge, bool] = {}
    order: list[Node] = []
    stack = [e.node if type(e) is Output else e for e in roots]
    seen: set[int] = set()
    while stack:
        node = stack.pop()
        if type(node) is not Node or node.seq in seen:
            continue
        seen.add(node.seq)
        order.append(node)
        stack.extend(e.node if type(e) is Output else e for e in node.edges if e is not None)
    for node in sorted(order, key=lambda n: n.seq):
        below[node] = any(
            e in targets or below.get(e.node if type(e) is Output else e, False) for e in node.edges if e is not None
        )
    return {node for node, leads in below.items() if leads}
