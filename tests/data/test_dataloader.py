"""DataLoader: order, batches, threads, errors that name the sample."""

import threading
import time

import numpy as np
import pytest
import tapescope as ts
from tapescope import errors
from tapescope.utils.data import (
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    Subset,
    TensorDataset,
)


class Squares(Dataset):
    def __init__(self, n=20, bad=None, delay=0.0):
        self.n, self.bad, self.delay = n, bad, delay

    def __len__(self):
        return self.n

    def __getitem__(self, i):
        time.sleep(self.delay * (1 + i % 3))
        if i == self.bad:
            raise TypeError("no such record")
        return ts.tensor([float(i), 1.0]), i * i


class Stream(IterableDataset):
    def __init__(self, n, bad=None):
        self.n, self.bad = n, bad

    def __iter__(self):
        for i in range(self.n):
            if i == self.bad:
                raise ValueError("broken line")
            yield i


def loader_threads():
    return [t for t in threading.enumerate() if t.name.startswith("tapescope-loader")]


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_batches_come_in_order(workers):
    loader = DataLoader(Squares(delay=0.001 if workers else 0), batch_size=6, num_workers=workers)
    batches = list(loader)
    assert [y.tolist() for _, y in batches] == [[i * i for i in range(s, min(s + 6, 20))] for s in (0, 6, 12, 18)]
    assert batches[0][0].shape == (6, 2) and len(loader) == 4 and len(DataLoader(Squares(), 6, drop_last=True)) == 3
    assert not loader_threads()


def test_shuffle_follows_the_seed():
    data = TensorDataset(ts.arange(50))
    first = [x.tolist() for (x,) in DataLoader(data, 7, shuffle=True, generator=ts.Generator().manual_seed(1))]
    again = [
        x.tolist() for (x,) in DataLoader(data, 7, shuffle=True, generator=ts.Generator().manual_seed(1), num_workers=2)
    ]
    assert first == again and sorted(sum(first, [])) == list(range(50))
    ts.manual_seed(0)
    loader = DataLoader(data, 50, shuffle=True)
    passes = [next(iter(loader))[0].tolist() for _ in range(2)]
    ts.manual_seed(0)
    assert passes[0] != passes[1] and passes == [next(iter(loader))[0].tolist() for _ in range(2)]


def test_a_tensor_dataset_is_not_read_by_sample(monkeypatch):
    data = TensorDataset(ts.arange(10), ts.arange(10) * 2)
    monkeypatch.setattr(TensorDataset, "get_batch", lambda self, indices: list(indices))
    assert list(DataLoader(Subset(data, [9, 8, 7]), 2)) == [[9, 8], [7]]


def test_a_subclass_with_its_own_samples_is_read_by_sample():
    class Doubled(TensorDataset):
        def __getitem__(self, i):
            return 2 * i

    data = Doubled(ts.arange(4))
    assert [b.tolist() for b in DataLoader(data, 2)] == [[0, 2], [4, 6]]
    assert [b.tolist() for b in DataLoader(Subset(data, [3]), 2)] == [[6]]
    assert list(DataLoader(TensorDataset(ts.arange(2)), 2, collate_fn=len)) == [2]


