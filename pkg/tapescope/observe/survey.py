"""A survey of memory: which bytes are alive, in which role, and who holds them. Nothing needs to be switched on.

Called by the memory view. Invariant: every storage counts once, for the first that claims it: models, optimizers,
the running step's tape, then the user's names in their order. Looking keeps nothing alive.
"""

from __future__ import annotations

import gc
import linecache
import re
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from ..autograd import Tensor
from ..autograd.node import Leaf, Node, Output
from ..errors import users_site
from ..nn import Module
from ..optim import Optimizer
from . import numbers
from .ledger import Key, lines_of
from .namespace import modules_in, optimizers_in, public
from .numbers import base_of
from .sites import Site, is_library, origin, site_at, site_of_pair, site_of_tensor
from .views import View

ROLES = ("parameters", "gradients", "optimizer", "saved", "other")
MOST = 12  # holders and lines in a snapshot
OBJECTS = 50_000  # looked at in one survey
GRAPHS = 8  # kept by one container: trouble

_ATOMS = (int, float, complex, str, bytes, bytearray, type(None), np.ndarray, np.generic, range, slice)
_OPAQUE = (ModuleType, FunctionType, BuiltinFunctionType, MethodType, CodeType, type, View)


class Holder:
    """Who holds memory: a name, what is behind it, and its bytes."""

    __slots__ = ("bytes", "detail", "graphs", "last", "name", "nodes", "site", "tensors", "trouble")

    def __init__(self, name: str, detail: str = "", site: Site | None = None) -> None:
        self.name, self.detail, self.site = name, detail, site
        self.bytes = self.graphs = self.nodes = self.tensors = 0
        self.last: Tensor | None = None
        self.trouble = False

    def as_dict(self) -> dict[str, Any]:
        """The holder as it goes over the wire."""
        site = self.site and self.site.as_dict()
        return {"name": self.name, "detail": self.detail, "bytes": self.bytes, "site": site, "trouble": self.trouble}


