"""A module's values going out and coming in: state dicts, loading, conversion of dtype, gradients dropped.

Called by `module.Module` only. Invariant: `load_state_dict` checks every key and shape before it writes a single value,
so a state dict that does not fit leaves the module as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..autograd import Tensor
from ..backends.devices import device as Device
from ..backends.devices import require
from ..dtypes import as_dtype, dtype
from ..errors import CheckpointError
from .parameter import Parameter
from .registry import type_label

if TYPE_CHECKING:
    from .module import Module


class IncompatibleKeys(NamedTuple):
    """What `load_state_dict` found in only one of the two places."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return f"IncompatibleKeys(missing_keys={self.missing_keys}, unexpected_keys={self.unexpected_keys})"


class Slot(NamedTuple):
    """One place that a state dict fills: `owner`'s parameter or buffer `name`."""

    owner: Module
    registry: str
    name: str
    tensor: Tensor


def _slots(module: Module, prefix: str) -> Iterator[tuple[str, Slot]]:
    """The places of one module's own state, as (key, slot), in the order of the state dict."""
    for registry in ("_parameters", "_buffers"):
        for name, tensor in module.__dict__[registry].items():
            if tensor is not None and name not in module._non_persistent_buffers_set:
                yield prefix + name, Slot(module, registry, name, tensor)


def state_dict(module: Module, destination: dict[str, Tensor], prefix: str, keep_vars: bool) -> dict[str, Tensor]:
    """Fill `destination` with the state of `module` and of all below it."""
    for key, slot in _slots(module, prefix):
        destination[key] = slot.tensor if keep_vars else slot.tensor.detach()
    for name, child in module._modules.items():
        if child is not None:
            child.state_dict(destination=destination, prefix=f"{prefix}{name}.", keep_vars=keep_vars)
    for hook in list(module._state_dict_hooks.values()):
        hook.fn(module, destination, prefix, {})
    return destination


def load_state_dict(module: Module, given: Mapping[str, Any], strict: bool, assign: bool) -> IncompatibleKeys:
    """Check `given` against the module's state, then copy (or put) it in place."""
    if not isinstance(given, Mapping):
        raise TypeError(f"Expected state_dict to be dict-like, got {type(given)}.")
    slots = {
        key: slot
        for path, owner in module.named_modules(remove_duplicate=False)
        for key, slot in _slots(owner, f"{path}." if path else "")
    }
    keys = IncompatibleKeys([k for k in slots if k not in given], [k for k in given if k not in slots])
    for owner in module.modules():
        for hook in list(owner._load_state_dict_hooks.values()):
            hook.fn(owner, keys)
    problems = _key_problems(keys, slots) if strict else []
    problems += [p for key, slot in slots.items() if key in given and (p := _value_problem(key, slot, given[key]))]
    if problems:
        raise CheckpointError(
            f"Error(s) in loading state_dict for {type(module).__name__}:\n\t" + "\n\t".join(problems),
            op="load_state_dict",
            hint="\nNothing was loaded." + _prefix_hint(keys, slots),
        )
    for key, slot in slots.items():
        if key in given:
            _fill(slot, given[key], assign)
    return keys


def _key_problems(keys: IncompatibleKeys, slots: Mapping[str, Slot]) -> list[str]:
    kinds = (("Missing", keys.missing_keys), ("Unexpected", keys.unexpected_keys))
    quoted = [(kind, ", ".join(f'"{name}"' for name in names)) for kind, names in kinds]
    return [f"{kind} key(s) in state_dict: {names}. " for kind, names in quoted if names]


def _value_problem(key: str, slot: Slot, value: object) -> str | None:
    if not isinstance(value, Tensor):
        return (
            f'While copying the parameter named "{key}", expected ts.Tensor from checkpoint '
            f"but received {type_label(value)}. "
        )
    if tuple(value.shape) != tuple(slot.tensor.shape):
        return (
            f"size mismatch for {key}: copying a param with shape {tuple(value.shape)} from checkpoint, "
            f"the shape in current model is {tuple(slot.tensor.shape)}."
        )
    return None


def _prefix_hint(keys: IncompatibleKeys, slots: Mapping[str, Slot]) -> str:
    """Say so where the two sides differ by a prefix only, as after DataParallel or torch.compile."""
    for longer, shorter, advice in (
        (keys.unexpected_keys, slots, "strip"),
        (list(slots), set(keys.unexpected_keys), "add"),
    ):
        if not (keys.missing_keys and longer):
            continue
        for end in (i + 1 for i, letter in enumerate(longer[0]) if letter == "."):
            prefix = longer[0][:end]
            if all(key.startswith(prefix) and key[end:] in shorter for key in longer):
                preposition = "from" if advice == "strip" else "to"
                return (
                    f" The keys differ by the prefix '{prefix}' only: {advice} it {preposition} the state dict's keys."
                )
    return ""


def _fill(slot: Slot, value: Tensor, assign: bool) -> None:
    if not assign:
        np.copyto(slot.tensor._array, value._array, casting="unsafe")
        slot.tensor._bump()
        return
    if slot.registry == "_parameters" and not isinstance(value, Parameter):
        value = Parameter(value, requires_grad=slot.tensor.requires_grad)
    slot.owner.__dict__[slot.registry][slot.name] = value


# -- conversion --------------------------------------------------------------------------------------------------


def conversion(*args: Any, **kwargs: Any) -> Callable[[Tensor], Tensor]:
    """The function that `Module.to(...)` applies to every tensor."""
    unknown = set(kwargs) - {"device", "dtype", "non_blocking", "copy"}
    if unknown:
        raise TypeError(f"to() got an unexpected keyword argument '{sorted(unknown)[0]}'")
    place, kind = kwargs.get("device"), kwargs.get("dtype")
    for arg in args:
        if isinstance(arg, Tensor):
            place, kind = arg.device, arg.dtype
        elif isinstance(arg, bool):  # non_blocking, by position
            continue
        elif isinstance(arg, Device) or (isinstance(arg, str) and not _names_dtype(arg)):
            place = arg
        elif arg is not None:
            kind = arg
    require(place)
    if kind is None:
        return lambda tensor: tensor
    wanted = as_dtype(kind)
    if not (wanted.is_floating_point or wanted.is_complex):
        raise TypeError(f"nn.Module.to only accepts floating point or complex dtypes, but got desired dtype={wanted}")
    return lambda tensor: _cast(tensor, wanted) if tensor.dtype.is_floating_point else tensor


def _names_dtype(name: str) -> bool:
    try:
        as_dtype(name)
    except TypeError:
        return False
    return True


def _cast(tensor: Tensor, wanted: dtype) -> Tensor:
    return tensor if tensor.dtype is wanted else Tensor._wrap(tensor._array.astype(wanted.dtype))


def convert(module: Module, fn: Callable[[Tensor], Tensor]) -> None:
    """Replace the values of all parameters (in place, they stay the same objects), gradients and buffers."""
    for parameter in module.parameters():
        parameter.data = fn(parameter.detach())
        if parameter.grad is not None:
            parameter.grad = fn(parameter.grad.detach())
    for owner in module.modules():
        for name, buffer in owner._buffers.items():
            if buffer is not None:
                owner._buffers[name] = fn(buffer)


def zero_grads(parameters: Iterable[Tensor], set_to_none: bool) -> None:
    """Drop the gradients, or set them to zero in place."""
    for parameter in parameters:
        if parameter.grad is None:
            continue
        if set_to_none:
            parameter.grad = None
        else:
            parameter.grad = parameter.grad.detach()
            parameter.grad.zero_()