def test_fast_batches_equal_collated_samples():
    data = TensorDataset(ts.randn(9, 3), ts.arange(9))
    fast = DataLoader(data, 4)
    slow = DataLoader(data, 4, collate_fn=lambda samples: ts.utils.data.default_collate(samples))
    for a, b in zip(fast, slow, strict=True):
        assert type(a) is type(b) and all(np.array_equal(x.numpy(), y.numpy()) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("workers", [0, 2])
def test_a_bad_sample_is_named_with_its_cause(workers):
    with pytest.raises(
        errors.DataError, match=r"sample 13 of Squares could not be loaded: TypeError: no such record"
    ) as caught:
        list(DataLoader(Squares(bad=13), batch_size=4, num_workers=workers))
    assert isinstance(caught.value.__cause__, TypeError) and caught.value.index == 13
    assert not loader_threads()


def test_a_sample_that_does_not_fit_its_batch_is_named():
    class Ragged(Squares):
        def __getitem__(self, i):
            return ts.ones(3 if i == 5 else 2)

    with pytest.raises(errors.DataError, match=r"sample 5 of Ragged does not fit its batch.*\(3,\) against \(2,\)"):
        list(DataLoader(Ragged(), batch_size=4))
    with pytest.raises(errors.DataError, match=r"collate_fn failed on the samples 0, 1 of Squares: ZeroDivisionError"):
        list(DataLoader(Squares(), batch_size=2, collate_fn=lambda samples: 1 / 0))


def test_an_index_out_of_range_in_a_fast_batch():
    with pytest.raises(errors.DataError, match="Its indices: 0, 99") as caught:
        list(DataLoader(TensorDataset(ts.arange(3)), batch_sampler=[[0, 99]]))
    assert isinstance(caught.value.__cause__, IndexError)


@pytest.mark.parametrize("end", ["break", "raise", "interrupt"])
def test_leaving_early_leaves_no_thread(end):
    loader = DataLoader(Squares(200, delay=0.002), batch_size=2, num_workers=4)
    try:
        for i, _ in enumerate(loader):
            if i == 2 and end == "break":
                break
            if i == 2:
                raise KeyboardInterrupt if end == "interrupt" else RuntimeError
    except (RuntimeError, KeyboardInterrupt):
        pass
    deadline = time.monotonic() + 2
    while loader_threads() and time.monotonic() < deadline:
        time.sleep(0.005)
    assert not loader_threads()
    assert len(list(DataLoader(Squares(4), num_workers=2))) == 4


def test_prefetching_is_bounded():
    made = []

    class Counted(Squares):
        def __getitem__(self, i):
            made.append(i)
            return i

    batches = iter(DataLoader(Counted(100), batch_size=1, num_workers=2, prefetch_factor=3))
    next(batches)
    time.sleep(0.05)
    assert len(made) <= 7
    batches.close()


@pytest.mark.parametrize("workers", [0, 3])
def test_streams(workers):
    loader = DataLoader(Stream(7), batch_size=3, num_workers=workers)
    assert [b.tolist() for b in loader] == [[0, 1, 2], [3, 4, 5], [6]]
    assert [b.tolist() for b in DataLoader(Stream(7), 3, drop_last=True, num_workers=workers)] == [[0, 1, 2], [3, 4, 5]]
    assert list(DataLoader(Stream(3), batch_size=None, num_workers=workers)) == [0, 1, 2]
    with pytest.raises(TypeError, match="length of a loader over the stream Stream"):
        len(loader)
    with pytest.raises(errors.DataError, match="sample 4 of Stream could not be loaded: ValueError: broken line"):
        list(DataLoader(Stream(7, bad=4), batch_size=3, num_workers=workers))
    assert not loader_threads()


def test_without_batches_and_with_own_samplers():
    assert [y for _, y in DataLoader(Squares(3), batch_size=None)] == [0, 1, 4]
    assert [y.tolist() for _, y in DataLoader(Squares(), 2, sampler=[3, 1])] == [[9, 1]]
    assert [y.tolist() for _, y in DataLoader(Squares(), batch_sampler=[[3], [1, 2]])] == [[9], [1, 4]]
    assert len(DataLoader(Squares(), 4, sampler=RandomSampler(Squares(), num_samples=9))) == 3


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"batch_size": 0}, "batch_size should be a positive integer value, but got batch_size=0"),
        ({"num_workers": -1}, "num_workers option should be a non-negative integer"),
        ({"shuffle": True, "sampler": [0]}, "sampler option is mutually exclusive with shuffle"),
        ({"batch_sampler": [[0]], "batch_size": 3}, "batch_sampler option is mutually exclusive"),
        ({"batch_size": None, "drop_last": True}, "disables auto-batching"),
        ({"prefetch_factor": 2}, "only with num_workers > 0"),
    ],
)
def test_bad_options(options, match):
    with pytest.raises(ValueError, match=match):
        DataLoader(Squares(), **options)


def test_stream_options():
    with pytest.raises(ValueError, match="IterableDataset"):
        DataLoader(Stream(3), shuffle=True)