class Survey:
    """One pass over what can be reached.

    Args:
        names: the user's names.
        roots: tensors whose tape counts, although no name may hold them.
        modules, optimizers: further ones, that no name may hold.
        scan: also ask the garbage collector for every tensor there is.
    """

    def __init__(
        self,
        names: Mapping[str, Any],
        roots: Iterable[Tensor] = (),
        modules: Iterable[Module] = (),
        optimizers: Iterable[Optimizer] = (),
        scan: bool = False,
    ) -> None:
        self.roles: Counter[str] = Counter(dict.fromkeys(ROLES, 0))
        self.holders: list[Holder] = []
        self.sizes: Counter[Key] = Counter()
        self.counts: Counter[Key] = Counter()
        self._bases: set[int] = set()
        self._nodes: set[int] = set()
        self._visited: set[int] = set()
        self._left = OBJECTS
        scanned = list(_scan()) if scan else []
        self._models(names, [*modules, *(value for value in scanned if isinstance(value, Module))])
        self._optimizers(names, [*optimizers, *(value for value in scanned if isinstance(value, Optimizer))])
        self._running(roots)
        self._names(names)
        self._rest(value for value in scanned if isinstance(value, Tensor))

    @property
    def total(self) -> int:
        """All bytes found."""
        return sum(self.roles.values())

    # -- storage -----------------------------------------------------------------------------------------------

    def _claim(self, array: Any, role: str) -> int:
        if not isinstance(array, np.ndarray):
            return 0
        base = base_of(array)
        if id(base) in self._bases:
            return 0
        self._bases.add(id(base))
        self.roles[role] += base.nbytes
        return base.nbytes

    def _claim_tensor(self, tensor: Tensor, role: str) -> int:
        size = self._claim(tensor._array, role)
        if size:
            self._note(origin(tensor), size)
        return size

    def _note(self, key: Key | None, size: int) -> None:
        if key is not None:
            self.sizes[key] += size
            self.counts[key] += 1

    def _claim_graph(self, tensor: Tensor, holder: Holder | None) -> int:
        """The values that the tape behind a tensor keeps for backward."""
        edge = tensor._edge
        start = edge.node if isinstance(edge, Output) else edge
        if not isinstance(start, Node):
            return 0
        if holder is not None:
            holder.graphs += 1
        if id(start) in self._nodes:
            return 0
        self._nodes.add(id(start))
        stack, total, seen = [start], 0, 0
        while stack and self._left > 0:
            node = stack.pop()
            seen += 1
            self._left -= 1
            size = sum(self._claim(array, "saved") for array in node.saved_arrays())
            if size:
                total += size
                self._note(_node_key(node), size)
            for edge in node.edges:
                source = edge.node if type(edge) is Output else edge
                if type(source) is Leaf:
                    total += self._claim_leaf_grad(source)
                elif isinstance(source, Node) and id(source) not in self._nodes:
                    self._nodes.add(id(source))
                    stack.append(source)
        if holder is not None:
            holder.nodes += seen
        return total

    def _claim_leaf_grad(self, leaf: Leaf) -> int:
        tensor = leaf.tensor()
        return 0 if tensor is None or tensor.grad is None else self._claim(tensor.grad._array, "gradients")

    # -- who -----------------------------------------------------------------------------------------------------

    def _models(self, names: Mapping[str, Any], more: Iterable[Module]) -> None:
        named = modules_in(names)
        known = {id(part) for module in named.values() for part in module.modules()}
        inner = {id(part) for module in more for part in module.modules() if part is not module}
        found = list(named.items())
        for module in more:
            if id(module) not in known and id(module) not in inner:
                known.add(id(module))
                found.append((type(module).__name__, module))
        for name, module in found:
            site = site_of_pair(getattr(module, "_site", None))
            weights, grads = Holder(name, "parameters", site), Holder(name, "gradients")
            tensors = [*module.parameters(), *module.buffers()]
            self._visited.update(map(id, [module, *tensors]))
            weights.bytes = sum(self._claim(tensor._array, "parameters") for tensor in tensors)
            self._note(getattr(module, "_site", None), weights.bytes)
            held = (tensor.grad for tensor in tensors if tensor.grad is not None)
            grads.bytes = sum(self._claim(grad._array, "gradients") for grad in held)
            self.holders += [weights, grads]

    def _optimizers(self, names: Mapping[str, Any], more: Iterable[Optimizer]) -> None:
        found = {id(optimizer): optimizer for optimizer in [*optimizers_in(names).values(), *more]}
        for optimizer in found.values():
            self._visited.add(id(optimizer))
            pair = getattr(optimizer, "_site", None)
            holder = Holder("optimizer state", type(optimizer).__name__, site_of_pair(pair))
            holder.bytes = sum(self._claim(array, "optimizer") for array in _arrays(vars(optimizer)))
            self._note(pair, holder.bytes)
            self.holders.append(holder)

    def _running(self, roots: Iterable[Tensor]) -> None:
        holder = Holder("this step's tape", "saved for backward")
        for root in roots:
            holder.bytes += self._claim_graph(root, holder)
            self._visited.add(id(root))
        if holder.bytes:
            self.holders.append(holder)

    def _names(self, names: Mapping[str, Any]) -> None:
        shown = names.get("Out")
        pairs = list(public(names))
        if isinstance(shown, dict):
            pairs += [(f"Out[{count}]", value) for count, value in list(shown.items())]
        for name, value in pairs:
            if isinstance(value, (*_ATOMS, *_OPAQUE)):
                continue
            holder = Holder(name)
            self._gather(value, holder)
            if holder.tensors:
                _describe(holder, value)
                self.holders.append(holder)

    def _gather(self, value: Any, holder: Holder) -> None:
        """Everything that hangs on one name."""
        stack = [(value, 0)]
        while stack and self._left > 0:
            value, depth = stack.pop()
            if id(value) in self._visited:
                continue
            self._visited.add(id(value))
            self._left -= 1
            if isinstance(value, Tensor):
                holder.tensors += 1
                holder.last = value if holder.last is None else holder.last
                holder.bytes += self._claim_graph(value, holder) + self._claim_tensor(value, "other")
                if value.grad is not None:
                    holder.bytes += self._claim(value.grad._array, "gradients")
            elif depth < 6:
                stack.extend((child, depth + 1) for child in _children(value))

    def _rest(self, tensors: Iterable[Tensor]) -> None:
        holder = Holder("not named")
        left = [tensor for tensor in tensors if id(tensor) not in self._visited]
        holder.bytes = sum(self._claim_graph(tensor, holder) for tensor in left)
        for tensor in left:
            size = self._claim_tensor(tensor, "other")
            holder.tensors += bool(size)
            holder.bytes += size
        holder.detail = numbers.plural(holder.tensors, "tensor")
        self.holders.append(holder)

    # -- answers -------------------------------------------------------------------------------------------------

    def largest(self) -> list[Holder]:
        """The holders, largest first; those in trouble are never left out."""
        found = [holder for holder in self.holders if holder.bytes or holder.trouble]
        found.sort(key=lambda holder: (-holder.bytes, holder.name))
        return sorted(found[:MOST] + [h for h in found[MOST:] if h.trouble], key=lambda h: (-h.bytes, h.name))[:MOST]

    def lines(self) -> list[dict[str, Any]]:
        """Live bytes by the line that made them."""
        return lines_of(dict(self.sizes), dict(self.counts), MOST)


