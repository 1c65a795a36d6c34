"""Memory: every byte once, the right holder, the right line, and a leak called by its name."""

import gc

import pytest
import tapescope as ts
from observe.schema import check
from observe.script import run
from tapescope.observe.ledger import MemoryLedger
from tapescope.observe.memory_view import Growth
from tapescope.observe.survey import Survey

KIB = 1024


def test_roles_add_up_and_nothing_counts_twice():
    source = """net = nn.Linear(32, 8, bias=False)
opt = optim.Adam(net.parameters())
x = ts.ones(16, 32)
also = x
part = x[:4]
net(x).sum().backward()
opt.step()
"""
    space = run(source)
    survey = Survey(space)
    assert survey.roles["parameters"] == survey.roles["gradients"] == KIB
    assert survey.roles["optimizer"] >= 2 * KIB
    assert survey.roles["other"] == 2 * KIB
    assert survey.total == sum(survey.roles.values())
    names = [holder.name for holder in survey.largest()]
    assert "x" in names and "also" not in names and "part" not in names


def test_a_list_of_losses_is_a_leak():
    source = """net = nn.Linear(64, 64)
losses = []
for _ in range(20):
    out = net(ts.ones(8, 64)).tanh()
    losses.append(out.sum())
del out
view = ts.memory(budget=1 << 20)
"""
    view = run(source)["view"]
    check(view.snapshot(), view.history.tolist())
    holder = next(row for row in view.holders if row["name"] == "losses")
    assert holder["trouble"] and holder["detail"] == "list, 20 graphs"
    assert holder["bytes"] >= 20 * 2 * 8 * 64 * 4  # input and tanh of each
    assert holder["site"]["text"] == 'File "model.py", line 6'
    assert view.sentence.startswith("losses keeps 20 graphs alive (")
    assert view.sentence.endswith('at File "model.py", line 6. Keep loss.item() or loss.detach() instead.')


def test_plain_numbers_in_a_list_are_no_leak():
    view = run("losses = [float(i) for i in range(1000)]\nx = ts.ones(4)\nview = ts.memory()")["view"]
    assert not any(row["trouble"] for row in view.holders)
    assert not any(row["name"] == "losses" for row in view.holders)


def test_what_hides_in_containers_objects_and_out_is_found():
    source = """class Batch: pass
batch = Batch(); batch.inner = {"a": (ts.ones(256),)}
Out = {3: ts.ones(512)}
"""
    found = {holder.name: holder for holder in Survey(run(source)).holders}
    assert found["batch"].bytes == KIB and found["batch"].detail == "Batch, 1 tensor"
    assert found["Out[3]"].bytes == 2 * KIB


def test_what_no_name_holds_is_found_too():
    def hidden():
        kept = ts.ones(50_000)
        view = run("view = ts.memory()")["view"]
        return kept, view

    _, view = hidden()
    assert sum(row["bytes"] for row in view.holders if row["name"] == "not named") >= 200_000


def test_lines_of_what_is_alive():
    source = "a = ts.ones(1024, requires_grad=True)\nb = a.exp()\nc = b.sin()\nview = ts.memory()"
    view = run(source, "lines.py")["view"]
    by_line = {row["site"]["line"]: row["bytes"] for row in view.lines if row["site"]["file"] == "lines.py"}
    assert by_line[2] == by_line[3] == 4 * KIB


def test_ledger_follows_each_array_to_its_end():
    space = run("def make(n):\n    return ts.ones(n) + 1\n")
    with MemoryLedger() as ledger:
        kept = space["make"](256)
        lost = space["make"](1024)
        assert ledger.peak >= ledger.live >= 5 * KIB
        del lost
        gc.collect()
        assert ledger.live == KIB
        view = kept.reshape(16, 16)
        assert ledger.live == KIB  # it shows the same memory
    [row] = ledger.lines()
    assert (row["site"]["text"], row["bytes"], row["count"]) == ('File "model.py", line 3', KIB, 1)
    ts.ones(10_000)
    assert ledger.live == KIB and view is not None


def test_ledger_survives_what_happens_to_it():
    ledger = MemoryLedger()
    ledger.start()
    ledger.start()
    kept = ts.ones(8)
    ledger.clear()
    del kept
    ledger.stop()
    ledger.stop()
    assert ledger.live == 0


@pytest.mark.parametrize(
    "ends, each",
    [([100, 200, 300, 400, 500], 100), ([100, 200, 150, 250, 350], 0), ([100] * 9, 0), ([1, 2], 0)],
)
def test_growth(ends, each):
    growth = Growth()
    for step, total in enumerate(ends):
        growth.add(step, total)
    assert growth.each == each


def test_text_form_has_all_parts():
    text = str(run("x = ts.ones(1024)\nview = ts.memory(budget=8192)")["view"])
    assert "budget 8.00 KiB" in text
    assert "held by" in text and "made at" in text and "parameters" in text
    assert text.splitlines()[-1].endswith(".")


def test_looking_keeps_nothing_alive():
    import weakref

    space = run("x = ts.ones(4096)\nview = ts.memory()")
    reference = weakref.ref(space["x"])
    del space["x"]
    gc.collect()
    assert reference() is None and space["view"].total > 0
