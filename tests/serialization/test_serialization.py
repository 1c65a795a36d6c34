"""save and load: what comes back, what is refused, and what a damaged or foreign file is told."""

import json
import os
import pickle
import re
import zipfile
from collections import OrderedDict, namedtuple

import numpy as np
import pytest
import safetensors.numpy
import tapescope as ts
from safetensors import SafetensorError
from tapescope import errors, nn, optim
from tapescope.errors import CheckpointError

WITH_TORCH = "compares with PyTorch: pip install torch --index-url https://download.pytorch.org/whl/cpu"


def same(a, b):
    if isinstance(a, ts.Tensor):
        return type(b) is ts.Tensor and a.dtype is b.dtype and a.shape == b.shape and a.tolist() == b.tolist()
    if isinstance(a, dict):
        return type(b) is dict and list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and (a == b or (a != a and b != b))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


DTYPES = ["bool", "uint8", "int8", "int16", "int32", "int64", "uint16", "uint32", "uint64", "float16", "bfloat16", "float32",
          "float64", "complex64"]  # fmt: skip


def test_state_dict_round_trip(path):
    net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    ts.save(net.state_dict(), path)
    loaded = ts.load(path, map_location="cpu")
    assert same(net.state_dict(), loaded)
    nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)).load_state_dict(loaded)


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_and_shape(path, dtype):
    kind = getattr(ts, dtype)
    tensors = {"a": ts.ones(2, 3).to(kind), "scalar": ts.ones(()).to(kind), "none": ts.zeros(0, 4).to(kind)}
    tensors["tail"] = ts.ones(1, dtype=ts.uint8)
    tensors["turned"] = ts.arange(6).reshape(2, 3).to(kind).T
    ts.save(tensors, path)
    assert same(tensors, ts.load(path))


def test_containers_come_back_as_they_were(path):
    given = {
        "model": {"w": ts.ones(2)}, "list": [1, -2.5, True, None, "ü", (3, ts.zeros(1))], "empty": [{}, [], ()],
        7: "int key", None: 0, 2.5: 1, True: 2, "odd": [float("nan"), float("inf"), -float("inf"), 10**30, -0.0],
        "a.b": ts.ones(1), "a": {"b": ts.zeros(1)}, "__metadata__": ts.ones(1),
    }  # fmt: skip
    ts.save(given, path)
    assert same(given, ts.load(path))
    for single in (ts.ones(3), 5, "text", None, [], {}, [ts.ones(1)] * 2, {"__metadata__": ts.ones(1)}):
        ts.save(single, path)
        assert same(single, ts.load(path))
    ts.save(OrderedDict(b=ts.ones(1), a=ts.ones(1).shape), path)
    assert same({"b": ts.ones(1), "a": (1,)}, ts.load(path))


@pytest.mark.parametrize("make", [lambda p: optim.Adam(p, amsgrad=True), lambda p: optim.SGD(p, lr=0.1, momentum=0.9)])
def test_a_whole_training_state(path, make):
    def step(net, rule):
        rule.zero_grad()
        net(ts.ones(1, 2)).sum().backward()
        rule.step()

    nets = [nn.Linear(2, 2), nn.Linear(2, 2)]
    rules = [make(net.parameters()) for net in nets]
    step(nets[0], rules[0])
    ts.save({"model": nets[0].state_dict(), "optimizer": rules[0].state_dict(), "epoch": 3}, path)
    loaded = ts.load(path)
    assert loaded["epoch"] == 3 and same(rules[0].state_dict(), loaded["optimizer"])
    nets[1].load_state_dict(loaded["model"])
    rules[1].load_state_dict(loaded["optimizer"])
    for net, rule in zip(nets, rules, strict=True):
        step(net, rule)
    assert nets[0].weight.tolist() == nets[1].weight.tolist()


def test_shared_tensors_are_stored_once_and_stay_shared(path):
    big = ts.ones(1000)
    ts.save({"a": big, "b": big.detach(), "part": big[:2]}, path)
    assert path.stat().st_size < 5000
    loaded = ts.load(path)
    loaded["a"][0] = 5.0
    assert loaded["b"][0].item() == 5.0 and loaded["part"][0].item() == 1.0
    tied = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    tied[1].weight = tied[0].weight
    ts.save(tied.state_dict(), path)
    tied.load_state_dict(ts.load(path))


def test_the_safetensors_package_reads_and_writes_the_same(path):
    reference = safetensors.numpy
    tensors = {"b": ts.randn(3, 2), "a": ts.arange(3), "c": ts.ones(1, dtype=ts.float16)}
    ts.save(tensors, path)
    loaded = reference.load_file(path)
    assert all(np.array_equal(loaded[k], v.numpy()) for k, v in tensors.items()) and set(loaded) == set(tensors)
    reference.save_file({k: v.numpy() for k, v in tensors.items()}, path, metadata={"made": "elsewhere"})
    back = ts.load(path)
    assert all(same(back[k], v) for k, v in tensors.items()) and set(back) == set(tensors)


