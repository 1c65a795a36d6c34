"""Plain containers as a flat dict of arrays and a JSON text that says how they were nested, and back.

Called by `save` and `load`. Invariant: `unpack(pack(x))` gives equal values, types and sharing for everything that
`pack` takes; it refuses all else before a byte is written.

In the JSON text a number, string, bool or null stands for itself; {"t": name} is a tensor, {"l": [...]} a list,
{"u": [...]} a tuple, {"d": [[key, value], ...]} a dict, {"f": "nan"} a float that JSON does not have.
"""

from __future__ import annotations

import json
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..autograd import Size, Tensor
from ..errors import CheckpointError
from .safetensors import STORABLE

_KEYS = (str, int, float, bool, type(None))


def pack(obj: Any) -> tuple[dict[str, np.ndarray], str]:
    """The arrays of `obj` by name, and its structure. A state dict's arrays keep its keys as their names."""
    packer = _Packer()
    try:
        structure = packer.pack(obj, ())
    except RecursionError:
        raise CheckpointError("save: the object is nested too deeply; nothing was written.", op="save") from None
    return packer.arrays, json.dumps(structure, separators=(",", ":"), allow_nan=False)


class _Packer:
    """Walks an object once; collects arrays by name, and finds those that share their memory."""

    def __init__(self) -> None:
        self.arrays: dict[str, np.ndarray] = {}
        self.names: dict[tuple, str] = {}
        self.open: set[int] = set()

    def pack(self, value: Any, path: tuple) -> Any:
        """The structure of `value`, which stands at `path` inside the object."""
        kind = type(value)
        if value is None or kind in (bool, int, str):
            return value
        if kind is float:
            return value if value - value == 0 else {"f": str(value)}
        if isinstance(value, Tensor):
            return {"t": self.tensor(value, ".".join(map(str, path)) or "tensor", path)}
        if kind not in (dict, OrderedDict, defaultdict, list, tuple, Size):
            raise _refused(value, path)
        if id(value) in self.open:
            raise CheckpointError(f"save: the {kind.__name__} at {_place(path)} contains itself.", op="save")
        self.open.add(id(value))
        try:
            return self._container(value, path)
        finally:
            self.open.discard(id(value))

    def _container(self, value: Any, path: tuple) -> Any:
        if isinstance(value, dict):
            for key in value:
                if type(key) not in _KEYS:
                    raise CheckpointError(
                        f"save: the dict at {_place(path)} has a key of type {type(key).__name__}: {key!r}. Keys may be "
                        f"strings, numbers, bools and None.",
                        op="save",
                    )
            return {"d": [[self.pack(key, path), self.pack(v, (*path, key))] for key, v in value.items()]}
        items = [self.pack(item, (*path, i)) for i, item in enumerate(value)]
        return {"l" if isinstance(value, list) else "u": items}

    def tensor(self, tensor: Tensor, name: str, path: tuple) -> str:
        """The name under which the tensor's array is stored; the same one for the same memory."""
        array = tensor._array
        if array.dtype not in STORABLE:
            raise CheckpointError(
                f"save: the tensor at {_place(path)} has dtype {tensor.dtype}, which safetensors does not have.",
                op="save",
                hint="Convert it first, for instance with ts.view_as_real or .to().",
            )
        identity = (array.__array_interface__["data"][0], array.shape, array.strides, array.dtype)
        if array.size and identity in self.names:
            return self.names[identity]
        unique, count = name, 1
        while unique in self.arrays or unique == "__metadata__":
            count += 1
            unique = f"{name}#{count}"
        self.arrays[unique] = array
        self.names[identity] = unique
        return unique


def _refused(value: Any, path: tuple) -> CheckpointError:
    kind = type(value)
    hint = "Leave it out, or save what it is made of."
    if hasattr(value, "state_dict"):
        hint = "Save its .state_dict()."
    elif isinstance(value, np.ndarray):
        hint = "Make it a tensor: ts.from_numpy(array)."
    elif isinstance(value, np.generic):
        hint = "Make it a Python number: value.item()."
    elif isinstance(value, set | frozenset):
        hint = "Make it a list: sorted(value)."
    module = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    return CheckpointError(
        f"save: the object at {_place(path)} is a {module}{kind.__qualname__}. A file holds tensors, dicts, lists, tuples, "
        f"strings, numbers, bools and None; nothing was written.",
        op="save",
        hint=hint,
    )


def _place(path: tuple) -> str:
    return "the top" if not path else "obj" + "".join(f"[{key!r}]" for key in path)


# -- and back ----------------------------------------------------------------------------------------------------


def unpack(tensors: Mapping[str, Tensor], structure: str | None, path: str) -> Any:
    """The object that `pack` took, from tensors by name and its structure.

    Raises:
        CheckpointError: the structure does not fit the tensors.
    """
    if structure is None:
        return dict(tensors)
    try:
        return _built(json.loads(structure), tensors)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise CheckpointError(
            f"load: the structure described in {path!r} does not fit its tensors ({type(error).__name__}: {error}).",
            op="load",
            hint="Fetch or save the file again.",
        ) from error


def _built(node: Any, tensors: Mapping[str, Tensor]) -> Any:
    if not isinstance(node, dict):
        if isinstance(node, list):
            raise TypeError("a list stands where a value was expected")
        return node
    ((kind, content),) = node.items()
    build: Callable[[], Any] = {
        "t": lambda: tensors[content],
        "l": lambda: [_built(item, tensors) for item in content],
        "u": lambda: tuple(_built(item, tensors) for item in content),
        "d": lambda: {_built(key, tensors): _built(value, tensors) for key, value in content},
        "f": lambda: float(content),
    }[kind]
    return build()
