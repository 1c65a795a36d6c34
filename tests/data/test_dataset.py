"""Data sets, samplers, collating."""

from collections import Counter, namedtuple

import numpy as np
import pytest
import tapescope as ts
from tapescope import errors
from tapescope.utils.data import (
    BatchSampler,
    ConcatDataset,
    Dataset,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
    default_collate,
    random_split,
)

WITH_TORCH = "compares with PyTorch: pip install torch --index-url https://download.pytorch.org/whl/cpu"


def generator(seed=0):
    return ts.Generator().manual_seed(seed)


def test_tensor_dataset():
    data = TensorDataset(ts.arange(6).reshape(3, 2), ts.tensor([10, 20, 30]))
    assert len(data) == 3 and [t.tolist() for t in data[1]] == [[2, 3], 20]
    assert [t.tolist() for t in data.get_batch([2, 0])] == [[[4, 5], [0, 1]], [30, 10]]
    with pytest.raises(ValueError, match=r"first dimensions of \(3, 2\), \(4,\) differ"):
        TensorDataset(ts.ones(3, 2), ts.ones(4))
    with pytest.raises(TypeError, match="argument 1 is ndarray"):
        TensorDataset(ts.ones(3), np.ones(3))
    with pytest.raises(ValueError, match="none"):
        TensorDataset(ts.tensor(1.0))
    with pytest.raises(ValueError, match="at least one"):
        TensorDataset()


def test_a_batch_of_tensors_that_require_grad_is_recorded():
    x = ts.arange(3.0).requires_grad_()
    TensorDataset(x).get_batch([1, 1, 2])[0].sum().backward()
    assert x.grad.tolist() == [0.0, 2.0, 1.0]


def test_subset_concat_and_split():
    data = TensorDataset(ts.arange(10))
    both = data + Subset(data, [3, 4])
    assert isinstance(both, ConcatDataset) and len(both) == 12 and both[-1][0].item() == 4 and both[9][0].item() == 9
    with pytest.raises(IndexError, match="index 12 is out of range for a ConcatDataset of 12"):
        both[12]
    parts = random_split(data, [7, 3], generator())
    again = random_split(data, [0.7, 0.3], generator())
    assert [list(p.indices) for p in parts] == [list(p.indices) for p in again]
    assert sorted(i for p in parts for i in p.indices) == list(range(10))
    assert [len(p) for p in random_split(data, [0.33, 0.33, 0.34])] == [4, 3, 3]
    with pytest.raises(ValueError, match=r"\[7, 4\] sum to 11, the data set has 10"):
        random_split(data, [7, 4])
    with pytest.raises(ValueError, match="not be an empty"):
        ConcatDataset([])

    class Stream(IterableDataset):
        pass

    with pytest.raises(TypeError, match="IterableDataset"):
        ConcatDataset([Stream()])


def test_missing_methods():
    with pytest.raises(NotImplementedError, match=r"Dataset has no __getitem__"):
        Dataset()[0]
    with pytest.raises(NotImplementedError, match=r"__iter__"):
        iter(IterableDataset())


def test_samplers():
    source = range(100)
    assert list(SequentialSampler(source)) == list(source)
    order = list(RandomSampler(source, generator=generator()))
    assert sorted(order) == list(source) and order != list(source)
    assert order == list(RandomSampler(source, generator=generator()))
    more = RandomSampler(source, num_samples=250, generator=generator())
    assert len(more) == 250 and max(Counter(more).values()) == 3
    drawn = list(RandomSampler(source, replacement=True, num_samples=500, generator=generator()))
    assert len(drawn) == 500 and min(drawn) >= 0 and max(drawn) < 100
    assert sorted(SubsetRandomSampler([5, 7, 9])) == [5, 7, 9]
    assert list(BatchSampler(range(5), 2, False)) == [[0, 1], [2, 3], [4]]
    assert list(BatchSampler(range(5), 2, True)) == [[0, 1], [2, 3]] and len(BatchSampler(range(5), 2, True)) == 2
    assert list(RandomSampler([])) == []


def test_weighted_sampler():
    counts = Counter(WeightedRandomSampler([1.0, 0.0, 3.0], 4000, generator=generator()))
    assert counts[1] == 0 and counts[2] / counts[0] == pytest.approx(3, rel=0.15)
    sampler = WeightedRandomSampler([1.0, 0.0, 3.0, 1e-9], 3, replacement=False, generator=generator())
    assert sorted(sampler) == [0, 2, 3]
    for weights, match in (([-1.0], "negative"), ([0.0, 0.0], "all be zero"), ([float("nan")], "finite")):
        with pytest.raises(ValueError, match=match):
            WeightedRandomSampler(weights, 1)
    with pytest.raises(ValueError, match="cannot draw 2 samples without replacement: 1 weights"):
        WeightedRandomSampler([1.0, 0.0], 2, replacement=False)


@pytest.mark.parametrize("call", [
    lambda: BatchSampler(range(3), 0, False),
    lambda: BatchSampler(range(3), True, False),
    lambda: RandomSampler(range(3), num_samples=-1),
])  # fmt: skip
def test_bad_counts(call):
    with pytest.raises(ValueError, match="positive integer value"):
        call()


Pair = namedtuple("Pair", "a b")
BATCHES = [
    [1, 2, 3],
    [1.5, 2.5],
    [True, False],
    [np.float32(1), np.float32(2)],
    [np.arange(3), np.arange(3) + 1],
    ["a", "b"],
    [(1, 2.0), (3, 4.0)],
    [{"x": 1, "y": [np.zeros(2), "s"]}, {"x": 2, "y": [np.ones(2), "t"]}],
    [Pair(1, 2), Pair(3, 4)],
]


def plain(value):
    if hasattr(value, "tolist"):
        return (value.tolist(), str(value.dtype).split(".")[-1])
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(*map(plain, value)) if hasattr(value, "_fields") else type(value)(map(plain, value))
    return value


@pytest.mark.parametrize("batch", BATCHES, ids=str)
def test_collate_equals_pytorch(batch):
    torch = pytest.importorskip("torch", reason=WITH_TORCH)
    assert plain(default_collate(batch)) == plain(torch.utils.data.default_collate(batch))


def test_collate_tensors():
    assert default_collate([ts.ones(2), ts.zeros(2)]).tolist() == [[1.0, 1.0], [0.0, 0.0]]
    w = ts.ones(2, requires_grad=True)
    assert default_collate([w, w]).requires_grad


@pytest.mark.parametrize(
    ("batch", "match"),
    [
        ([ts.ones(2), ts.ones(2), ts.ones(3)], r"sample 2 of the batch differs in shapes: \(3,\) against \(2,\)"),
        ([(1, ts.ones(2)), (2, ts.ones(1))], r"sample 1 of the batch \(at \[1\]\) differs in shapes"),
        ([{"a": 1}, {"b": 1}], r"sample 1 of the batch differs in keys: \['b'\] against \['a'\]"),
        ([[1], [1, 2]], "differs in lengths: 2 against 1"),
        ([1, None], "sample 1 of the batch is NoneType"),
        ([None, None], "a sample is NoneType; expected tensors"),
        ([np.array(["x"]), np.array(["y"])], "NumPy dtype <U1"),
        ([], "empty batch"),
    ],
)
def test_collate_what_does_not_fit(batch, match):
    with pytest.raises(errors.DataError, match=match):
        default_collate(batch)