def test_pytorchs_safetensors_files(path):
    torch = pytest.importorskip("torch", reason=WITH_TORCH)
    reference = pytest.importorskip("safetensors.torch")
    net = torch.nn.Linear(3, 2).to(torch.bfloat16)
    reference.save_file(net.state_dict(), path)
    loaded = ts.load(path)
    assert loaded["weight"].dtype is ts.bfloat16 and loaded["weight"].tolist() == net.weight.tolist()
    nn.Linear(3, 2).load_state_dict(loaded)
    ts.save({"x": ts.ones(2, dtype=ts.bfloat16)}, path)
    assert reference.load_file(path)["x"].dtype is torch.bfloat16


class Custom:
    pass


LOOP: list = []
LOOP.append(LOOP)
DEEP: list = []
for _ in range(5000):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    ("obj", "match"),
    [
        ({"a": [1, {"b": Custom()}]}, r"object at obj\['a'\]\[1\]\['b'\] is a .*Custom\. A file holds"),
        ({"w": np.ones(2)}, r"obj\['w'\] is a numpy.ndarray.*ts.from_numpy"),
        (nn.Linear(1, 1), r"object at the top is a tapescope.nn.linear.Linear.*Save its .state_dict\(\)"),
        ({"acc": np.float32(1)}, r"numpy.float32.*value.item\(\)"),
        ({"s": {1, 2}}, r"is a set.*sorted"),
        ({"f": print}, "builtin_function_or_method"),
        ([namedtuple("P", "x")(1)], r"obj\[0\] is a .*P\."),
        ({(1, 2): 3}, r"key of type tuple: \(1, 2\)"),
        ({"a": LOOP}, "contains itself"),
        (DEEP, "nested too deeply"),
        (
            {"z": ts.ones(1).to(ts.complex128)},
            r"obj\['z'\] has dtype tapescope.complex128, which safetensors does not have",
        ),
    ],
)
def test_what_cannot_be_saved_is_refused_by_its_place_before_writing(path, obj, match):
    path.write_bytes(b"precious")
    with pytest.raises(CheckpointError, match=match):
        ts.save(obj, path)
    assert path.read_bytes() == b"precious" and len(os.listdir(path.parent)) == 1


def fail_halfway(monkeypatch, error):
    def save_file(arrays, path, metadata):
        with open(path, "wb") as file:
            file.write(b"half")
        raise error

    monkeypatch.setattr(safetensors.numpy, "save_file", save_file)


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (KeyboardInterrupt(), KeyboardInterrupt),
        (SafetensorError("I/O error: No space left on device (os error 28)"), CheckpointError),
    ],
)
def test_an_interrupted_save_loses_nothing(path, monkeypatch, error, raised):
    ts.save({"a": ts.ones(2)}, path)
    fail_halfway(monkeypatch, error)
    with pytest.raises(raised) as caught:
        ts.save({"a": ts.zeros(2)}, path)
    assert ts.load(path)["a"].tolist() == [1.0, 1.0] and os.listdir(path.parent) == [path.name]
    if raised is CheckpointError:
        assert re.search(f"{path}' could not be written .*No space left.* is unchanged", str(caught.value))
        assert caught.value.__cause__ is error


def test_a_name_that_is_not_text(path):
    with pytest.raises(CheckpointError, match="could not be written .*surrogates not allowed"):
        ts.save({"\ud800": ts.ones(2)}, path)
    assert not os.listdir(path.parent)
    ts.save({"a": "\ud800"}, path)
    assert ts.load(path) == {"a": "\ud800"}


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX permissions")
def test_the_file_has_the_permissions_of_any_new_file(path):
    before = os.umask(0o027)
    try:
        ts.save({"a": ts.ones(2)}, path)
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(CheckpointError, match="could not be written.*Check that the folder exists"):
        ts.save({}, tmp_path / "no" / "file.safetensors")
    with pytest.raises(CheckpointError, match=r"there is no file .*There is no folder"):
        ts.load(tmp_path / "no" / "file.safetensors")


def test_a_missing_file_names_its_neighbours(path):
    ts.save({}, path)
    with pytest.raises(CheckpointError, match=r"no file .*modle.*That folder has model.safetensors") as caught:
        ts.load(path.with_name("modle.safetensors"))
    assert isinstance(caught.value.__cause__, FileNotFoundError)
    with pytest.raises(CheckpointError, match="cannot be read"):
        ts.load(path.parent)


def foreign(kind, path):
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("data.pkl", b"x" * 100)
    elif kind == "npy":
        with open(path, "wb") as file:
            np.save(file, np.ones(9))
    else:
        path.write_bytes({
            "pickle": pickle.dumps({"a": list(range(50))}), "text": "weights: see the wiki, ünder models\n".encode(),
            "html": b"<!DOCTYPE html><html><body>404 not found</body></html>", "gzip": b"\x1f\x8b" + b"\0" * 60,
            "empty": b"", "hdf": b"\x89HDF\r\n\x1a\n" + b"\0" * 60, "noise": bytes(range(200, 256)) * 2,
            "lfs": b"version https://git-lfs.github.com/spec/v1\n", "short": b"\x01",
        }[kind])  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "match"),
    [
        ("zip", "a zip archive, as torch.save.*safetensors.torch.save_file"), ("pickle", "a pickle, which runs code"),
        ("text", "text beginning 'weights: see"), ("html", "an HTML page"), ("npy", "a NumPy array"), ("gzip", "a gzip archive"),
        ("empty", "empty"), ("hdf", "HDF5"), ("noise", "112 bytes beginning c8 c9"), ("lfs", "git lfs pull"),
        ("short", "1 bytes beginning 01"),
    ],
)  # fmt: skip
def test_foreign_files_are_recognised(path, kind, match):
    foreign(kind, path)
    with pytest.raises(CheckpointError, match="is not a safetensors file: it is .*" + match) as caught:
        ts.load(path)
    assert isinstance(caught.value.__cause__, SafetensorError)


