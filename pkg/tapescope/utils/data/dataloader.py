"""DataLoader: batches of a data set, in order, made in the loop or ahead of it by threads.

Called by the user's loop. Invariant: batches come in the sampler's order whatever the number of workers, and when
iteration ends, by whatever way, no thread is left working.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice, repeat
from typing import Any

from ...backends.random import Generator
from ...errors import DataError
from .collate import default_collate
from .dataset import Dataset, IterableDataset, batch_getter
from .prefetch import END, prefetch
from .sampler import BatchSampler, RandomSampler, Sampler, SequentialSampler


class DataLoader:
    """Iterate over a data set in batches.

    Args:
        dataset: has `__getitem__` and `__len__`, or is an `IterableDataset`.
        batch_size: samples per batch; None gives the samples one by one, uncollated.
        shuffle: a new random order in every pass.
        sampler: the order of indices, in place of `shuffle`.
        batch_sampler: the lists of indices, in place of `batch_size`, `shuffle`, `sampler` and `drop_last`.
        num_workers: how many threads prepare batches ahead; 0 prepares each batch when it is asked for.
        collate_fn: makes a batch of a list of samples; `default_collate` by default.
        drop_last: leave out a last batch that is not full.
        generator: where the order comes from; the global generator by default.
        prefetch_factor: batches prepared ahead per thread, 2 by default.

    Raises:
        DataError: while iterating, a sample could not be loaded or collated; names its index, with the original
            exception as `__cause__`.
        ValueError: arguments that exclude each other.

    >>> import tapescope as ts
    >>> from tapescope.utils.data import DataLoader, TensorDataset
    >>> loader = DataLoader(TensorDataset(ts.arange(5)), batch_size=2)
    >>> [x.tolist() for x, in loader], len(loader)
    ([[0, 1], [2, 3], [4]], 3)
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Sampler | Iterable[Any] | None = None,
        batch_sampler: Sampler | Iterable[Sequence[Any]] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[list[Any]], Any] | None = None,
        drop_last: bool = False,
        generator: Generator | None = None,
        *,
        prefetch_factor: int | None = None,
    ):
        _check_workers(num_workers, prefetch_factor)
        self.dataset, self.num_workers, self.generator = dataset, num_workers, generator
        self.prefetch_factor = 2 if prefetch_factor is None else prefetch_factor
        self.streams = isinstance(dataset, IterableDataset)
        if self.streams and (shuffle or sampler is not None or batch_sampler is not None):
            raise ValueError("DataLoader with IterableDataset: expected no shuffle, sampler or batch_sampler option")
        if sampler is not None and shuffle:
            raise ValueError("sampler option is mutually exclusive with shuffle")
        if batch_sampler is not None:
            if batch_size != 1 or shuffle or sampler is not None or drop_last:
                raise ValueError(
                    "batch_sampler option is mutually exclusive with batch_size, shuffle, sampler, and drop_last"
                )
            batch_size = None
        elif batch_size is None and drop_last:
            raise ValueError("batch_size=None option disables auto-batching and is mutually exclusive with drop_last")
        if sampler is None and not self.streams:
            sampler = RandomSampler(dataset, generator=generator) if shuffle else SequentialSampler(dataset)
        if batch_size is not None and batch_sampler is None:
            batch_sampler = BatchSampler(() if sampler is None else sampler, batch_size, drop_last)
        self.batch_size, self.drop_last = batch_size, drop_last
        self.sampler, self.batch_sampler = sampler, batch_sampler
        self.collate_fn = default_collate if collate_fn is None and batch_sampler is not None else collate_fn

    def __len__(self) -> int:
        if self.streams:
            raise TypeError(f"the length of a loader over the stream {type(self.dataset).__name__} is not known")
        return len(self.sampler if self.batch_sampler is None else self.batch_sampler)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[Any]:
        if self.streams:
            batches = self._stream()
            # A stream has one reading end, so one thread reads it ahead.
            return (
                prefetch(repeat(lambda: next(batches, END)), 1, self.prefetch_factor) if self.num_workers else batches
            )
        if self.batch_sampler is None:
            jobs = (_Job(self._sample, index) for index in self.sampler)  # type: ignore[union-attr]
        else:
            jobs = (_Job(self._batch, indices) for indices in self.batch_sampler)
        if self.num_workers == 0:
            return (job() for job in jobs)
        return prefetch(jobs, self.num_workers, self.num_workers * self.prefetch_factor)

    # -- making one batch ----------------------------------------------------------------------------------------

    def _sample(self, index: Any) -> Any:
        sample = self._fetch(index)
        return sample if self.collate_fn is None else self._collate([index], sample)

    def _batch(self, indices: Sequence[Any]) -> Any:
        get_batch = batch_getter(self.dataset) if self.collate_fn is default_collate else None
        if get_batch is not None:
            try:
                return get_batch(indices)
            except Exception as error:
                raise DataError(
                    f"DataLoader: a batch of {type(self.dataset).__name__} could not be loaded: {_text(error)}. "
                    f"Its indices: {_listing(indices)}."
                ) from error
        return self._collate(indices, [self._fetch(index) for index in indices])

    def _fetch(self, index: Any) -> Any:
        try:
            return self.dataset[index]
        except Exception as error:
            raise _sample_error(self.dataset, index, "could not be loaded", error) from error

    def _collate(self, indices: Sequence[Any], samples: Any) -> Any:
        try:
            return self.collate_fn(samples)  # type: ignore[misc]
        except DataError as error:
            position = getattr(error, "position", None)
            if position is None:
                raise
            raise _sample_error(self.dataset, indices[position], "does not fit its batch", error) from error
        except Exception as error:
            raise DataError(
                f"DataLoader: collate_fn failed on the samples {_listing(indices)} of "
                f"{type(self.dataset).__name__}: {_text(error)}."
            ) from error

    def _stream(self) -> Iterator[Any]:
        """The batches of a stream, or its samples where there is no batch size."""
        numbered = enumerate(self._read())
        if self.batch_size is None:
            for index, sample in numbered:
                yield sample if self.collate_fn is None else self._collate([index], sample)
            return
        while batch := list(islice(numbered, self.batch_size)):
            if len(batch) == self.batch_size or not self.drop_last:
                yield self._collate([index for index, _ in batch], [sample for _, sample in batch])

    def _read(self) -> Iterator[Any]:
        count = 0
        try:
            for sample in self.dataset:
                yield sample
                count += 1
        except Exception as error:
            raise _sample_error(self.dataset, count, "could not be loaded", error, hint=None) from error


