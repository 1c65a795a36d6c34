"""Optimizer: groups of parameters with their settings, state per parameter, hooks around `step`.

Called by the user, and subclassed by every rule here and by a user's own. Invariant: a subclass only writes `step`; the
hooks are put round it when the class is made.
"""

from __future__ import annotations

import functools
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable
from copy import deepcopy
from types import CodeType, FrameType
from typing import Any

import numpy as np

from ..autograd import STATE, RemovableHandle, Tag, Tensor, enable_grad
from ..errors import CheckpointError, inside_package

Hook = Callable[..., Any]
Closure = Callable[[], Any]
_frame_at = sys._getframe

_global_pre_hooks: dict[int, Hook] = {}
_global_post_hooks: dict[int, Hook] = {}


class _Misfit(CheckpointError, ValueError):
    """A state dict of other parameters; also a ValueError, as in PyTorch."""


def register_optimizer_step_pre_hook(hook: Hook) -> RemovableHandle:
    """Call `hook(optimizer, args, kwargs)` before every step of every optimizer."""
    return RemovableHandle(_global_pre_hooks, hook)


def register_optimizer_step_post_hook(hook: Hook) -> RemovableHandle:
    """Call `hook(optimizer, args, kwargs)` after every step of every optimizer."""
    return RemovableHandle(_global_post_hooks, hook)


def _with_hooks(step: Callable[..., Any]) -> Callable[..., Any]:
    """`step` with the hooks round it; a step called from within another one (super().step()) runs bare."""

    @functools.wraps(step)
    def hooked(self: Optimizer, *args: Any, **kwargs: Any) -> Any:
        if self._stepping:
            return step(self, *args, **kwargs)
        frame, outer = _frame_at(1), STATE.tag
        self._stepping = True
        # The writes into the parameters are the calling line's, should backward find a saved value changed.
        STATE.tag = Tag(None, "step", outer, frame.f_code, frame.f_lasti)
        try:
            args, kwargs = _run_pre_hooks(self, args, kwargs)
            result = step(self, *args, **kwargs)
            for hook in (*self._step_post_hooks.values(), *_global_post_hooks.values()):
                hook(self, args, kwargs)
            return result
        finally:
            self._stepping = False
            STATE.tag = outer

    return hooked


def _run_pre_hooks(optimizer: Optimizer, args: tuple, kwargs: dict[str, Any]) -> tuple[tuple, dict[str, Any]]:
    for hook in (*_global_pre_hooks.values(), *optimizer._step_pre_hooks.values()):
        changed = hook(optimizer, args, kwargs)
        if changed is None:
            continue
        if not (isinstance(changed, tuple) and len(changed) == 2):
            raise RuntimeError(f"{hook} must return None or a tuple of (new_args, new_kwargs), but got {changed}.")
        args, kwargs = changed
    return args, kwargs


