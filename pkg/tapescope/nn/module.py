"""Module: a callable with parameters, buffers and submodules; every layer and every model of the user is one.

Invariant: `__call__` runs `forward` under a Tag that names this module and the calling line, so that every node
recorded inside knows both, and takes the Tag away again however `forward` ends.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from types import CodeType, FrameType
from typing import Any, Self

from ..autograd import STATE, RemovableHandle, Tag, Tensor, composite
from ..errors import inside_package
from . import hooks, state
from .registry import Registry

_frame_at, _new = sys._getframe, object.__new__


def construction_site(instance: object) -> tuple[CodeType, int] | None:
    """(code, lasti) of the user's line that constructs `instance`: past this package and its own `__init__`s."""
    frame: FrameType | None = _frame_at(1)
    while frame is not None:
        code = frame.f_code
        if not inside_package(code) and not _is_init_of(frame, instance):
            return code, frame.f_lasti
        frame = frame.f_back
    return None


def _is_init_of(frame: FrameType, instance: object) -> bool:
    code = frame.f_code
    return code.co_name == "__init__" and bool(code.co_argcount) and frame.f_locals.get(code.co_varnames[0]) is instance


class Module(Registry):
    """The base of layers and models: assign parameters and modules in `__init__`, compute in `forward`.

    >>> import tapescope as ts
    >>> class Scale(ts.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.factor = ts.nn.Parameter(ts.ones(1))
    ...     def forward(self, x):
    ...         return self.factor * x
    >>> [name for name, _ in Scale().named_parameters()]
    ['factor']
    """

    training: bool
    _hooked = False  # whether a hook was ever registered on this module

    def __init__(self) -> None:
        self.__dict__.update(
            training=True,
            _parameters={},
            _buffers={},
            _modules={},
            _non_persistent_buffers_set=set(),
            _forward_pre_hooks={},
            _forward_hooks={},
            _backward_pre_hooks={},
            _backward_hooks={},
            _state_dict_hooks={},
            _load_state_dict_hooks={},
            _site=construction_site(self),
        )

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module computes; every subclass writes its own."""
        raise NotImplementedError(f'Module [{type(self).__name__}] is missing the required "forward" function')

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        # The hot path of small models: a Tag filled by hand takes half the time of one made by its constructor.
        frame, parent = _frame_at(1), STATE.tag
        tag = STATE.tag = _new(Tag)
        tag.module, tag.name, tag.parent, tag.code, tag.lasti = self, None, parent, frame.f_code, frame.f_lasti
        try:
            if self._hooked:
                return hooks.call(self, args, kwargs)
            return self.forward(*args, **kwargs)
        finally:
            STATE.tag = parent

    # -- hooks ---------------------------------------------------------------------------------------------------

    def register_forward_pre_hook(
        self, hook: Callable, *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Call `hook(module, args)` before forward; what it returns, if not None, replaces the positional arguments.

        With `with_kwargs`, `hook(module, args, kwargs)` returns None or the pair (args, kwargs).
        """
        return hooks.add(self, "_forward_pre_hooks", hooks.Hook(hook, with_kwargs), prepend)

    def register_forward_hook(
        self, hook: Callable, *, prepend: bool = False, with_kwargs: bool = False, always_call: bool = False
    ) -> RemovableHandle:
        """Call `hook(module, args, output)` after forward; what it returns, if not None, replaces the output.

        With `with_kwargs` the call is `hook(module, args, kwargs, output)`. With `always_call` the hook also runs
        when forward raised, with output None.
        """
        return hooks.add(self, "_forward_hooks", hooks.Hook(hook, with_kwargs, always_call), prepend)

    def register_full_backward_pre_hook(self, hook: Callable, prepend: bool = False) -> RemovableHandle:
        """Call `hook(module, grad_output)` before the module's backward; a returned value replaces grad_output."""
        return hooks.add(self, "_backward_pre_hooks", hooks.Hook(hook), prepend)

    def register_full_backward_hook(self, hook: Callable, prepend: bool = False) -> RemovableHandle:
        """Call `hook(module, grad_input, grad_output)` once the gradients of the inputs are known.

        What it returns, if not None, replaces grad_input. Both are tuples, one entry per positional tensor argument
        and per output; entries that get no gradient are None.
        """
        return hooks.add(self, "_backward_hooks", hooks.Hook(hook), prepend)

    def register_state_dict_post_hook(self, hook: Callable) -> RemovableHandle:
        """Call `hook(module, state_dict, prefix, local_metadata)` after this module's part of a state dict is made."""
        return hooks.add(self, "_state_dict_hooks", hooks.Hook(hook), False)

    def register_load_state_dict_post_hook(self, hook: Callable) -> RemovableHandle:
        """Call `hook(module, incompatible_keys)` after load_state_dict compared the keys; it may edit the lists."""
        return hooks.add(self, "_load_state_dict_hooks", hooks.Hook(hook), False)

    # -- state ---------------------------------------------------------------------------------------------------

    def state_dict(
        self, *, destination: dict[str, Tensor] | None = None, prefix: str = "", keep_vars: bool = False
    ) -> dict[str, Tensor]:
        """Parameters and persistent buffers by dotted name, sharing memory with the module.

        With `keep_vars` the parameters themselves, otherwise detached tensors.
        """
        return state.state_dict(self, {} if destination is None else destination, prefix, keep_vars)

    @composite
    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> state.IncompatibleKeys:
        """Copy values into parameters and buffers; nothing is changed if anything does not fit.

        Args:
            state_dict: tensors by dotted name.
            strict: also refuse missing and unexpected keys.
            assign: put the given tensors in place of the present ones, instead of copying values into them.

        Returns:
            (missing_keys, unexpected_keys).

        Raises:
            CheckpointError: lists every missing, unexpected and wrongly sized key at once.
        """
        return state.load_state_dict(self, state_dict, strict, assign)

    # -- modes and conversions -----------------------------------------------------------------------------------

    def train(self, mode: bool = True) -> Self:
        """Set training mode on this module and all below it (dropout drops)."""
        if not isinstance(mode, bool):
            raise ValueError("training mode is expected to be boolean")
        for module in self.modules():
            module.__dict__["training"] = mode
        return self

    def eval(self) -> Self:
        """Set evaluation mode: `train(False)`."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Make every parameter record gradients, or freeze them all."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop the gradients of all parameters, or fill them with zeros with `set_to_none=False`."""
        state.zero_grads(self.parameters(), set_to_none)

    def apply(self, fn: Callable[[Module], None]) -> Self:
        """Call `fn` on every submodule, children first, then on this module; used to initialise weights."""
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    def _apply(self, fn: Callable[[Tensor], Tensor]) -> Self:
        """Replace the values of every parameter, its gradient and every buffer by `fn` of them."""
        state.convert(self, fn)
        return self

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """Convert parameters and buffers to a dtype and/or a device; only floating-point values change dtype.

        Called as to(device), to(dtype), to(device, dtype) or to(tensor).
        """
        return self._apply(state.conversion(*args, **kwargs))

    def float(self) -> Self:
        """Convert floating-point parameters and buffers to float32."""
        return self.to("float32")

    def double(self) -> Self:
        """Convert floating-point parameters and buffers to float64."""
        return self.to("float64")

    def half(self) -> Self:
        """Convert floating-point parameters and buffers to float16."""
        return self.to("float16")

    def bfloat16(self) -> Self:
        """Convert floating-point parameters and buffers to bfloat16."""
        return self.to("bfloat16")

    def cpu(self) -> Self:
        """Move parameters and buffers to the CPU."""
        return self.to("cpu")

    def type(self, dst_type: Any) -> Self:
        """Convert every parameter and buffer to a dtype, integers included."""
        return self._apply(lambda t: t.to(dst_type))

    # -- text ----------------------------------------------------------------------------------------------------

    def _get_name(self) -> str:
        return type(self).__name__

    def extra_repr(self) -> str:
        """What the repr shows between the parentheses, before the submodules."""
        return ""

    def __repr__(self) -> str:
        extra = self.extra_repr()
        lines = extra.split("\n") if extra else []
        one_line = len(lines) == 1 and not self._modules
        lines += [f"({name}): " + repr(child).replace("\n", "\n  ") for name, child in self._modules.items()]
        if not lines or one_line:
            return f"{self._get_name()}({''.join(lines)})"
        return f"{self._get_name()}(\n  " + "\n  ".join(lines) + "\n)"

    def __getstate__(self) -> dict[str, Any]:
        # The construction site holds a code object, which a copy may share but pickle cannot store.
        return {name: value for name, value in self.__dict__.items() if name != "_site"} | {"_site": None}