class _Job:
    """One batch or sample to make, by whichever thread."""

    __slots__ = ("argument", "make")

    def __init__(self, make: Callable[[Any], Any], argument: Any):
        self.make, self.argument = make, argument

    def __call__(self) -> Any:
        return self.make(self.argument)


def _check_workers(num_workers: int, prefetch_factor: int | None) -> None:
    if not isinstance(num_workers, int) or num_workers < 0:
        raise ValueError(
            f"num_workers option should be a non-negative integer, but got {num_workers}; use num_workers=0 to "
            f"prepare batches without threads"
        )
    if prefetch_factor is not None and (num_workers == 0 or prefetch_factor < 1):
        raise ValueError(
            f"prefetch_factor should be at least 1, and given only with num_workers > 0, but got "
            f"prefetch_factor={prefetch_factor} with num_workers={num_workers}"
        )


def _sample_error(
    dataset: Dataset, index: Any, what: str, error: Exception, hint: str | None = "Look at dataset[{}]."
) -> DataError:
    wrapped = DataError(
        f"DataLoader: sample {index} of {type(dataset).__name__} {what}: {_text(error)}.",
        hint=hint and hint.format(index),
    )
    wrapped.index = index  # type: ignore[attr-defined]
    return wrapped


def _text(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".rstrip(". ")


def _listing(indices: Sequence[Any]) -> str:
    shown = ", ".join(str(index) for index in list(indices)[:8])
    return shown + (f", ... ({len(indices)} in all)" if len(indices) > 8 else "")
