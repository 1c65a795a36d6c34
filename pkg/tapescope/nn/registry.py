"""What a module owns: its parameters, buffers and submodules, and the attribute rules that keep the three apart.

`module.Module` is built on `Registry`. Invariant: a name lives in exactly one of `_parameters`, `_buffers`,
`_modules` and the instance's own `__dict__`; whatever is assigned decides which.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from ..autograd import Tensor
from .parameter import Buffer, Parameter

if TYPE_CHECKING:
    from .module import Module

T = TypeVar("T")
REGISTRIES = ("_parameters", "_buffers", "_modules")


class MissingAttributeError(AttributeError):
    """An attribute that a module does not have; the search for close names waits until the text is read."""

    def __init__(self, module: Registry, name: str):
        # With `name` set and `obj` unset, Python's own "Did you mean" stays out of the way of ours.
        super().__init__(name=name)
        self.module = module

    def __str__(self) -> str:
        """The complete message, with the closest existing name where one is close."""
        text = f"'{type(self.module).__name__}' object has no attribute '{self.name}'"
        if "_parameters" not in self.module.__dict__:
            return text + ". Call super().__init__() at the start of the module's __init__"
        close = difflib.get_close_matches(
            str(self.name), [n for n in dir(self.module) if n[:1] != "_"], n=3, cutoff=0.6
        )
        return text + (". Did you mean: " + ", ".join(f"'{n}'" for n in close) + "?" if close else "")


def type_label(value: object) -> str:
    """The type's name as an error message shows it: without the module for builtins, short for ours."""
    cls = type(value)
    if cls.__module__ == "builtins":
        return cls.__qualname__
    if cls.__module__.split(".")[0] == __name__.split(".")[0]:
        return f"ts.{'nn.' if isinstance(value, (Registry, Parameter, Buffer)) else ''}{cls.__qualname__}"
    return f"{cls.__module__}.{cls.__qualname__}"


