"""The tape of a value: what is on it, how it is said, and that looking is harmless."""

import gc

import numpy as np
import pytest
import tapescope as ts
from observe.schema import check
from observe.script import run
from tapescope.errors import TapescopeError
from tapescope.observe import nodes

NET = """ts.manual_seed(0)
net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))
x = ts.ones(2, 4)
y = ts.tensor([0, 2])
loss = F.cross_entropy(net(x), y)
view = ts.tape(loss)
"""


def test_text_form():
    space = run("a = ts.tensor([3.0, 4.0], requires_grad=True)\nb = (a * a).sum()\nview = ts.tape(b)")
    assert str(space["view"]) == "\n".join([
        "tape · b · idle",
        "node  in  gives     saved  ‖value‖  ‖grad‖  made at",
        '→ a       (2,) f32               5       –  File "model.py", line 2',
        'mul       (2,) f32               –       –  File "model.py", line 3',
        'sum       () f32                25       –  File "model.py", line 3',
        "2 operations, nothing saved for backward.",
    ])  # fmt: skip


def test_nodes_edges_and_rooms():
    view = run(NET)["view"]
    check(view.snapshot())
    operations = [node for node in view.nodes if node["kind"] == "op"]
    assert [node["label"] for node in operations] == ["linear", "tanh", "linear", "cross_entropy"]
    assert [node["scope"] for node in operations] == ["0", "1", "2", ""]
    assert {node["name"] for node in view.nodes if node["kind"] == "parameter"} == {
        "net.0.weight", "net.0.bias", "net.2.weight", "net.2.bias",
    }  # fmt: skip
    assert [scope["type"] for scope in view.scopes] == ["Linear", "Tanh", "Linear"]
    assert operations[0]["site"]["text"] == 'File "model.py", line 6'
    data = {node["name"]: node for node in view.nodes if node["kind"] == "input"}
    assert data["x"]["shape"] == [2, 4] and data["y"]["dtype"] == "int64"


def test_parameters_name_the_line_that_made_their_module():
    view = run(NET)["view"]
    places = {node["site"]["text"] for node in view.nodes if node["kind"] == "parameter"}
    assert places == {'File "model.py", line 3'}


def test_saved_bytes_count_each_storage_once():
    view = run("a = ts.ones(256, requires_grad=True)\nb = a.exp()\nc = (b * b * b).sum()\nview = ts.tape(c)")["view"]
    assert view.saved_bytes == 2 * 1024  # b and b * b; a is a leaf
    assert sum(node["saved"] for node in view.nodes) == view.saved_bytes


def test_gradients_show_after_backward_and_saved_is_gone():
    view = run(NET + "loss.backward()\nview = ts.tape(loss)")["view"]
    assert view.saved_bytes == 0
    assert all(node["grad"]["norm"] > 0 for node in view.nodes if node["kind"] == "parameter")
    assert "the gradient norm" in view.sentence


def test_a_value_that_is_not_finite_is_said_first():
    view = run("a = ts.zeros(2, requires_grad=True)\nb = a.log().exp().sum()\nview = ts.tape(b)")["view"]
    bad = run("a = ts.tensor([-1.0], requires_grad=True)\nb = a.log().exp().sum()\nview = ts.tape(b)")["view"]
    assert "not finite" in bad.sentence and bad.sentence_sites
    assert view.sentence.count(".") >= 1


def test_a_tensor_with_no_tape():
    view = ts.tape(ts.ones(2))
    assert view.nodes == [] and "Nothing is on the tape" in str(view)
    check(view.snapshot())


def test_long_tapes_are_walked_iteratively_and_folded():
    x = y = ts.ones(1, requires_grad=True)
    for _ in range(5000):
        y = y + 1.0
    view = ts.tape(y)
    assert view.folded == 3000
    assert "3,000 nodes in the middle are folded" in view.sentence
    assert len([node for node in view.nodes if node["kind"] == "op"]) == 2000
    check(view.snapshot())
    assert x.grad is None


def test_a_value_used_twice_and_several_outputs():
    x = ts.ones(4, requires_grad=True)
    first, second = x.split(2)
    view = ts.tape((first * second + first).sum())
    labels = [node["label"] for node in view.nodes if node["kind"] == "op"]
    assert labels == ["split", "mul", "add", "sum"]
    assert len([edge for edge in view.edges if edge[0] == 1]) == 3
    check(view.snapshot())


def test_a_view_keeps_nothing_alive():
    x = ts.ones(1000, requires_grad=True)
    y = x.exp()
    seen = []
    import weakref

    reference = weakref.ref(y._array)
    view = ts.tape(y)
    del y
    gc.collect()
    assert reference() is None
    assert view.nodes and not seen


def test_what_cannot_be_shown_is_refused():
    with pytest.raises(TapescopeError, match="got int, expected a tensor"):
        ts.tape(3)
    with pytest.raises(TapescopeError, match="cannot be live"):
        ts.tape(ts.ones(1), live=True)


def test_two_models_get_rooms_of_their_own():
    source = """encoder = nn.Sequential(nn.Linear(2, 2))
head = nn.Sequential(nn.Linear(2, 1))
x = ts.ones(1, 2)
view = ts.tape(head(encoder(x)).sum())
"""
    view = run(source)["view"]
    assert [scope["path"] for scope in view.scopes] == ["encoder", "encoder.0", "head", "head.0"]


def test_walk_takes_the_newest_first():
    y = ts.ones(1, requires_grad=True)
    for _ in range(10):
        y = y * 2.0
    found = nodes.walk(y, 3)
    assert len(found) == 3 and found[-1] is y.grad_fn
    assert np.all(np.diff([node.seq for node in found]) > 0)
