"""The tape: what backward will walk, as a snapshot.

Called by ``ts.tape`` (once, on a tensor) and by the live tape (each sampled step). Invariant: the walk is iterative and
reads only; a tape that is too long to show is folded in the middle, and the sentence says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..autograd import Tensor
from ..autograd.node import Leaf, Node, Output
from ..nn import Module, Parameter
from . import numbers
from .numbers import SAMPLE, Stats, base_of
from .sites import Site, site_of_node, site_of_pair

SHOWN = 2000  # nodes in a snapshot


@dataclass(slots=True)
class Facts:
    """What a snapshot may say beyond the tape itself.

    Args:
        names: the user's names, ``name -> object``.
        parameters: ``id(parameter) -> name``.
        tensors: ``id(array) -> name``.
        values, grads: statistics by a node's ``seq``; for leaves by ``id(leaf)``.
        times: microseconds by ``seq``.
        sample: how many elements statistics look at; None for all.
        statistics: whether to look at values at all.
        accumulated: whether a leaf's ``.grad`` is of this tape, or left from an earlier step.
    """

    names: Mapping[str, Any] = field(default_factory=dict)
    parameters: Mapping[int, str] = field(default_factory=dict)
    tensors: Mapping[int, str] = field(default_factory=dict)
    values: dict[int, Stats | None] = field(default_factory=dict)
    grads: dict[int, Stats | None] = field(default_factory=dict)
    times: Mapping[int, float] = field(default_factory=dict)
    sample: int | None = SAMPLE
    statistics: bool = True
    accumulated: bool = True


def source_of(edge: Any) -> Any:
    """The node or leaf behind an edge."""
    return edge.node if isinstance(edge, Output) else edge


def walk(root: Any, limit: int | None = None) -> list[Node]:
    """The nodes that lead to ``root`` (a tensor, or its edge), in tape order; at most ``limit``, newest first."""
    start = source_of(root._edge if isinstance(root, Tensor) else root)
    if not isinstance(start, Node):
        return []
    seen, stack, found = {id(start)}, [start], []
    while stack:
        node = stack.pop()
        found.append(node)
        if limit is not None and len(found) >= limit:
            break
        for edge in node.edges:
            source = edge.node if type(edge) is Output else edge
            if type(source) is Node and id(source) not in seen:
                seen.add(id(source))
                stack.append(source)
    found.sort(key=lambda node: node.seq)
    return found


def runs_through(root: Tensor, model: Module, limit: int = 20_000) -> bool:
    """Whether a tape leads to one of the model's parameters, or through one of its calls; the nearest answer counts."""
    wanted = {id(parameter) for parameter in model.parameters()}
    start = source_of(root._edge)
    seen, stack = {id(start)}, [start]
    while stack and len(seen) < limit:
        source = stack.pop()
        if type(source) is Leaf:
            if id(source.tensor()) in wanted:
                return True
            continue
        tag = getattr(source, "tag", None)
        while tag is not None:
            if tag.module is model:
                return True
            tag = tag.parent
        for edge in getattr(source, "edges", ()):
            below = source_of(edge)
            if below is not None and id(below) not in seen:
                seen.add(id(below))
                stack.append(below)
    return False


def array_of(saved: Any) -> np.ndarray | None:
    """The array behind a saved value."""
    array = getattr(saved, "_array", saved)
    return array if isinstance(array, np.ndarray) else None


def outputs_of(nodes: Iterable[Node]) -> dict[int, np.ndarray]:
    """Values that the tape still has: ``seq -> array``, from what each node saved of its inputs and output."""
    known: dict[int, np.ndarray] = {}
    for node in nodes:
        for place, saved in zip(node.op.saves, node.saved or (), strict=False):
            array = array_of(saved)
            if array is None:
                continue
            if place == "out":
                known.setdefault(node.seq, array)
            elif isinstance(place, int) and place < len(node.edges):
                edge = node.edges[place]
                if type(edge) is Node:
                    known.setdefault(edge.seq, array)
    return known


def saved_input(node: Node, place: int) -> np.ndarray | None:
    """The array of a node's input, where the node saved it."""
    for where, saved in zip(node.op.saves, node.saved or (), strict=False):
        if where == place:
            return array_of(saved)
    return None


def bytes_of(shape: Any, dtype: Any) -> int:
    """The size of an array of this shape; of all of them, where a node has several outputs."""
    if dtype is None:
        return 0
    if isinstance(dtype, (tuple, list)):
        return sum(bytes_of(one, kind) for one, kind in zip(shape, dtype, strict=False))
    count = 1
    for length in shape:
        count *= int(length)
    return count * np.dtype(dtype).itemsize


