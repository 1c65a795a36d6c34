"""Files of the safetensors format, through the package of that name; what is wrong with a file that it refuses.

Called by `save` and `load`. Invariant: whatever the package raises about a file leaves here as one CheckpointError that
says what the file is instead, with the package's own error as its cause.

Source: https://github.com/huggingface/safetensors (the description of the format in its README).
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import numpy as np

from ..dtypes import ALL, complex128
from ..errors import CheckpointError

STORABLE = frozenset(kind.dtype for kind in ALL if kind is not complex128)
_LONGEST_HEADER = 100_000_000  # bytes; the package refuses longer ones
_AGAIN = "The download or the writing stopped early: fetch or save it again."

# How other files begin, what they are, and what to do about it.
_FOREIGN = (
    (b"PK\x03\x04", "a zip archive, as torch.save, numpy.savez and Keras write",
     "In PyTorch: safetensors.torch.save_file(torch.load(path), new_path); an .npz opens with numpy.load."),
    (b"\x80", "a pickle, which runs code when it is loaded", "Convert it where you trust it, with safetensors."),
    (b"\x93NUMPY", "a NumPy array (.npy)", "Open it with ts.from_numpy(numpy.load(path))."),
    (b"\x89HDF", "an HDF5 file, as Keras writes", "Convert it with h5py and safetensors."),
    (b"GGUF", "a GGUF file", "Look for the model's safetensors version."),
    (b"\x1f\x8b", "a gzip archive", "Unpack it first."),
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself", "Run git lfs pull."),
)  # fmt: skip


def write(path: str, arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> None:
    """Write arrays of STORABLE dtypes by name, and metadata, to a file, which appears complete or not at all.

    Raises:
        CheckpointError: it cannot be written; a file that was there is unchanged.
    """
    from safetensors import SafetensorError

    temporary = f"{path}.{secrets.token_hex(4)}.tmp"
    try:
        try:
            _write_new(temporary, arrays, metadata)
            os.replace(temporary, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise
    except (OSError, SafetensorError, UnicodeError) as error:  # UnicodeError: a name that UTF-8 does not have
        raise CheckpointError(
            f"save: {path!r} could not be written ({getattr(error, 'strerror', None) or error}). A file that was there is "
            f"unchanged.",
            op="save",
            hint="Check that the folder exists, and that there is room and permission to write.",
        ) from error


def _write_new(path: str, arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> None:
    from safetensors.numpy import save_file

    with open(path, "xb") as file:
        mode = os.fstat(file.fileno()).st_mode & 0o777
    # The package writes from the address of an array's first element on, whatever its strides.
    save_file({name: np.asarray(array, order="C") for name, array in arrays.items()}, path, dict(metadata))
    os.chmod(path, mode)  # as any new file here: safetensors 0.8 makes it readable by its owner only
    with open(path, "rb+") as file:
        os.fsync(file.fileno())


def read(path: str) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The arrays by name, and the metadata, of a file.

    Raises:
        CheckpointError: not a safetensors file, or an incomplete or damaged one.
    """
    from safetensors import SafetensorError, safe_open

    with open(path, "rb") as file:  # here, because the package's errors about folders and permissions say less
        head, size = file.read(64), os.fstat(file.fileno()).st_size
    try:
        with safe_open(path, framework="numpy") as opened:
            return {name: _array(opened, name, path) for name in opened.keys()}, opened.metadata() or {}  # noqa: SIM118
    except SafetensorError as error:
        raise _refused(path, head, size, str(error).removeprefix("Error while deserializing header: ")) from error


def _array(opened: Any, name: str, path: str) -> np.ndarray:
    try:
        return opened.get_tensor(name)
    except AttributeError as error:  # the package asks NumPy for a dtype that it does not have
        code, known = opened.get_slice(name).get_dtype(), ", ".join(sorted(kind.name for kind in STORABLE))
        raise CheckpointError(
            f"load: tensor {name!r} in {path!r} has dtype {code}; known are {known}.",
            op="load",
            hint="Convert it with the program that wrote it.",
        ) from error
    except ValueError as error:
        shape = tuple(opened.get_slice(name).get_shape())
        raise _damaged(path, f"tensor {name!r} has the shape {shape} ({error})") from error


def _refused(path: str, head: bytes, size: int, words: str) -> CheckpointError:
    """What is wrong with a file that the package refused in these words."""
    data = 8 + int.from_bytes(head[:8], "little")
    if head[8:9] != b"{" or data - 8 > _LONGEST_HEADER:
        found, hint = _recognised(head, size)
        return CheckpointError(
            f"load: {path!r} is not a safetensors file: it is {found}. Expected: 8 bytes with the length of a JSON header, "
            f"the header, the tensors' bytes, as ts.save and the safetensors package write.",
            op="load",
            hint=hint,
        )
    if size < data:
        cut = f"cut short within its header: the file has {size} bytes of at least {data}"
    elif size - data < (promised := _promised(path, data)):
        cut = f"cut short: its header promises {promised} bytes of tensors, the file has {size - data} ({words})"
    else:
        return _damaged(path, words)
    return CheckpointError(f"load: {path!r} is {cut}.", op="load", hint=_AGAIN)


def _promised(path: str, data: int) -> int:
    """The bytes of tensors that the header announces; 0 where that cannot be told."""
    try:
        with open(path, "rb") as file:
            header = json.loads(file.read(data)[8:])
        ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
        return max(end for end in ends if type(end) is int)
    except (OSError, ValueError, TypeError, LookupError, RecursionError):
        return 0


def _damaged(path: str, what: str) -> CheckpointError:
    return CheckpointError(
        f"load: {path!r} is not a sound safetensors file: {what}.", op="load", hint="Fetch or save it again."
    )


def _recognised(head: bytes, size: int) -> tuple[str, str]:
    """What a file is, by its first bytes, and what to do about it."""
    if size == 0:
        return "empty", _AGAIN
    for signature, found, hint in _FOREIGN:
        if head.startswith(signature):
            return found, hint
    try:
        shown = head.decode("utf-8")
    except UnicodeDecodeError as error:
        shown = head[: error.start].decode("utf-8") if error.start > len(head) - 4 else ""
    if shown.isprintable() or shown.strip() and all(c.isprintable() or c.isspace() for c in shown):
        kind = "an HTML page" if shown.lstrip().lower().startswith(("<!doctype", "<html")) else "text"
        if shown:
            return f"{kind} beginning {shown[:30]!r}", "Check the path, or the address it was downloaded from."
    return f"{size} bytes beginning {head[:8].hex(' ')}", "Check the path."
