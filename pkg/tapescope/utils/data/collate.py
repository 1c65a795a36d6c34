"""Collating: a list of samples becomes one batch.

Called by `dataloader.DataLoader`, and by a user's own collate function. Invariant: the batch has the structure of one
sample, with a leading batch dimension on every leaf.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...autograd import Tensor
from ...dtypes import BY_NUMPY
from ...errors import DataError
from ...ops.join import stack


def default_collate(batch: Sequence[Any]) -> Any:
    """Stack samples: tensors, arrays and numbers become tensors, containers keep their structure, text stays a list.

    Args:
        batch: the samples, all of one structure. Floats become float64, as in PyTorch.

    Returns:
        A tensor with a leading dimension len(batch), or a dict, list or named tuple of such; the batch of tuples is a
        list.

    Raises:
        DataError: the samples do not have one structure, or not one shape, or hold something that cannot be stacked.
    """
    if not batch:
        raise DataError("default_collate: got an empty batch; expected at least one sample")
    return _collate(batch, "")


def _collate(batch: Sequence[Any], where: str) -> Any:
    first = batch[0]
    if isinstance(first, Tensor | np.ndarray):
        return _stack(batch, where)
    if isinstance(first, str | bytes):
        return batch
    if isinstance(first, Mapping):
        _require_same([list(_require(s, Mapping, i, where)) for i, s in enumerate(batch)], "keys", where)
        return {key: _collate([sample[key] for sample in batch], f"{where}[{key!r}]") for key in first}
    if isinstance(first, Sequence):
        _require_same([len(_require(s, Sequence, i, where)) for i, s in enumerate(batch)], "lengths", where)
        columns = [_collate(tuple(s[i] for s in batch), f"{where}[{i}]") for i in range(len(first))]
        return type(first)(*columns) if hasattr(first, "_fields") else columns
    if isinstance(first, bool | int | float | complex | np.generic):
        return _numbers(batch, where)
    raise DataError(
        f"default_collate: a sample{_at(where)} is {type(first).__name__}; expected tensors, NumPy arrays, numbers, "
        f"dicts, lists or tuples of them.",
        hint="Pass your own collate_fn to the DataLoader, or convert in the data set's __getitem__.",
    )


def _stack(batch: Sequence[Any], where: str) -> Tensor:
    for i, item in enumerate(batch):
        _require(item, Tensor | np.ndarray, i, where)
    shapes = [tuple(item.shape) for item in batch]
    if len(set(shapes)) > 1:
        _require_same(shapes, "shapes", where)
    if any(isinstance(item, Tensor) and item.requires_grad for item in batch):
        return stack([item if isinstance(item, Tensor) else Tensor._wrap(item) for item in batch])
    return _wrap(np.stack([item._array if isinstance(item, Tensor) else item for item in batch]), where)


def _numbers(batch: Sequence[Any], where: str) -> Tensor:
    for i, item in enumerate(batch):
        _require(item, bool | int | float | complex | np.generic, i, where)
    return _wrap(np.stack(batch) if isinstance(batch[0], np.generic) else np.asarray(batch), where)


def _wrap(array: np.ndarray, where: str) -> Tensor:
    if array.dtype not in BY_NUMPY:
        raise DataError(
            f"default_collate: the samples{_at(where)} have NumPy dtype {array.dtype}, which no tensor has.",
            hint="Convert them to numbers in the data set's __getitem__.",
        )
    return Tensor._wrap(array)


def _require(item: Any, kind: Any, position: int, where: str) -> Any:
    if not isinstance(item, kind):
        raise _mismatch(position, where, f"is {type(item).__name__}, unlike the samples before it")
    return item


def _require_same(values: list[Any], what: str, where: str) -> None:
    for i, value in enumerate(values):
        if value != values[0]:
            raise _mismatch(i, where, f"differs in {what}: {value} against {values[0]} in the first of the batch")


def _mismatch(position: int, where: str, text: str) -> DataError:
    error = DataError(
        f"default_collate: sample {position} of the batch{_at(where)} {text}.",
        hint="Pad or crop in the data set's __getitem__, or pass your own collate_fn.",
    )
    error.position = position  # type: ignore[attr-defined]
    return error


def _at(where: str) -> str:
    return f" (at {where})" if where else ""
