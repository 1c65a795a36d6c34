"""Samplers: in which order a data set is read.

Called by `dataloader.DataLoader`. Invariant: the order depends on the generator alone, so a seed repeats it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence, Sized
from typing import Any

import numpy as np

from ...backends.random import Generator
from ...ops.random import choose, integers, permutation

_INT64 = np.dtype(np.int64)


class Sampler:
    """An order of indices: a subclass has `__iter__()` and, where it is known, `__len__()`."""

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError(f"{type(self).__name__} has no __iter__()")


class SequentialSampler(Sampler):
    """0, 1, 2, ... in order."""

    def __init__(self, data_source: Sized):
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(Sampler):
    """Every index once in random order; with `replacement`, independent draws.

    Args:
        data_source: what is sampled; only its length matters.
        replacement: draw each index anew.
        num_samples: how many indices; the length of the data set by default.
        generator: where the random numbers come from.
    """

    def __init__(
        self,
        data_source: Sized,
        replacement: bool = False,
        num_samples: int | None = None,
        generator: Generator | None = None,
    ):
        if not isinstance(replacement, bool):
            raise TypeError(f"replacement should be a boolean value, but got replacement={replacement}")
        _check_count("num_samples", num_samples)
        self.data_source, self.replacement, self.generator = data_source, replacement, generator
        self._num_samples = num_samples

    @property
    def num_samples(self) -> int:
        """How many indices one pass gives."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def __iter__(self) -> Iterator[int]:
        count, total = self.num_samples, len(self.data_source)
        if self.replacement:
            yield from integers((count,), _INT64, self.generator, 0, total).tolist()
            return
        while count > 0:
            order = permutation(total, _INT64, self.generator).tolist()
            yield from order[:count]
            count -= len(order)
            if not order:
                return

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(Sampler):
    """The given indices, each once, in random order."""

    def __init__(self, indices: Sequence[int], generator: Generator | None = None):
        self.indices, self.generator = indices, generator

    def __iter__(self) -> Iterator[int]:
        for i in permutation(len(self.indices), _INT64, self.generator).tolist():
            yield self.indices[i]

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(Sampler):
    """Indices drawn with probabilities proportional to the given weights.

    Args:
        weights: one weight per sample, not negative, not all zero; they need not sum to 1.
        num_samples: how many indices.
        replacement: draw independently; otherwise each index at most once.
        generator: where the random numbers come from.
    """

    def __init__(
        self, weights: Sequence[float], num_samples: int, replacement: bool = True, generator: Generator | None = None
    ):
        _check_count("num_samples", num_samples)
        self.weights = np.asarray([float(w) for w in weights], np.float64)
        if self.weights.ndim != 1 or not np.isfinite(self.weights).all() or (self.weights < 0).any():
            raise ValueError("weights should be a sequence of finite numbers that are not negative")
        if not self.weights.sum() > 0:
            raise ValueError("weights should not all be zero")
        if not replacement and num_samples > np.count_nonzero(self.weights):
            raise ValueError(
                f"cannot draw {num_samples} samples without replacement: "
                f"{np.count_nonzero(self.weights)} weights are greater than zero"
            )
        self.num_samples, self.replacement, self.generator = num_samples, replacement, generator

    def __iter__(self) -> Iterator[int]:
        # Weights of zero are left out first, so that rounding can never draw them.
        possible = np.flatnonzero(self.weights)
        drawn = choose(self.weights[possible], self.num_samples, self.replacement, self.generator)
        return iter(possible[drawn].tolist())

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler):
    """Lists of `batch_size` indices from another sampler; the last may be shorter unless `drop_last`."""

    def __init__(self, sampler: Iterable[Any], batch_size: int, drop_last: bool):
        _check_count("batch_size", batch_size)
        if not isinstance(drop_last, bool):
            raise ValueError(f"drop_last should be a boolean value, but got drop_last={drop_last}")
        self.sampler, self.batch_size, self.drop_last = sampler, batch_size, drop_last

    def __iter__(self) -> Iterator[list[Any]]:
        batch: list[Any] = []
        for index in self.sampler:
            batch.append(index)
            if len(batch) == self.batch_size:
                yield batch
                batch = []
        if batch and not self.drop_last:
            yield batch

    def __len__(self) -> int:
        count = len(self.sampler)  # type: ignore[arg-type]
        return count // self.batch_size if self.drop_last else math.ceil(count / self.batch_size)


def _check_count(name: str, value: int | None) -> None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value <= 0):
        raise ValueError(f"{name} should be a positive integer value, but got {name}={value}")
