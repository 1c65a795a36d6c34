"""The bundled digits and the made-up points."""

import hashlib
import sys
from pathlib import Path

import numpy as np
import pytest
import tapescope as ts
from tapescope import datasets, errors
from tapescope.utils.data import DataLoader, Dataset, Subset, default_collate

SHA256 = "87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826"
FILE = Path(datasets.__file__).parent / "data" / "digits.npz"


def test_the_file_is_small_attributed_and_unchanged():
    assert FILE.stat().st_size < 40_000
    attribution = FILE.with_name("ATTRIBUTION.md").read_text(encoding="utf-8")
    for part in ("Alpaydin", "Kaynak", "UCI", "CC BY 4.0", "10.24432/C50P49"):
        assert part in attribution
    with np.load(FILE) as file:
        assert hashlib.sha256(file["images"].tobytes() + file["labels"].tobytes()).hexdigest() == SHA256
        assert file["images"].sum() == 561718 and file["labels"].sum() == 8070


def test_digits():
    data = datasets.digits()
    assert (
        isinstance(data, Dataset)
        and len(data) == 1797
        and data.images.shape == (1797, 8, 8)
        and data.images.dtype is ts.float32
    )
    assert data.labels.dtype is ts.int64 and sorted(set(data.labels.tolist())) == list(range(10))
    assert (data.images.min().item(), data.images.max().item()) == (0.0, 1.0) and data.classes[3] == "3"
    image, label = data[5]
    assert image.shape == (8, 8) and label.item() == 5 and repr(data) == "Digits(1797 images of 8x8 pixels, 10 classes)"
    # The first row of the first image, from the source file: 0,0,5,13,9,1,0,0.
    assert (data.images[0, 0] * 16).tolist() == [0, 0, 5, 13, 9, 1, 0, 0]


def test_splits_are_fixed_and_do_not_overlap():
    train, test = datasets.digits(train=True), datasets.digits(train=False)
    assert (len(train), len(test)) == (1438, 359)
    first, second = datasets.digits().split()
    assert np.array_equal(first.images.numpy(), train.images.numpy()) and np.array_equal(
        second.labels.numpy(), test.labels.numpy()
    )
    assert test.labels[:12].tolist() == [2, 4, 5, 4, 8, 2, 0, 6, 3, 3, 2, 6]
    together = np.sort(np.concatenate([train.images.numpy(), test.images.numpy()]).reshape(1797, -1).sum(1))
    np.testing.assert_array_equal(together, np.sort(datasets.digits().images.numpy().reshape(1797, -1).sum(1)))
    other = datasets.digits().split(test=0.5, seed=1)
    assert [len(part) for part in other] == [899, 898] and type(other[0]) is type(train)
    with pytest.raises(ValueError, match="between 0 and 1, but got test=20"):
        datasets.digits().split(test=20)


def test_loading_in_batches_equals_loading_by_sample():
    data = Subset(datasets.digits(), [3, 1, 1700])
    fast, slow = next(iter(DataLoader(data, 3))), default_collate([data[i] for i in range(3)])
    assert all(np.array_equal(a.numpy(), b.numpy()) for a, b in zip(fast, slow, strict=True))


def test_writing_into_one_copy_leaves_the_next_alone():
    datasets.digits().images[0] = 7.0
    assert datasets.digits().images.max().item() == 1.0


def test_a_changed_file_is_refused(tmp_path, monkeypatch):
    module = sys.modules["tapescope.datasets.digits"]
    broken = tmp_path / "digits.npz"
    np.savez(broken, images=np.zeros((1797, 8, 8), np.uint8), labels=np.zeros(1797, np.uint8))
    monkeypatch.setattr(module, "FILE", broken)
    module._arrays.cache_clear()
    try:
        with pytest.raises(errors.DataError, match="was changed"):
            datasets.digits()
        broken.write_bytes(b"not a zip")
        with pytest.raises(errors.DataError, match="cannot be read"):
            datasets.digits()
    finally:
        module._arrays.cache_clear()


@pytest.mark.parametrize(("make", "classes"), [(datasets.two_moons, 2), (datasets.spirals, 3)])
def test_points(make, classes):
    data, again = make(n=90, seed=4), make(n=90, seed=4)
    assert data.points.shape == (90, 2) and data.points.dtype is ts.float32 and data.labels.dtype is ts.int64
    assert np.bincount(data.labels.numpy()).tolist() == [90 // classes] * classes
    assert np.array_equal(data.points.numpy(), again.points.numpy())
    assert not np.array_equal(data.points.numpy(), make(n=90, seed=5).points.numpy())
    with pytest.raises(ValueError, match="n=0"):
        make(n=0)


def test_spirals_of_no_class():
    with pytest.raises(ValueError, match="classes=0"):
        datasets.spirals(classes=0)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_small_network_reads_digits_it_has_not_seen(seed):
    ts.manual_seed(seed)
    nn, train, test = ts.nn, datasets.digits(train=True), datasets.digits(train=False)
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10))
    rule = ts.optim.Adam(net.parameters(), lr=3e-3)
    for _ in range(20):
        for images, labels in DataLoader(train, batch_size=64, shuffle=True):
            loss = nn.functional.cross_entropy(net(images), labels, label_smoothing=0.1)
            rule.zero_grad()
            loss.backward()
            rule.step()
    with ts.no_grad():
        accuracy = (net(test.images).argmax(1) == test.labels).float().mean().item()
    assert accuracy >= 0.97
