"""Watching a model: norms, updates, statuses, and what is said about them."""

import gc

import numpy as np
import pytest
import tapescope as ts
from observe.schema import check
from observe.script import run
from tapescope import nn, optim
from tapescope.errors import TapescopeError
from tapescope.observe.gradients_view import GradientsView, statuses


def norm(tensor):
    return (tensor * tensor).sum().sqrt().item()


def step(model, optimizer, x):
    optimizer.zero_grad()
    loss = model(x).pow(2).mean()
    loss.backward()
    optimizer.step()
    return loss


@pytest.fixture
def model():
    ts.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))


def test_norms_and_updates_are_right(model):
    optimizer = optim.SGD(model.parameters(), lr=0.5)
    before = model[0].weight.detach().clone()
    with ts.watch(model) as view:
        loss = step(model, optimizer, ts.ones(2, 3))
    row = view.parameters[0]
    grad = model[0].weight.grad
    assert row["name"] == "0.weight" and row["status"] == "ok"
    assert row["norm"] == pytest.approx(norm(grad), rel=1e-5)
    assert row["update"] == pytest.approx(0.5 * row["norm"] / norm(before), rel=1e-4)
    assert view.loss == pytest.approx(loss.item())
    check(view.snapshot(), view.history.tolist())
    assert view.history[:2, -1].tolist() == pytest.approx([1.0, loss.item()])


@pytest.mark.parametrize(
    "norms, words",
    [
        ([1.0, 2.0, 1e-9], ["ok", "ok", "vanishing"]),
        ([1.0, 0.0, 1.0], ["ok", "vanishing", "ok"]),
        ([1.0, float("nan"), float("inf")], ["ok", "nonfinite", "nonfinite"]),
        ([None, 1.0, 5e6], ["none", "ok", "exploding"]),
        ([0.0, 0.0, 0.0], ["ok", "ok", "ok"]),
    ],
)
def test_statuses(norms, words):
    assert statuses(norms, [False] * 3, [1.0] * 3) == words


def test_a_frozen_parameter_and_one_that_gets_nothing():
    ts.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model[0].weight.requires_grad_(False)
    with ts.watch(model) as view:
        model[0](ts.ones(1, 2)).sum().backward()
    words = {row["name"]: row["status"] for row in view.parameters}
    assert words == {"0.weight": "frozen", "0.bias": "ok", "1.weight": "none", "1.bias": "none"}
    assert "1.weight and 1 other have no gradient" in view.sentence


def test_text_form():
    source = """net = nn.Linear(2, 1, bias=False)
net.weight.data.fill_(1.0)
with ts.watch(net) as view:
    net(ts.ones(1, 2)).sum().backward()
"""
    assert str(run(source)["view"]) == "\n".join([
        "gradients · net · ended, step 1",
        "loss 2",
        "parameter  shape   ‖grad‖  update/weight  status  made at",
        'weight     (1, 2)    1.41              –  ok      File "model.py", line 2',
        "Gradient norms lie between 1.41 (weight) and 1.41 (weight).",
    ])  # fmt: skip


def test_another_models_backward_is_not_ours(model):
    other = nn.Linear(2, 1)
    with ts.watch(model) as view:
        other(ts.ones(1, 2)).sum().backward()
        assert view.step is None
        model(ts.ones(1, 3)).sum().backward()
    assert view.step is not None


def test_the_model_is_held_weakly():
    model = nn.Linear(1, 1)
    view = ts.watch(model)
    assert view.model is model
    del model
    gc.collect()
    x = ts.ones(1, requires_grad=True)
    (x * x).backward()
    assert view.model is None
    ts.watch(nn.Linear(1, 1)).close()  # whoever opens a view next ends it
    assert view.state == "ended"


def test_before_the_first_step(model):
    with ts.watch(model) as view:
        check(view.snapshot())
        assert "No gradient has arrived yet" in str(view)


def test_a_long_run_keeps_its_history_small(model):
    view = GradientsView(model, "net")
    model(ts.ones(1, 3)).sum().backward()
    for number in range(600):
        view.measure_gradients(1.0)
        view.finish(number)
    view.frame()
    assert view.columns <= 240 and view.history.shape[0] == 2 + 2 * 4
    assert view.first_step == 0 and view.last_step == 599
    assert np.isfinite(view.history[1]).all()


def test_only_models_are_watched():
    with pytest.raises(TapescopeError, match="expected an nn.Module"):
        ts.watch(ts.ones(1))
