"""The magics: thin shells, and what to type where nothing is obvious."""

import pytest
from IPython.core.error import UsageError
from tapescope.jupyter import session
from tapescope.jupyter.magics import parse_size
from tapescope.observe import View
from tapescope.observe.live import CONDUCTOR


def test_tape_of_a_value_of_loss_and_of_a_model(shell):
    shell.good("net = nn.Linear(2, 1)\nloss = net(ts.ones(3, 2)).sum()")
    assert shell.good("%tape loss").title == "loss"
    assert shell.good("%tape").title == "loss"
    assert shell.good("%tape loss * 2").title == "loss * 2"
    live = shell.good("%tape net")
    assert live.title == "net" and live in CONDUCTOR.views
    assert live.site.text == f"Cell In[{shell.shell.execution_count - 1}], line 1"


def test_grads_takes_the_only_model(shell):
    shell.good("net = nn.Linear(2, 1)")
    view = shell.good("%grads")
    assert view.title == "net" and view.kind == "gradients"
    shell.good("net(ts.ones(1, 2)).sum().backward()")
    assert view.parameters[0]["norm"] > 0 and view.state == "idle"


def test_mem_once_and_live(shell):
    shell.good("x = ts.ones(1 << 18)")
    once = shell.good("%mem --budget 64MiB")
    assert once.budget == 64 << 20 and once.state == "idle"
    assert any(row["name"] == "x" for row in once.holders)
    assert shell.good("%mem --live") in CONDUCTOR.views


@pytest.mark.parametrize(
    "setup, line, say",
    [
        ("", "%tape", "Compute a loss, then %tape loss"),
        ("", "%grads", "there is no model yet"),
        ("a, b = nn.Linear(1, 1), nn.Linear(1, 1)", "%grads", "%grads a, %grads b"),
        ("x = ts.ones(1, requires_grad=True); p = x * 1; q = x * 2", "%tape", "%tape p, %tape q"),
        ("", "%mem --budget plenty", "is not a size"),
    ],
)
def test_what_to_type(shell, setup, line, say):
    if setup:
        shell.good(setup)
    name, _, rest = line[1:].partition(" ")
    with pytest.raises(UsageError) as info:
        shell.shell.run_line_magic(name, rest)
    assert say in str(info.value)


@pytest.mark.parametrize(
    "text, size", [("64MiB", 64 << 20), ("2e9", 2_000_000_000), ("1.5 GB", 1_500_000_000), ("8b", 8)]
)
def test_sizes(text, size):
    assert parse_size(text) == size


def test_loading_twice_and_unloading(shell):
    inner = shell.shell
    before = {event: list(functions) for event, functions in inner.events.callbacks.items()}
    session.load(inner)
    shell.good("%load_ext tapescope")
    assert {event: list(functions) for event, functions in inner.events.callbacks.items()} == before
    shell.good("%unload_ext tapescope")
    assert session.current() is None
    assert inner.custom_exceptions == ()
    assert "tape" not in inner.magics_manager.magics["line"]
    assert not any("tapescope" in str(f) for functions in inner.events.callbacks.values() for f in functions)
    shell.run("ts.ones(2) + ts.ones(3)")
    assert "Traceback (most recent call last)" in shell.error
    shell.good("%load_ext tapescope")


def test_a_view_prints_as_text_in_a_terminal(shell, capsys):
    shell.good("net = nn.Linear(2, 1)\nloss = net(ts.ones(3, 2)).sum()")
    assert isinstance(shell.good("ts.tape(loss)"), View)
    assert "2 operations" in capsys.readouterr().out
