"""What the user calls things: the names in a notebook, a script or a function, and the names of parameters.

Called by the tape (what is ``x``?), the gradients (what is the model called?) and the memory (who holds it?).
Invariant: looking changes nothing; no reference is kept to anything that was found.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from types import FrameType, ModuleType
from typing import Any

from ..autograd import Tensor
from ..nn import Module
from ..optim import Optimizer

_SHELL_NAMES = frozenset({"In", "Out", "exit", "quit", "open", "get_ipython"})
_CO_OPTIMIZED = 1


def namespace_of(frame: FrameType | None, local: bool = True) -> dict[str, Any]:
    """The names visible in a frame; with ``local`` those of its function too. A copy."""
    if frame is None:
        return {}
    names = dict(frame.f_globals)
    if local and frame.f_code.co_flags & _CO_OPTIMIZED:
        inner = frame.f_locals
        names.update(inner)
        if sys.version_info < (3, 13):
            inner.clear()  # the frame keeps this dict, and would keep what it names alive
    return names


def public(names: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The names that the user gave: no shell variables, no private names, no modules."""
    for name, value in list(names.items()):
        if name.startswith("_") or name in _SHELL_NAMES or isinstance(value, ModuleType):
            continue
        yield name, value


def name_of(value: Any, names: Mapping[str, Any]) -> str | None:
    """The first name bound to ``value`` itself, or None."""
    for name, other in public(names):
        if other is value:
            return name
    return None


def modules_in(names: Mapping[str, Any]) -> dict[str, Module]:
    """The modules bound to names, each once; those that are part of another come last."""
    found: dict[int, tuple[str, Module]] = {}
    for name, value in public(names):
        if isinstance(value, Module):
            found.setdefault(id(value), (name, value))
    parts = {id(part) for _, module in found.values() for part in module.modules() if part is not module}
    ordered = sorted(found.values(), key=lambda pair: id(pair[1]) in parts)
    return dict(ordered)


def optimizers_in(names: Mapping[str, Any]) -> dict[str, Optimizer]:
    """The optimizers bound to names, each once."""
    found: dict[int, tuple[str, Optimizer]] = {}
    for name, value in public(names):
        if isinstance(value, Optimizer):
            found.setdefault(id(value), (name, value))
    return dict(found.values())


def parameter_names(names: Mapping[str, Any], model: Module | None = None) -> dict[int, str]:
    """``id(parameter) -> name``: ``net.0.weight`` for a model called ``net``, ``0.weight`` for one without a name."""
    result: dict[int, str] = {}
    prefix = None if model is None else name_of(model, names)
    if model is not None:
        for name, parameter in model.named_parameters():
            result.setdefault(id(parameter), f"{prefix}.{name}" if prefix else name)
    for variable, module in modules_in(names).items():
        for name, parameter in module.named_parameters():
            result.setdefault(id(parameter), f"{variable}.{name}")
    return result


def tensor_names(names: Mapping[str, Any]) -> dict[int, str]:
    """``id(array) -> variable`` for the tensors bound to names."""
    result: dict[int, str] = {}
    for name, value in public(names):
        if isinstance(value, Tensor):
            result.setdefault(id(value._array), name)
    return result
