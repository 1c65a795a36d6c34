"""Live views: sampled steps, empty hook lists between them, contained failures, states, replacement."""

import gc
import time

import pytest
import tapescope as ts
from observe.schema import check
from observe.script import run
from tapescope import nn, optim
from tapescope.autograd import events
from tapescope.observe.live import CONDUCTOR

LISTS = (events.recorded, events.created, events.node_done)
ALWAYS = (events.before_backward, events.after_backward)


@pytest.fixture(autouse=True)
def nothing_left_behind():
    yield
    for view in list(CONDUCTOR.views):
        view.close()
    assert not any(LISTS) and not any(ALWAYS)


class Loop:
    """A training loop in small."""

    def __init__(self):
        ts.manual_seed(0)
        self.net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))
        self.optimizer = optim.SGD(self.net.parameters(), lr=0.01)
        self.x = ts.randn(4, 8)

    def step(self):
        self.optimizer.zero_grad()
        loss = self.net(self.x).pow(2).mean()
        loss.backward()
        self.optimizer.step()

    def run(self, seconds):
        end = time.perf_counter() + seconds
        count = 0
        while time.perf_counter() < end:
            self.step()
            count += 1
        return count


@pytest.fixture
def loop():
    return Loop()


def test_three_views_update_in_a_short_loop(loop):
    views = [ts.tape(loop.net), ts.watch(loop.net), ts.memory(live=True)]
    frames = {view.kind: 0 for view in views}

    def count(view):
        frames[view.kind] += 1

    for view in views:
        view.listeners.append(count)
    loop.run(0.4)
    assert all(frames[kind] >= 2 for kind in frames), frames
    assert all(view.state == "live" for view in views)
    for view in views:
        history = view.history_rows()
        check(view.snapshot(), None if history is None else history.tolist())
        assert view.trouble is None
        view.close()


def test_the_tape_of_a_step_has_values_gradients_and_times(loop):
    with ts.tape(loop.net) as view:
        loop.run(0.2)
    operations = [node for node in view.nodes if node["kind"] == "op"]
    assert [node["label"] for node in operations][:3] == ["linear", "relu", "linear"]
    assert all(node["value"] and node["grad"] and node["time_us"] > 0 for node in operations)
    assert all(node["grad"]["norm"] is not None for node in view.nodes if node["kind"] == "parameter")


def test_gradients_in_the_tape_are_those_of_the_parameters(loop):
    view = ts.tape(loop.net)
    loop.net(loop.x).pow(2).mean().backward()
    CONDUCTOR.settle()
    got = {node["name"]: node["grad"]["norm"] for node in view.nodes if node["kind"] == "parameter"}
    for name, parameter in loop.net.named_parameters():
        assert got[name] == pytest.approx((parameter.grad * parameter.grad).sum().sqrt().item(), rel=1e-4)


def test_a_step_that_is_not_sampled_has_no_listeners_per_node(loop):
    ts.watch(loop.net), ts.tape(loop.net), ts.memory(live=True)
    empty = 0
    end = time.perf_counter() + 0.3
    while time.perf_counter() < end:
        loop.step()
        empty += not any(LISTS)
    assert empty > 0
    CONDUCTOR.settle()
    assert not any(LISTS)
    assert all(len(always) == 1 for always in ALWAYS)


def test_cost_stays_within_the_share(loop):
    views = [ts.tape(loop.net), ts.watch(loop.net), ts.memory(live=True)]
    loop.run(0.5)  # the first frames are shown on credit
    governor = CONDUCTOR.governor
    governor.spent = governor.elapsed = 0.0
    loop.run(1.5)
    governor.pass_time(time.perf_counter())
    assert governor.spent <= 0.05 * governor.elapsed
    assert len(views) == 3


def test_a_failing_view_is_contained(loop, monkeypatch):
    view = ts.watch(loop.net)
    monkeypatch.setattr(view, "measure_gradients", lambda loss: 1 / 0)
    loop.run(0.05)
    assert isinstance(view.trouble, ZeroDivisionError)
    assert "This view met ZeroDivisionError" in view.text()


def test_a_failing_listener_is_dropped(loop):
    view = ts.watch(loop.net)
    view.listeners.append(lambda view: 1 / 0)
    loop.run(0.05)
    assert view.listeners == [] and view.step is not None


def test_an_interrupt_leaves_nothing_behind(loop):
    class Bomb(nn.Module):
        def forward(self, x):
            raise KeyboardInterrupt

    ts.tape(loop.net)
    ts.memory(live=True)
    with pytest.raises(KeyboardInterrupt):
        nn.Sequential(loop.net, Bomb())(loop.x)
    CONDUCTOR.settle()
    assert not any(LISTS)
    loop.run(0.05)
    assert all(view.trouble is None for view in CONDUCTOR.views)


def test_live_idle_ended(loop):
    view = ts.watch(loop.net)
    assert view.state == "live"
    loop.run(0.05)
    CONDUCTOR.check(CONDUCTOR.clock() + 10)
    assert view.state == "idle"
    loop.run(0.1)
    assert view.state == "live"
    view.close()
    loop.run(0.05)
    assert view.state == "ended" and view not in CONDUCTOR.views


def test_a_loop_without_an_optimizer_is_seen(loop):
    view = ts.watch(loop.net)
    for _ in range(3):
        loop.net(loop.x).sum().backward()
    assert view.step is not None and view.parameters[0]["norm"] > 0
    assert view.parameters[0]["update"] is None


def test_a_view_made_again_at_the_same_line_replaces_the_older():
    source = "net = nn.Linear(1, 1)\nviews = [ts.watch(net) for _ in range(3)]\nother = ts.watch(net)\n"
    space = run(source)
    assert [view.state for view in space["views"]] == ["ended", "ended", "live"]
    assert space["other"].state == "live"


def test_a_model_that_is_gone_ends_its_view():
    loop, other = Loop(), Loop()
    view = ts.tape(loop.net)
    del loop
    gc.collect()
    other.run(0.02)
    CONDUCTOR.prune()
    assert view.state == "ended"


def test_live_memory_finds_a_growing_list():
    source = """net = nn.Linear(32, 32)
opt = optim.SGD(net.parameters(), lr=0.1)
kept = []
view = ts.memory(live=True)
def step():
    opt.zero_grad()
    out = net(ts.ones(8, 32)).tanh()
    kept.append(out.sum())
    (out * out).mean().backward()
    opt.step()
"""
    space = run(source)
    for _ in range(30):
        space["step"]()
    CONDUCTOR.settle()
    view = space["view"]
    holder = next(row for row in view.holders if row["name"] == "kept")
    assert holder["trouble"] and holder["site"]["text"] == 'File "model.py", line 9'
    assert view.sentence.startswith("kept keeps ")
    lines = {row["site"]["line"] for row in view.lines if row["site"]["file"] == "model.py"}
    assert 8 in lines


def test_a_costly_view_looks_rarely(loop, monkeypatch):
    view = ts.watch(loop.net)
    measure = view.measure_gradients

    def slowly(loss):
        time.sleep(0.02)
        measure(loss)

    monkeypatch.setattr(view, "measure_gradients", slowly)
    before = CONDUCTOR.sampled - 1  # the first step is chosen when the view is made
    loop.run(1.0)
    assert 2 <= CONDUCTOR.sampled - before <= 5  # 20 ms each, 1.8 % of 1 s, and the credit of the first two
