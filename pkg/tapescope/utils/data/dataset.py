"""Data sets: what has samples by index, and what is made of others.

Called by the user and by `dataloader.DataLoader`. A data set may have `get_batch(indices)`, which gives a whole collated
batch at once. Invariant: it gives the values that collating the samples one by one gives; a subclass with its own
`__getitem__` falls back to samples.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Any

import numpy as np

from ...autograd import Tensor
from ...backends.random import Generator
from ...ops.random import permutation


class Dataset:
    """Samples by index: a subclass has `__getitem__(index)` and, for most samplers, `__len__()`.

    >>> from tapescope.utils.data import DataLoader, Dataset
    >>> class Squares(Dataset):
    ...     def __len__(self):
    ...         return 5
    ...     def __getitem__(self, index):
    ...         return index * index
    >>> [batch.tolist() for batch in DataLoader(Squares(), batch_size=2)]
    [[0, 1], [4, 9], [16]]
    """

    def __getitem__(self, index: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no __getitem__(index)")

    def __add__(self, other: Dataset) -> ConcatDataset:
        return ConcatDataset([self, other])


class IterableDataset(Dataset):
    """Samples in a stream: a subclass has `__iter__()` and no indices."""

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError(f"{type(self).__name__} has no __iter__()")

    def __getitem__(self, index: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} is a stream: it has no samples by index")


class TensorDataset(Dataset):
    """Tensors of equal length, sliced along their first dimension; sample i is the tuple of their i-th rows.

    Raises:
        ValueError: the first dimensions differ.
    """

    def __init__(self, *tensors: Tensor):
        if not tensors:
            raise ValueError("TensorDataset needs at least one tensor")
        for i, tensor in enumerate(tensors):
            if not isinstance(tensor, Tensor):
                raise TypeError(f"TensorDataset takes tensors, but argument {i} is {type(tensor).__name__}")
            if tensor.ndim == 0:
                raise ValueError(f"TensorDataset needs a first dimension to count samples, but tensor {i} has none")
        if len({len(tensor) for tensor in tensors}) > 1:
            shapes = ", ".join(str(tuple(tensor.shape)) for tensor in tensors)
            raise ValueError(f"Size mismatch between tensors: the first dimensions of {shapes} differ")
        self.tensors = tensors

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        return tuple(tensor[index] for tensor in self.tensors)

    def __len__(self) -> int:
        return len(self.tensors[0])

    def get_batch(self, indices: Sequence[int]) -> list[Tensor]:
        """The rows at `indices` of every tensor: one fancy index per tensor."""
        rows = np.asarray(indices, np.intp)
        return [tensor[rows] if tensor.requires_grad else Tensor._wrap(tensor._array[rows]) for tensor in self.tensors]


class Subset(Dataset):
    """The samples of a data set at the given indices, in their order."""

    def __init__(self, dataset: Dataset, indices: Sequence[int]):
        self.dataset, self.indices = dataset, indices

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, list):
            return self.dataset[[self.indices[i] for i in index]]
        return self.dataset[self.indices[index]]

    def __len__(self) -> int:
        return len(self.indices)

    def get_batch(self, indices: Sequence[int]) -> Any:
        """The batch of the underlying data set at the mapped indices."""
        return self.dataset.get_batch([self.indices[i] for i in indices])  # type: ignore[attr-defined]


def batch_getter(dataset: Any) -> Callable[[Sequence[int]], Any] | None:
    """The data set's `get_batch`, unless a subclass changed `__getitem__` below it, or what it rests on has none."""
    if isinstance(dataset, Subset) and batch_getter(dataset.dataset) is None:
        return None
    for cls in type(dataset).__mro__:
        if "get_batch" in cls.__dict__:
            return dataset.get_batch
        if "__getitem__" in cls.__dict__:
            return None
    return None


class ConcatDataset(Dataset):
    """Data sets one after the other, as one."""

    def __init__(self, datasets: Iterable[Dataset]):
        self.datasets = list(datasets)
        if not self.datasets:
            raise ValueError("datasets should not be an empty iterable")
        for dataset in self.datasets:
            if isinstance(dataset, IterableDataset):
                raise TypeError("ConcatDataset does not support IterableDataset: a stream has no length")
        self.cumulative_sizes = list(accumulate(len(dataset) for dataset in self.datasets))  # type: ignore[arg-type]

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]

    def __getitem__(self, index: int) -> Any:
        if not -len(self) <= index < len(self):
            raise IndexError(f"index {index} is out of range for a ConcatDataset of {len(self)} samples")
        index %= len(self)
        which = bisect.bisect_right(self.cumulative_sizes, index)
        return self.datasets[which][index - (self.cumulative_sizes[which - 1] if which else 0)]


def random_split(dataset: Dataset, lengths: Sequence[float], generator: Generator | None = None) -> list[Subset]:
    """Split a data set at random into subsets without overlap.

    Args:
        dataset: what to split.
        lengths: how many samples each part gets, or fractions that sum to 1; what rounding leaves over goes to the
            first parts, one sample each.
        generator: where the permutation comes from.

    Raises:
        ValueError: the lengths do not sum to the length of the data set.
    """
    total = len(dataset)  # type: ignore[arg-type]
    if math.isclose(sum(lengths), 1) and sum(lengths) <= 1 + 1e-9 and any(length != int(length) for length in lengths):
        lengths = _counts(total, lengths)
    if sum(lengths) != total:
        raise ValueError(
            f"Sum of input lengths does not equal the length of the input dataset: {list(lengths)} sum to "
            f"{sum(lengths)}, the data set has {total} samples"
        )
    order = permutation(total, np.dtype(np.int64), generator).tolist()
    ends = list(accumulate(int(length) for length in lengths))
    return [Subset(dataset, order[end - int(length) : end]) for end, length in zip(ends, lengths, strict=True)]


def _counts(total: int, fractions: Sequence[float]) -> list[int]:
    for i, fraction in enumerate(fractions):
        if not 0 <= fraction <= 1:
            raise ValueError(f"Fraction at index {i} is not between 0 and 1")
    counts = [math.floor(total * fraction) for fraction in fractions]
    for i in range(total - sum(counts)):
        counts[i % len(counts)] += 1
    return counts