@pytest.mark.parametrize("keep", range(0, 420, 7))
def test_every_truncation_is_noticed(path, keep):
    ts.save({"first": ts.ones(3, 4), "second": ts.arange(5)}, path)
    whole = path.read_bytes()
    path.write_bytes(whole[: min(keep, len(whole) - 1)])
    with pytest.raises(CheckpointError, match="cut short|is empty|bytes beginning"):
        ts.load(path)


def written(header, data=b"\0" * 8):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


UNSOUND = "is not a sound safetensors file: "  # and then, in the package's words, what it found
GOOD = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (written({"a": {**GOOD, "shape": [3]}}), UNSOUND),
        (written({"a": {**GOOD, "shape": [-2]}}), UNSOUND),
        (
            written({"a": {**GOOD, "shape": [0, 2**62], "data_offsets": [0, 0]}}, b""),
            UNSOUND + r"tensor 'a' has the shape \(0, 4",
        ),
        (written({"a": {**GOOD, "shape": [1] * 64 + [2]}}), UNSOUND + r"tensor 'a' has the shape \(1, 1"),
        (written({"a": {**GOOD, "data_offsets": [0]}}), UNSOUND),
        (written({"a": {**GOOD, "data_offsets": ["0", "8"]}}), UNSOUND),
        (written({"a": {**GOOD, "dtype": ["F32"]}}), UNSOUND),
        (written({"a": 3}), UNSOUND),
        (
            written({"a": {**GOOD, "dtype": "F8_E4M3", "shape": [8]}}),
            "tensor 'a' in .* has dtype F8_E4M3; known are bfloat16, ",
        ),
        (written({"a": {**GOOD, "dtype": "F7"}}), UNSOUND),
        (written({"a": GOOD, "b": GOOD}), UNSOUND),
        (written({"a": GOOD}, b"\0" * 4), "cut short: its header promises 8 bytes of tensors, the file has 4"),
        (written({"a": GOOD}, b"\0" * 20), UNSOUND),
        (written({"__metadata__": 3}, b""), UNSOUND),
        (written({"__metadata__": {"a": 3}}, b""), UNSOUND),
        (written(b"{not json at all}", b""), UNSOUND),
        (written(b'{"a\xff": 1}', b""), UNSOUND),
        (written(b'{"a":' * 20_000, b""), UNSOUND),
        (
            written(b"{" + b" " * 126 + b"}", b"")[:100],
            "cut short within its header: the file has 100 bytes of at least 136",
        ),
        (written([1]), "is not a safetensors file"),
        (written(b"[" * 100_000, b""), "is not a safetensors file"),
        (
            written({"__metadata__": {"tapescope.structure": '{"t": "gone"}'}}, b""),
            "does not fit its tensors.*KeyError",
        ),
        (written({"__metadata__": {"tapescope.structure": "[1]"}}, b""), "does not fit its tensors"),
        (written({"__metadata__": {"tapescope.structure": "{"}}, b""), "does not fit its tensors"),
    ],
)
def test_damaged_files(path, content, match):
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=match) as caught:
        ts.load(path)
    cause = caught.value.__cause__
    assert str(path) in str(caught.value) and cause is not None
    if isinstance(cause, SafetensorError) and match == UNSOUND:
        assert str(cause).split(": ", 1)[1] in str(caught.value)


def test_no_flipped_byte_gets_another_error(path):
    ts.save({"a": ts.ones(3), "b": {"c": [ts.arange(4), 2.5, "x"]}}, path)
    whole = bytearray(path.read_bytes())
    source = np.random.default_rng(0)
    for _ in range(1500):
        changed = whole.copy()
        for place in source.integers(0, len(whole), source.integers(1, 4)):
            changed[place] = source.integers(0, 256)
        path.write_bytes(changed)
        try:
            ts.load(path)
        except CheckpointError as error:
            assert str(path) in str(error)


def test_an_unknown_device(path):
    ts.save({}, path)
    with pytest.raises(errors.DeviceError):
        ts.load(path, map_location="tpu")


def test_the_file_can_be_reached_through_a_link(tmp_path):
    real, link = tmp_path / "real.safetensors", tmp_path / "link.safetensors"
    ts.save({"a": ts.ones(1)}, real)
    link.symlink_to(real)
    ts.save({"a": ts.zeros(1)}, str(link))
    assert link.is_symlink() and ts.load(real)["a"].item() == 0.0