class Draft:
    """A snapshot in the making: nodes, edges and rooms, gathered in tape order."""

    def __init__(self, nodes: list[Node], facts: Facts, root: Tensor | None, model: Module | None) -> None:
        self.facts = facts
        self.folded = max(0, len(nodes) - SHOWN)
        if self.folded:
            nodes = nodes[: SHOWN // 2] + nodes[-SHOWN // 2 :]
        self.rows: list[dict[str, Any]] = []
        self.edges: list[list[int]] = []
        self.ids: dict[int, int] = {}  # id(node, leaf or base array) -> row
        self.rooms = Rooms(nodes, model, facts.names)
        self.counted: set[int] = set()
        self.saved = 0
        self.known = outputs_of(nodes) if facts.statistics else {}
        if root is not None and facts.statistics and isinstance(root._edge, Node):
            self.known.setdefault(root._edge.seq, root._array)
        self._count_parameters(nodes)
        for node in nodes:
            self._add(node)
        self.known = {}  # what is drawn must not keep the values alive

    def _count_parameters(self, nodes: list[Node]) -> None:
        """Weights are alive anyway: the tape does not keep them."""
        for node in nodes:
            for edge in node.edges:
                if type(edge) is Leaf and (tensor := edge.tensor()) is not None:
                    self.counted.add(id(base_of(tensor._array)))

    def _row(self, kind: str, label: str, shape: Any, dtype: Any, **more: Any) -> int:
        several = isinstance(dtype, (tuple, list))
        lengths = shape[0] if several and len(shape) else shape
        kind_of = dtype[0] if several and len(dtype) else dtype
        at = len(self.rows)
        row = {
            "id": at,
            "kind": kind,
            "label": label,
            "name": None,
            "shape": [int(length) for length in lengths],
            "dtype": str(np.dtype(kind_of)) if kind_of is not None else "",
            "bytes": bytes_of(shape, dtype),
            "saved": 0,
            "scope": "",
            "site": None,
            "inputs": [],
            "value": None,
            "grad": None,
            "time_us": None,
        }
        row.update(more)
        self.rows.append(row)
        return at

    def _add(self, node: Node) -> None:
        scope = self.rooms.path(node)
        sources = [self._source(node, place, edge, scope) for place, edge in enumerate(node.edges)]
        site = site_of_node(node)
        times = self.facts.times.get(node.seq)
        value, grad = self._value(node), self.facts.grads.get(node.seq)
        at = self._row(
            "op", node.op.name, node.shape, node.dtype,
            saved=self._saved_by(node), scope=scope, site=site and site.as_dict(), value=value and value.as_dict(),
            grad=grad and grad.as_dict(), time_us=None if times is None else round(times, 1),
        )  # fmt: skip
        self.ids[id(node)] = at
        for place, source in enumerate(sources):
            if source is None:
                continue
            row = self.rows[source]
            name = row["name"] or (row["label"] if row["kind"] == "op" else self._input_name(node, place))
            self.rows[at]["inputs"].append({"name": name, "shape": row["shape"], "dtype": row["dtype"]})
            self.edges.append([source, at, row["bytes"]])

    def _value(self, node: Node) -> Stats | None:
        if node.seq in self.facts.values or not self.facts.statistics:
            return self.facts.values.get(node.seq)
        array = self.known.get(node.seq)
        return None if array is None else numbers.stats(array, self.facts.sample)

    def _saved_by(self, node: Node) -> int:
        total = 0
        for array in node.saved_arrays():
            base = base_of(array)
            if id(base) not in self.counted:
                self.counted.add(id(base))
                total += base.nbytes
        self.saved += total
        return total

    @staticmethod
    def _input_name(node: Node, place: int) -> str:
        return node.op.names[place] if place < len(node.op.names) else f"input {place}"

    def _source(self, node: Node, place: int, edge: Any, scope: str) -> int | None:
        """The row that feeds one input: an earlier op, a parameter, or data that is not on the tape."""
        source = source_of(edge)
        if isinstance(source, Node):
            return self.ids.get(id(source))
        if source is None:
            return self._data(node, place)
        if id(source) not in self.ids:
            self.ids[id(source)] = self._leaf(source, scope)
        return self.ids[id(source)]

    def _leaf(self, leaf: Leaf, scope: str) -> int:
        tensor = leaf.tensor()
        grad = self.facts.grads.get(id(leaf))
        if tensor is None:
            return self._row("input", "input", (), None, grad=grad and grad.as_dict())
        parameter = isinstance(tensor, Parameter)
        name = self.facts.parameters.get(id(tensor)) or self.rooms.parameter(tensor)
        name = name or self.facts.tensors.get(id(tensor._array))
        label = name.rsplit(".", 1)[-1] if name else "parameter" if parameter else "input"
        site = site_of_pair(getattr(tensor, "_site", None)) or self.rooms.made(tensor)
        value = numbers.stats(tensor._array, self.facts.sample) if self.facts.statistics else None
        if grad is None and tensor.grad is not None and self.facts.statistics and self.facts.accumulated:
            grad = numbers.stats(tensor.grad._array, self.facts.sample)
        return self._row(
            "parameter" if parameter else "input", label, tensor._array.shape, tensor._array.dtype,
            name=name, scope=scope if parameter else "", site=site and site.as_dict(),
            value=value and value.as_dict(), grad=grad and grad.as_dict(),
        )  # fmt: skip

    def _data(self, node: Node, place: int) -> int | None:
        array = saved_input(node, place)
        if array is None:
            return None
        name = self.facts.tensors.get(id(array))
        if name is None and array.ndim == 0:
            return None  # a constant of the expression, not data
        key = id(array)
        if key not in self.ids:
            value = numbers.stats(array, self.facts.sample) if self.facts.statistics else None
            label = name or self._input_name(node, place)
            self.ids[key] = self._row(
                "input", label, array.shape, array.dtype, name=name, value=value and value.as_dict()
            )
        return self.ids[key]


class Rooms:
    """The modules that a tape runs through: where each node, and each parameter, belongs."""

    def __init__(self, nodes: list[Node], model: Module | None, names: Mapping[str, Any]) -> None:
        self.paths: dict[int, str] = {}
        self.types: dict[str, str] = {}
        self.owners: dict[int, tuple[str, Module]] = {}
        roots = {} if model is None else {id(model): model}
        for node in nodes:
            outer = self._outermost(node)
            if outer is not None:
                roots.setdefault(id(outer), outer)
        inner = {id(part) for root in roots.values() for part in root.modules() if part is not root}
        outer_roots = [root for root in roots.values() if id(root) not in inner]
        for root in outer_roots:
            self._enter(root, self._prefix(root, names) if len(outer_roots) > 1 else "")

    @staticmethod
    def _outermost(node: Node) -> Module | None:
        tag, found = node.tag, None
        while tag is not None:
            found = tag.module if tag.module is not None else found
            tag = tag.parent
        return found

    @staticmethod
    def _prefix(root: Module, names: Mapping[str, Any]) -> str:
        for name, value in names.items():
            if value is root and not name.startswith("_"):
                return name
        return type(root).__name__

    def _enter(self, root: Module, prefix: str) -> None:
        for path, module in root.named_modules():
            full = ".".join(part for part in (prefix, path) if part)
            self.paths.setdefault(id(module), full)
            if full:
                self.types.setdefault(full, type(module).__name__)
            for name, parameter in module._parameters.items():
                if parameter is not None:
                    self.owners.setdefault(id(parameter), (f"{full}.{name}" if full else name, module))

    def path(self, node: Node) -> str:
        """The path of the innermost module around a node; empty outside of any."""
        tag = node.tag
        while tag is not None:
            if tag.module is not None:
                return self.paths.get(id(tag.module), "")
            tag = tag.parent
        return ""

    def parameter(self, tensor: Tensor) -> str | None:
        """A parameter's dotted name, from the modules that were called."""
        found = self.owners.get(id(tensor))
        return found[0] if found else None

    def made(self, tensor: Tensor) -> Site | None:
        """The line that made the module which owns a parameter."""
        found = self.owners.get(id(tensor))
        return site_of_pair(getattr(found[1], "_site", None)) if found else None

    def used(self, rows: list[dict[str, Any]]) -> list[dict[str, str]]:
        """The rooms that the rows are in, and the rooms around those, in order of first use."""
        order: dict[str, None] = {}
        for row in rows:
            parts = row["scope"].split(".") if row["scope"] else []
            for depth in range(1, len(parts) + 1):
                order[".".join(parts[:depth])] = None
        return [{"path": path, "type": self.types.get(path, "")} for path in order]


def draft(root: Any, facts: Facts, model: Module | None = None, limit: int | None = None) -> Draft:
    """Walk the tape behind ``root`` and gather its rows."""
    return Draft(walk(root, limit), facts, root if isinstance(root, Tensor) else None, model)