class Optimizer:
    """The base of all optimizers.

    Args:
        params: tensors, (name, tensor) pairs, or dicts with "params" and settings of their own (parameter groups).
        defaults: the settings of a group that does not give its own.

    Raises:
        ValueError: no parameters, one given twice, or one that is not a leaf.
        TypeError: something else than tensors.
    """

    _stepping = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "step" in cls.__dict__:
            cls.step = _with_hooks(cls.__dict__["step"])  # type: ignore[method-assign]

    def __init__(self, params: Any, defaults: dict[str, Any]):
        self.defaults = defaults
        self.state: defaultdict[Tensor, dict[str, Any]] = defaultdict(dict)
        self.param_groups: list[dict[str, Any]] = []
        self._step_pre_hooks: dict[int, Hook] = {}
        self._step_post_hooks: dict[int, Hook] = {}
        self._site = _construction_site(self)
        groups = self._listed(params)
        if not groups:
            raise ValueError("optimizer got an empty parameter list: does the model have parameters, and was an "
                             "iterator such as model.parameters() used up before?")  # fmt: skip
        for group in groups if isinstance(groups[0], dict) else [{"params": groups}]:
            self.add_param_group(group)

    def _listed(self, params: Any) -> list[Any]:
        if isinstance(params, Tensor) or not isinstance(params, Iterable):
            hint = ": pass its .parameters()" if hasattr(params, "parameters") else ""
            raise TypeError(
                "params argument given to the optimizer should be an iterable of Tensors or dicts, but got "
                f"{type(params).__name__}{hint}"
            )
        return list(params)

    def step(self, closure: Closure | None = None) -> Any:
        """Change the parameters by their gradients; every optimizer writes its own."""
        raise NotImplementedError(f"{type(self).__name__} has no step()")

    @staticmethod
    def _loss_of(closure: Closure | None) -> Any:
        """What `closure` returns, evaluated with gradients on; None without one."""
        if closure is None:
            return None
        with enable_grad():
            return closure()

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop the gradients of all parameters, or fill them with zeros with `set_to_none=False`."""
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                if set_to_none:
                    p.grad = None
                else:
                    p.grad = p.grad.detach()
                    p.grad.zero_()

    # -- groups --------------------------------------------------------------------------------------------------

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters with settings of their own, as when a frozen layer is thawed."""
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, but got {type(param_group).__name__}")
        if "params" not in param_group:
            raise ValueError("param_group must have the key 'params'")
        given = param_group["params"]
        if isinstance(given, set):
            raise TypeError("optimizer parameters need to be organized in ordered collections, but a set has no order")
        entries = [given] if isinstance(given, Tensor) else list(given)
        group = {**self.defaults, **param_group}
        if entries and all(isinstance(e, tuple) and len(e) == 2 for e in entries):
            group["param_names"] = [name for name, _ in entries]
            entries = [p for _, p in entries]
        self._check(entries)
        group["params"] = entries
        self.param_groups.append(group)

    def _check(self, params: list[Any]) -> None:
        for i, p in enumerate(params):
            if not isinstance(p, Tensor):
                raise TypeError(f"optimizer can only optimize Tensors, but one of the params is {type(p).__name__}")
            if not p.is_leaf:
                raise ValueError(
                    f"can't optimize a non-leaf Tensor: parameter {i}, of shape {tuple(p.shape)}, was computed by "
                    f"{p.grad_fn}. Pass the tensors it was computed from, or make it one with .detach()"
                    ".requires_grad_()"
                )
        if len({id(p) for p in params}) < len(params):
            raise ValueError("optimizer contains a parameter group with duplicate parameters")
        taken = {id(p) for group in self.param_groups for p in group["params"]}
        if any(id(p) in taken for p in params):
            raise ValueError("some parameters appear in more than one parameter group")

    # -- hooks ---------------------------------------------------------------------------------------------------

    def register_step_pre_hook(self, hook: Hook) -> RemovableHandle:
        """Call `hook(optimizer, args, kwargs)` before each step; it may return new (args, kwargs)."""
        return RemovableHandle(self._step_pre_hooks, hook)

    def register_step_post_hook(self, hook: Hook) -> RemovableHandle:
        """Call `hook(optimizer, args, kwargs)` after each step."""
        return RemovableHandle(self._step_post_hooks, hook)

    # -- state ---------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """The state and settings as plain containers, parameters by number: {"state": ..., "param_groups": ...}.

        The tensors are the optimizer's own, not copies.
        """
        params = [p for group in self.param_groups for p in group["params"]]
        numbers = {id(p): i for i, p in enumerate(params)}
        groups = [{**group, "params": [numbers[id(p)] for p in group["params"]]} for group in self.param_groups]
        groups = [{k: v for k, v in group.items() if k != "params"} | {"params": group["params"]} for group in groups]
        return {
            "state": {numbers[id(p)]: dict(values) for p, values in self.state.items() if id(p) in numbers},
            "param_groups": groups,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over state and settings saved by `state_dict`; nothing is changed if they do not fit.

        Raises:
            CheckpointError: other numbers of groups or parameters, or other shapes.
        """
        self._check_state(state_dict)
        numbers = [n for group in state_dict["param_groups"] for n in group["params"]]
        params = dict(zip(numbers, (p for group in self.param_groups for p in group["params"]), strict=True))
        state: defaultdict[Tensor, dict[str, Any]] = defaultdict(dict)
        for number, values in state_dict["state"].items():
            state[params[number]] = {name: _adopted(name, value, params[number]) for name, value in values.items()}
        for group, saved in zip(self.param_groups, state_dict["param_groups"], strict=True):
            settings = {name: deepcopy(value) for name, value in saved.items() if name != "params"}
            own = group["params"]
            names = group.get("param_names")
            group.clear()
            group.update({**self.defaults, **settings}, params=own)
            if names is not None:
                group["param_names"] = names
        self.state = state

    def _check_state(self, given: Any) -> None:
        if not isinstance(given, dict) or "state" not in given or "param_groups" not in given:
            raise _Misfit(
                "load_state_dict: expected a dict with the keys 'state' and 'param_groups', as state_dict() gives"
            )
        groups = given["param_groups"]
        if len(groups) != len(self.param_groups):
            raise _Misfit(
                f"loaded state dict has a different number of parameter groups: {len(groups)}, the optimizer has "
                f"{len(self.param_groups)}"
            )
        number_of: dict[Any, Tensor] = {}
        for i, (own, saved) in enumerate(zip(self.param_groups, groups, strict=True)):
            if len(own["params"]) != len(saved["params"]):
                raise _Misfit(
                    f"loaded state dict contains a parameter group that doesn't match the size of optimizer's group: "
                    f"group {i} has {len(saved['params'])} parameters, the optimizer's has {len(own['params'])}"
                )
            number_of.update(zip(saved["params"], own["params"], strict=True))
        for number, values in given["state"].items():
            if number not in number_of:
                raise _Misfit(f"loaded state dict has state for parameter {number!r}, which is in none of its groups")
            self._check_values(number, values, number_of[number])

    @staticmethod
    def _check_values(number: Any, values: dict[str, Any], p: Tensor) -> None:
        for name, value in values.items():
            if isinstance(value, Tensor) and value.ndim and tuple(value.shape) != tuple(p.shape):
                raise _Misfit(
                    f"loaded state dict: '{name}' of parameter {number} has shape {tuple(value.shape)}, the parameter "
                    f"has {tuple(p.shape)}"
                )

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} ("]
        for i, group in enumerate(self.param_groups):
            settings = sorted(key for key in group if key not in ("params", "param_names"))
            lines += [f"Parameter Group {i}", *(f"    {key}: {group[key]}" for key in settings), ""]
        return "\n".join(lines[:-1]) + "\n)"


def _adopted(name: str, value: Any, p: Tensor) -> Any:
    """A loaded value, copied; moments take the parameter's dtype, the step count keeps its own."""
    if name == "step" and isinstance(value, int | float):
        return Tensor._wrap(np.array(value, np.float32))
    if not isinstance(value, Tensor):
        return deepcopy(value)
    dtype = p._array.dtype if name != "step" and p.dtype.is_floating_point else value._array.dtype
    return Tensor._wrap(np.array(value._array, dtype, order="C"))


def _construction_site(instance: Optimizer) -> tuple[CodeType, int] | None:
    """(code, lasti) of the user's line that constructs `instance`: past this package and a subclass's `__init__`."""
    frame: FrameType | None = _frame_at(2)
    while frame is not None:
        code = frame.f_code
        own = code.co_name == "__init__" and frame.f_locals.get(next(iter(code.co_varnames), "")) is instance
        if not own and not inside_package(code):
            return code, frame.f_lasti
        frame = frame.f_back
    return None