def _node_key(node: Node) -> Key:
    return users_site(node.code, node.lasti, node.tag)


def _scan() -> Iterator[Any]:
    """Every tensor, module and optimizer that is alive."""
    wanted: dict[type, bool] = {}
    for value in gc.get_objects():
        kind = type(value)
        take = wanted.get(kind)
        if take is None:
            take = wanted[kind] = issubclass(kind, (Tensor, Module, Optimizer))
        if take:
            yield value


def _arrays(value: Any, depth: int = 0) -> Iterator[np.ndarray]:
    """The arrays of an optimizer's state; parameters were claimed before, and so do not count again."""
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, Tensor):
        yield value._array
    elif depth < 6:
        inner: Iterable[Any] = ()
        if isinstance(value, Mapping):
            inner = list(value.values())
        elif isinstance(value, (list, tuple)):
            inner = value
        elif hasattr(value, "__slots__") or type(value).__module__.startswith(__name__.split(".")[0]):
            inner = [getattr(value, slot, None) for slot in getattr(type(value), "__slots__", ())]
            inner += list(getattr(value, "__dict__", {}).values())
        for part in inner:
            yield from _arrays(part, depth + 1)


_users_kinds: dict[type, bool] = {}


def _is_users_kind(kind: type) -> bool:
    """Whether to look inside objects of this class: the user's own and the package's, not a library's."""
    known = _users_kinds.get(kind)
    if known is None:
        module = sys.modules.get(kind.__module__)
        file = getattr(module, "__file__", None)
        known = _users_kinds[kind] = kind.__module__ != "builtins" and (file is None or not is_library(file))
    return known


def _children(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return _worth(list(value.values()))
    if isinstance(value, (list, tuple, set, frozenset, deque)):
        return _worth(list(value))
    if isinstance(value, (*_ATOMS, *_OPAQUE)):
        return ()
    if isinstance(value, Module):
        return [*value.parameters(), *value.buffers()]
    attributes: Callable[..., Any] = getattr(value, "__dict__", {}).values
    return list(attributes()) if _is_users_kind(type(value)) else ()


def _worth(values: list[Any]) -> list[Any]:
    """The values that may hold tensors; a long list that begins with plain numbers is taken to be all numbers."""
    if len(values) > 64 and all(isinstance(value, _ATOMS) for value in values[:32]):
        return []
    return [value for value in values if not isinstance(value, _ATOMS)]


def _describe(holder: Holder, value: Any) -> None:
    """What stands behind a name, in a few words, and the line to look at."""
    kind = type(value).__name__
    if isinstance(value, Tensor):
        nodes = f", a tape of {holder.nodes:,} nodes" if holder.nodes > 1 else ""
        holder.detail = f"{kind} {numbers.shape(value._array.shape)}{nodes}"
    elif holder.graphs > 1:
        holder.detail = f"{kind}, {holder.graphs:,} graphs"
        holder.trouble = holder.graphs >= GRAPHS
    else:
        holder.detail = f"{kind}, {numbers.plural(holder.tensors, 'tensor')}"
    if holder.last is not None:
        holder.site = _keeper(holder) or site_of_tensor(holder.last)
    holder.last = None


def _keeper(holder: Holder) -> Site | None:
    """The line that puts a graph into a container: ``losses.append(loss)``, looked for where the graph was made."""
    pair = origin(holder.last) if holder.trouble else None
    if pair is None:
        return None
    name = re.escape(holder.name)
    puts = re.compile(rf"\b{name}(\.(append|add|extend|insert|appendleft)\(|\s*\+=|\[[^\]]*\]\s*=)")
    for number, line in enumerate(linecache.getlines(pair[0].co_filename), 1):
        if puts.search(line):
            return site_at(pair[0], number)
    return None
