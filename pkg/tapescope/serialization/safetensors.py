"""The safetensors format: a length, a JSON header, the tensors' bytes.

Called by `save` and `load`. Written here rather than through the package of the same name because a file goes straight
from and to the arrays, bfloat16 included, and because a damaged file gets an error that says what is wrong with it.
Invariant: a file is believed only after its header was checked against its length.

Source: https://github.com/huggingface/safetensors (the description of the format in its README).
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from typing import Any, BinaryIO

import numpy as np

from ..dtypes import BY_NAME
from ..errors import CheckpointError

_CODES = {
    "BOOL": "bool", "U8": "uint8", "I8": "int8", "U16": "uint16", "I16": "int16", "U32": "uint32", "I32": "int32",
    "U64": "uint64", "I64": "int64", "F16": "float16", "BF16": "bfloat16", "F32": "float32", "F64": "float64",
    "C64": "complex64",
}  # fmt: skip
DTYPE_OF = {code: BY_NAME[name].dtype for code, name in _CODES.items() if name in BY_NAME}
CODE_OF = {dtype: code for code, dtype in DTYPE_OF.items()}
LONGEST_HEADER = 100_000_000  # bytes, as the reference implementation has it

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


def write(file: BinaryIO, arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> None:
    """Write arrays by name, and metadata, to an open file."""
    # Wide elements first, so that every tensor is aligned; the header keeps the order of the names.
    placed = sorted(arrays, key=lambda name: -arrays[name].dtype.itemsize)
    offsets, end = {}, 0
    for name in placed:
        offsets[name] = [end, end + arrays[name].nbytes]
        end += arrays[name].nbytes
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    for name, array in arrays.items():
        header[name] = {"dtype": CODE_OF[array.dtype], "shape": list(array.shape), "data_offsets": offsets[name]}
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    file.write(len(text).to_bytes(8, "little"))
    file.write(text)
    for name in placed:
        array = np.ascontiguousarray(arrays[name])
        file.write(_little(array).reshape(-1).view(np.uint8).data)


def _little(array: np.ndarray) -> np.ndarray:
    return array if array.dtype.isnative and np.little_endian else array.byteswap()


def read(file: BinaryIO, path: str) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The arrays by name, and the metadata, of an open file.

    Raises:
        CheckpointError: not a safetensors file, or an incomplete or damaged one.
    """
    size = os.fstat(file.fileno()).st_size
    start = file.read(8)
    length = int.from_bytes(start, "little")
    if len(start) < 8 or length < 2 or 8 + length > size or length > LONGEST_HEADER:
        file.seek(0)
        raise _not_safetensors(file.read(64), size, length, path)
    entries = _header(file.read(length), path, size)
    metadata = entries.pop("__metadata__", {})
    if not isinstance(metadata, dict):
        raise _damaged(path, "its __metadata__ is not an object")
    _check(entries, size - 8 - length, path)
    arrays = {}
    for name, entry in entries.items():
        array = np.empty(entry["shape"], DTYPE_OF[entry["dtype"]])
        file.seek(8 + length + entry["data_offsets"][0])
        if array.size and file.readinto(array.reshape(-1).view(np.uint8).data) != array.nbytes:  # type: ignore[attr-defined]
            raise _damaged(path, f"it ended inside the tensor {name!r}")
        arrays[name] = _little(array)
    return arrays, metadata


def _header(text: bytes, path: str, size: int) -> dict[str, Any]:
    try:
        entries = json.loads(text)
    except (ValueError, RecursionError):
        raise _not_safetensors(len(text).to_bytes(8, "little") + text[:56], size, len(text), path) from None
    if not isinstance(entries, dict):
        raise _damaged(path, "its header is not an object")
    return entries


def _check(entries: dict[str, Any], data: int, path: str) -> None:
    """Make sure that every entry is sound, that the tensors lie end to end, and that the file holds them all."""
    spans = []
    for name, entry in entries.items():
        try:
            code, shape, (begin, end) = entry["dtype"], entry["shape"], entry["data_offsets"]
            sound = type(code) is str and all(type(n) is int and n >= 0 for n in (*shape, begin, end))
        except (TypeError, KeyError, ValueError):
            sound = False
        if not sound:
            raise _damaged(path, f"the header's entry for {name!r} is not well formed")
        if code not in DTYPE_OF:
            raise CheckpointError(
                f"load: tensor {name!r} in {path!r} has dtype {code}; known are {', '.join(DTYPE_OF)}.", op="load"
            )
        if end - begin != math.prod(shape) * DTYPE_OF[code].itemsize:
            raise _damaged(path, f"{name!r} of shape {tuple(shape)} and dtype {code} does not fill its {end - begin} bytes")
        spans.append((begin, end, name))
    position = 0
    for begin, end, name in sorted(spans):
        if begin != position:
            raise _damaged(path, f"{name!r} begins at byte {begin} of the data, where {position} was expected")
        position = end
    if position > data:
        raise CheckpointError(
            f"load: {path!r} is cut short: its header promises {position} bytes of tensors, the file has {data}.",
            op="load",
            hint="The download or the writing stopped early: fetch or save it again.",
        )
    if position < data:
        raise _damaged(path, f"{data - position} bytes follow after the last tensor")


def _damaged(path: str, what: str) -> CheckpointError:
    return CheckpointError(
        f"load: {path!r} is not a sound safetensors file: {what}.", op="load", hint="Fetch or save it again."
    )


def _not_safetensors(head: bytes, size: int, length: int, path: str) -> CheckpointError:
    found, hint = _recognised(head, size, length)
    return CheckpointError(
        f"load: {path!r} is not a safetensors file: it is {found}. Expected: 8 bytes with the length of a JSON header, the "
        f"header, the tensors' bytes, as ts.save and the safetensors package write.",
        op="load",
        hint=hint,
    )


def _recognised(head: bytes, size: int, length: int) -> tuple[str, str]:
    """What a file is, by its first bytes, and what to do about it."""
    if size == 0:
        return "empty", "The writing stopped early: fetch or save it again."
    for signature, found, hint in _FOREIGN:
        if head.startswith(signature):
            return found, hint
    if head[8:9] == b"{":
        return (
            f"cut short within its header: {size} bytes of at least {8 + length}",
            "The download or the writing stopped early: fetch or save it again.",
        )
    try:
        shown = head.decode("utf-8")
    except UnicodeDecodeError as error:
        shown = head[: error.start].decode("utf-8") if error.start > len(head) - 4 else ""
    if shown.isprintable() or shown.strip() and all(c.isprintable() or c.isspace() for c in shown):
        kind = "an HTML page" if shown.lstrip().lower().startswith(("<!doctype", "<html")) else "text"
        if shown:
            return f"{kind} beginning {shown[:30]!r}", "Check the path, or the address it was downloaded from."
    return f"{size} bytes beginning {head[:8].hex(' ')}", "Check the path."
