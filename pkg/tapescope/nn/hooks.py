"""Hooks on modules: what runs around `forward` and in backward when somebody registered something.

Called by `module.Module`, which comes here only when a hook is there. Invariant: hooks run in the order of their
registration (a prepended one first), and what a hook returns, if not None, replaces what the next one sees.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from ..autograd import STATE, RemovableHandle, Tensor
from ..autograd.node import Output
from ..autograd.record import counter_of, record
from ..errors import GradError
from ..ops.record import OPS, Op

if TYPE_CHECKING:
    from .module import Module


class Hook(NamedTuple):
    """A registered function and how it wants to be called."""

    fn: Callable
    with_kwargs: bool = False
    always_call: bool = False


def call(module: Module, args: tuple, kwargs: dict[str, Any]) -> Any:
    """Forward with every hook of `module`."""
    finished: set[int] = set()
    result = None
    try:
        args, kwargs = _before(module, args, kwargs)
        backward = _Backward(module) if module._backward_hooks or module._backward_pre_hooks else None
        if backward is not None:
            args = backward.watch_inputs(args)
        result = module.forward(*args, **kwargs)
        for key, hook in list(module._forward_hooks.items()):
            finished.add(key)
            result = _after(hook, module, args, kwargs, result)
        return result if backward is None else backward.watch_outputs(result)
    except Exception:
        for key, hook in list(module._forward_hooks.items()):
            if hook.always_call and key not in finished:
                _after(hook, module, args, kwargs, result)
        raise


def _before(module: Module, args: tuple, kwargs: dict[str, Any]) -> tuple[tuple, dict[str, Any]]:
    for hook in list(module._forward_pre_hooks.values()):
        if hook.with_kwargs:
            changed = hook.fn(module, args, kwargs)
            if changed is None:
                continue
            if not (isinstance(changed, tuple) and len(changed) == 2):
                raise RuntimeError(
                    f"forward pre-hook must return None or a tuple of (new_args, new_kwargs), but got {changed}."
                )
            args, kwargs = changed
        else:
            changed = hook.fn(module, args)
            if changed is not None:
                args = changed if isinstance(changed, tuple) else (changed,)
    return args, kwargs


def _after(hook: Hook, module: Module, args: tuple, kwargs: dict[str, Any], result: Any) -> Any:
    changed = hook.fn(module, args, kwargs, result) if hook.with_kwargs else hook.fn(module, args, result)
    return result if changed is None else changed


def add(module: Module, registry: str, hook: Hook, prepend: bool) -> RemovableHandle:
    """Register `hook`, before the present ones if `prepend`."""
    entries: dict[int, Hook] = module.__dict__[registry]
    module.__dict__["_hooked"] = True
    handle = RemovableHandle(entries, hook)
    if prepend:
        for key in [key for key in entries if key != handle.id]:
            entries[key] = entries.pop(key)
    return handle


# -- backward ----------------------------------------------------------------------------------------------------


class _Backward:
    """Lets the gradients of one call of a module pass the module's backward hooks.

    Two nodes are put on the tape, one under the inputs and one above the outputs; each sees all of its gradients at
    once, and what the hooks return goes on from there.
    """

    def __init__(self, module: Module):
        self.module = module
        self.hooks = [hook.fn for hook in module._backward_hooks.values()]
        self.pre_hooks = [hook.fn for hook in module._backward_pre_hooks.values()]
        self.grad_output: tuple | None = None
        self.input_count = 0
        self.watches_inputs = False

    def watch_inputs(self, args: tuple) -> tuple:
        """The arguments, with a node under those that require grad."""
        self.input_count = len(args)
        places = [i for i, arg in enumerate(args) if isinstance(arg, Tensor) and arg.requires_grad]
        if not places or not STATE.grad or not self.hooks:
            return args
        self.watches_inputs = True
        watched = list(args)
        for i, tensor in zip(places, _gate([args[i] for i in places], partial(self._at_inputs, places)), strict=True):
            watched[i] = tensor
        return tuple(watched)

    def watch_outputs(self, result: Any) -> Any:
        """The result, with a node above its tensors that require grad."""
        outputs = list(result) if isinstance(result, tuple | list) else [result]
        places = [i for i, out in enumerate(outputs) if isinstance(out, Tensor) and out.requires_grad]
        if not places or not STATE.grad:
            return result
        at_outputs = partial(self._at_outputs, places, len(outputs))
        for i, tensor in zip(places, _gate([outputs[i] for i in places], at_outputs), strict=True):
            outputs[i] = tensor
        if not isinstance(result, tuple | list):
            return outputs[0]
        return type(result)(*outputs) if hasattr(result, "_fields") else type(result)(outputs)

    def _at_outputs(self, places: list[int], count: int, grads: tuple[Tensor, ...]) -> tuple:
        grad_output = _spread(grads, places, count)
        for hook in self.pre_hooks:
            changed = hook(self.module, grad_output)
            if changed is not None:
                grad_output = _checked(changed, grad_output, "full_backward_pre_hook")
        self.grad_output = grad_output
        if not self.watches_inputs:  # no input requires grad: this is as far as the gradient gets
            for hook in self.hooks:
                hook(self.module, (None,) * self.input_count, grad_output)
        return tuple(grad_output[i] for i in places)

    def _at_inputs(self, places: list[int], grads: tuple[Tensor, ...]) -> tuple:
        grad_input = _spread(grads, places, self.input_count)
        for hook in self.hooks:
            changed = hook(self.module, grad_input, self.grad_output)
            if changed is not None:
                grad_input = _checked(changed, grad_input, "full_backward_hook")
        return tuple(grad_input[i] for i in places)


def _spread(values: tuple, places: list[int], count: int) -> tuple:
    """A tuple of `count` entries: the values at their places, None elsewhere."""
    spread: list[Any] = [None] * count
    for place, value in zip(places, values, strict=True):
        spread[place] = value
    return tuple(spread)


def _checked(changed: Any, present: tuple, name: str) -> tuple:
    changed = changed if isinstance(changed, tuple) else (changed,)
    if len(changed) != len(present):
        raise GradError(f"{name} returned {len(changed)} gradients, expected {len(present)}.")
    return changed


def _gate(tensors: list[Tensor], passing: Callable[[tuple[Tensor, ...]], tuple]) -> list[Tensor]:
    """The same values behind one new node, whose gradients go through `passing` together."""
    arrays = tuple(t._array for t in tensors)
    edges = tuple(t._edge for t in tensors)
    node = record(_GATE, arrays[0], edges, (), (passing,), sys._getframe(3))._edge
    node.shape, node.dtype = tuple(a.shape for a in arrays), tuple(a.dtype for a in arrays)
    gated = []
    for i, (tensor, array) in enumerate(zip(tensors, arrays, strict=True)):
        out = Tensor._wrap(array)
        out._counter = counter_of(tensor)
        out._edge = Output(node, i, array)
        gated.append(out)
    return gated


def _pass(grads: tuple, needs: list[bool], passing: Callable[[tuple[Tensor, ...]], tuple]) -> list[Any]:
    """The gradients as the hooks leave them; arrays go to the hooks as tensors and come back as arrays."""
    bare = not isinstance(grads[0], Tensor)
    after = passing(tuple(Tensor._wrap(g) for g in grads) if bare else grads)
    return [g if g is None or not bare else g._array for g in after]


# Not among the ops that a user can call, so it is taken off their list again.
_GATE = Op("module_hooks", lambda *arrays: arrays, _pass)
del OPS["module_hooks"]
