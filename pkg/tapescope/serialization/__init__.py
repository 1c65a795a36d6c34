"""save and load: tensors in plain containers, in one safetensors file, without pickle.

Called by the user for state dicts and training checkpoints. Invariants: nothing in a file is executed; nothing is
written before the whole object is known to be savable; a file is replaced at once or not at all.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..autograd import Tensor
from ..backends.devices import require
from ..errors import CheckpointError
from . import container, safetensors

STRUCTURE = "tapescope.structure"


def save(obj: Any, path: str | os.PathLike[str]) -> None:
    """Save tensors, or dicts, lists and tuples of tensors, numbers and strings, to a safetensors file.

    A state dict keeps its keys, so every reader of safetensors finds them; how things were ordered and nested is
    described in the file's metadata. Tensors that share their memory are stored once. The file appears complete or not at all.

    Args:
        obj: usually `model.state_dict()`, or `{"model": ..., "optimizer": ..., "epoch": 3}`.
        path: the file to write; an existing one is replaced at the end.

    Raises:
        CheckpointError: something in `obj` cannot be saved (named by its place), or the file cannot be written.

    >>> import tempfile, tapescope as ts
    >>> path = tempfile.mkdtemp() + "/model.safetensors"
    >>> ts.save(ts.nn.Linear(2, 1).state_dict(), path)
    >>> list(ts.load(path))
    ['weight', 'bias']
    """
    tensors, structure = container.pack(obj)
    safetensors.write(os.path.realpath(os.fspath(path)), tensors, {"format": "tapescope", STRUCTURE: structure})


def load(path: str | os.PathLike[str], map_location: Any = None) -> Any:
    """Load what `save` wrote, or any safetensors file (as a dict of tensors by name).

    Args:
        path: the file.
        map_location: the device to put the tensors on; the CPU by default.

    Raises:
        CheckpointError: the file is missing, incomplete, or not a safetensors file; says what it is instead.
    """
    require(map_location)
    place = os.fspath(path)
    try:
        arrays, metadata = safetensors.read(place)
    except FileNotFoundError as error:
        raise CheckpointError(f"load: there is no file {place!r}.", op="load", hint=_nearby(Path(place))) from error
    except OSError as error:
        raise CheckpointError(f"load: {place!r} cannot be read ({error.strerror or error}).", op="load") from error
    tensors: Mapping[str, Tensor] = {name: Tensor._wrap(array) for name, array in arrays.items()}
    return container.unpack(tensors, metadata.get(STRUCTURE), place)


def _nearby(path: Path) -> str:
    """What the folder has that the user may have meant."""
    folder = path.parent
    if not folder.is_dir():
        return f"There is no folder {str(folder)!r} either; relative paths start at {os.getcwd()!r}."
    found = sorted(p.name for p in folder.glob("*.safetensors"))[:5]
    listing = "That folder has " + ", ".join(found) + "." if found else "That folder has no *.safetensors file."
    return f"{listing} Relative paths start at {os.getcwd()!r}."