class Registry:
    """Named parameters, buffers and submodules, with PyTorch's rules for assigning, reading and deleting them."""

    # Declared for type checkers only; the dictionaries are made in Module.__init__.
    _parameters: dict[str, Parameter | None]
    _buffers: dict[str, Tensor | None]
    _modules: dict[str, Module | None]
    _non_persistent_buffers_set: set[str]

    # -- attributes ----------------------------------------------------------------------------------------------

    def __getattr__(self, name: str) -> Any:
        own = self.__dict__
        for registry in REGISTRIES:
            entries = own.get(registry)
            if entries is not None and name in entries:
                return entries[name]
        raise MissingAttributeError(self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        own = self.__dict__
        parameters, modules, buffers = own.get("_parameters"), own.get("_modules"), own.get("_buffers")
        if isinstance(value, Parameter):
            self._require_init(parameters, "parameters")
            self._forget(name, keep="_parameters")
            self.register_parameter(name, value)
        elif isinstance(value, Registry):
            if parameters is not None and name in parameters:
                raise TypeError(_refusal(value, "parameter", name, "ts.nn.Parameter"))
            self._require_init(modules, "module")
            self._forget(name, keep="_modules")
            own["_modules"][name] = value
        elif parameters is not None and name in parameters:
            if value is not None:
                raise TypeError(_refusal(value, "parameter", name, "ts.nn.Parameter"))
            parameters[name] = None
        elif modules is not None and name in modules:
            if value is not None:
                raise TypeError(_refusal(value, "child module", name, "ts.nn.Module"))
            modules[name] = None
        elif isinstance(value, Buffer) or (buffers is not None and name in buffers):
            self._require_init(buffers, "buffer")
            self._set_buffer(name, value)
        else:
            object.__setattr__(self, name, value)

    def _set_buffer(self, name: str, value: Any) -> None:
        if value is not None and not isinstance(value, Tensor):
            raise TypeError(_refusal(value, "buffer", name, "ts.nn.Buffer, ts.Tensor"))
        persistent = value.persistent if isinstance(value, Buffer) else name not in self._non_persistent_buffers_set
        if isinstance(value, Buffer):
            self._forget(name, keep="_buffers")
        self.register_buffer(name, value, persistent)

    def __delattr__(self, name: str) -> None:
        for registry in REGISTRIES:
            if name in self.__dict__.get(registry, ()):
                del self.__dict__[registry][name]
                self._non_persistent_buffers_set.discard(name)
                return
        if name not in self.__dict__:
            raise MissingAttributeError(self, name)
        object.__delattr__(self, name)

    def __dir__(self) -> list[str]:
        names = set(dir(type(self))) | set(self.__dict__)
        for registry in REGISTRIES:
            names.update(self.__dict__.get(registry, ()))
        return sorted(n for n in names if not n[:1].isdigit())

    def _require_init(self, entries: dict | None, what: str) -> None:
        if entries is None:
            raise AttributeError(
                f"cannot assign {what} before Module.__init__() call. "
                f"Write super().__init__() as the first line of {type(self).__name__}.__init__"
            )

    def _forget(self, name: str, keep: str) -> None:
        """Remove `name` from every place but the registry `keep`."""
        self.__dict__.pop(name, None)
        for registry in REGISTRIES:
            if registry != keep:
                self.__dict__[registry].pop(name, None)
        if keep != "_buffers":
            self._non_persistent_buffers_set.discard(name)

    # -- registering ---------------------------------------------------------------------------------------------

    def _check_name(self, kind: str, name: str, registry: str) -> None:
        if registry not in self.__dict__:
            self._require_init(None, kind)
        if not isinstance(name, str):
            raise TypeError(f"{kind} name should be a string. Got {type_label(name)}")
        if "." in name:
            raise KeyError(f'{kind} name can\'t contain ".", got: {name}')
        if name == "":
            raise KeyError(f'{kind} name can\'t be empty string ""')
        if name not in self.__dict__[registry] and hasattr(self, name):
            raise KeyError(f"attribute '{name}' already exists")

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Add a parameter under `name`; None reserves the name without a value."""
        self._check_name("parameter", name, "_parameters")
        if param is not None and not isinstance(param, Parameter):
            raise TypeError(
                f"cannot assign '{type_label(param)}' object to parameter '{name}' (ts.nn.Parameter or None required)"
            )
        if param is not None and param.grad_fn is not None:
            raise ValueError(
                f"Cannot assign non-leaf Tensor to parameter '{name}'. Model parameters must be created explicitly. "
                f"To express '{name}' as a function of another Tensor, compute the value in the forward() method."
            )
        self._parameters[name] = param

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Add a tensor that is part of the state but not trained; `persistent=False` keeps it out of state_dict."""
        self._check_name("buffer", name, "_buffers")
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(
                f"cannot assign '{type_label(tensor)}' object to buffer '{name}' (ts.Tensor or None required)"
            )
        self._buffers[name] = tensor
        if persistent:
            self._non_persistent_buffers_set.discard(name)
        else:
            self._non_persistent_buffers_set.add(name)

    def add_module(self, name: str, module: Module | None) -> None:
        """Add a submodule under `name`."""
        if module is not None and not isinstance(module, Registry):
            raise TypeError(f"{type_label(module)} is not a Module subclass")
        self._check_name("module", name, "_modules")
        self._modules[name] = module

    def register_module(self, name: str, module: Module | None) -> None:
        """The same as `add_module`."""
        self.add_module(name, module)

    # -- walking -------------------------------------------------------------------------------------------------

    def named_modules(
        self, memo: set | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """This module and all below it, depth first, as (dotted name, module); a shared module comes once."""
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self  # type: ignore[misc]
        for name, child in self._modules.items():
            if child is not None:
                yield from child.named_modules(memo, f"{prefix}.{name}" if prefix else name, remove_duplicate)

    def modules(self, remove_duplicate: bool = True) -> Iterator[Module]:
        """This module and all below it."""
        for _, module in self.named_modules(remove_duplicate=remove_duplicate):
            yield module

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The direct submodules as (name, module); a shared one comes once."""
        seen = set()
        for name, module in self._modules.items():
            if module is not None and module not in seen:
                seen.add(module)
                yield name, module

    def children(self) -> Iterator[Module]:
        """The direct submodules."""
        for _, module in self.named_children():
            yield module

    def _named_entries(
        self, registry: str, prefix: str, recurse: bool, remove_duplicate: bool
    ) -> Iterator[tuple[str, Any]]:
        seen: set[int] = set()
        owners = self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate) if recurse else [(prefix, self)]
        for path, owner in owners:
            for name, entry in owner.__dict__[registry].items():
                if entry is None or id(entry) in seen:
                    continue
                if remove_duplicate:
                    seen.add(id(entry))
                yield (f"{path}.{name}" if path else name), entry

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """The parameters as (dotted name, parameter); a shared parameter comes once."""
        yield from self._named_entries("_parameters", prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """The parameters, as an optimizer takes them."""
        for _, parameter in self.named_parameters(recurse=recurse):
            yield parameter

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """The buffers as (dotted name, tensor); a shared buffer comes once."""
        yield from self._named_entries("_buffers", prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """The buffers."""
        for _, buffer in self.named_buffers(recurse=recurse):
            yield buffer

    # -- reaching by path ----------------------------------------------------------------------------------------

    def get_submodule(self, target: str) -> Module:
        """The submodule at a dotted path; the empty path is this module."""
        module: Any = self
        for name in target.split(".") if target else ():
            if name not in module._modules and not hasattr(module, name):
                raise AttributeError(f"{type(module).__name__} has no attribute `{name}`")
            module = getattr(module, name)
            if not isinstance(module, Registry):
                raise AttributeError(f"`{name}` is not an nn.Module")
        return module

    def _get_entry(self, target: str, cls: type[T], what: str, registry: str) -> T:
        path, _, name = target.rpartition(".")
        owner = self.get_submodule(path)
        if not hasattr(owner, name):
            raise AttributeError(f"{type(owner).__name__} has no attribute `{name}`")
        entry = getattr(owner, name)
        if not isinstance(entry, cls) or name not in owner.__dict__[registry]:
            raise AttributeError(f"`{name}` is not {what}")
        return entry

    def get_parameter(self, target: str) -> Parameter:
        """The parameter at a dotted path."""
        return self._get_entry(target, Parameter, "an nn.Parameter", "_parameters")

    def get_buffer(self, target: str) -> Tensor:
        """The buffer at a dotted path."""
        return self._get_entry(target, Tensor, "a buffer", "_buffers")


def _refusal(value: object, kind: str, name: str, expected: str) -> str:
    text = f"cannot assign '{type_label(value)}' as {kind} '{name}' ({expected} or None expected)"
    if kind == "parameter" and isinstance(value, Tensor):
        text += (
            f". To change its values, write into it under `with ts.no_grad():` (self.{name}.copy_(...)); "
            f"to replace it, assign ts.nn.Parameter(...)"
        )
    return text
