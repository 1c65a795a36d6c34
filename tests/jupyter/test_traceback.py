"""Tracebacks: the user's lines first for ours, everything as ever for others."""

import sys

import pytest


def test_the_users_line_comes_first(shell):
    shell.good("net = nn.Linear(3, 2)\nnet2 = nn.Sequential(net)")
    shell.run("h = ts.ones(4, 5)\nout = net2(h)\nprint(out)")
    count = shell.shell.execution_count - 1
    [(kind, message, stb)] = shell.tracebacks
    text = "\n".join(stb)
    assert kind == "ShapeError"
    assert text.splitlines()[0] == f"ShapeError: {message}"
    assert text.splitlines()[2] == f"Cell In[{count}], line 2"
    assert "--> 2 out = net2(h)" in text and "    3 print(out)" in text
    assert "library frames folded; %tb shows them." in text
    assert "site-packages" not in text and "tapescope/" not in text
    assert f"Linear(in_features=3, out_features=2, bias=True)  Cell In[{count - 1}], line 1" in text
    assert "(4, 5)" in text and "^" in text


def test_leading_blanks_and_timed_cells(shell, capsys):
    shell.run("\n\n%%time\na = 1\nts.ones(2) + ts.ones(3)")
    assert f"Cell In[{shell.shell.execution_count - 1}], line 5" in shell.error
    assert "--> 5 ts.ones(2) + ts.ones(3)" in shell.error
    assert "run_cell_magic" not in shell.error


def test_a_backward_error_shows_three_lines(shell):
    shell.run("x = ts.ones(2, requires_grad=True)\ny = x.exp()\ny.mul_(2)\ny.sum().backward()")
    text = shell.error
    count = shell.shell.execution_count - 1
    places = [f"{role} Cell In[{count}], line {line}" for role, line in
              (("saved at", 2), ("changed at", 3), ("needed at", 4))]  # fmt: skip
    assert [text.find(place) for place in places] == sorted(text.find(place) for place in places)
    assert all(place in text for place in places)


@pytest.mark.parametrize("text", ["1 / 0", "[][3]", "import numpy as np\nnp.ones(2) + np.ones(3)", "int('x')"])
def test_other_errors_look_as_ever(shell, bare_shell, text):
    shell.run(text)
    ours = shell.tracebacks[:]
    assert "Traceback (most recent call last)" in shell.error
    assert ours[0][0] in ("ZeroDivisionError", "IndexError", "ValueError")


def test_an_error_of_the_users_inside_a_module_is_shown_with_all_their_lines(shell):
    shell.good("class Net(nn.Module):\n    def forward(self, x):\n        return x.missing\nnet = Net()")
    shell.run("net(ts.ones(1))")
    count = shell.shell.execution_count
    assert f"Cell In[{count - 2}], line 3, in forward" in shell.error
    assert f"Cell In[{count - 1}], line 1" in shell.error
    assert shell.error.index("line 3, in forward") < shell.error.index(f"Cell In[{count - 1}]")


def test_causes_and_notes_are_kept(shell):
    shell.run(
        "try:\n    ts.ones(2) + ts.ones(3)\nexcept ValueError as error:\n"
        "    wrapped = RuntimeError('outer')\n    wrapped.add_note('a note')\n"
        "    ts.ones(1).register_hook if False else None\n    raise wrapped from error"
    )
    text = shell.error
    assert "outer" in text and "a note" in text and "direct cause" in text and "do not broadcast" in text


def test_tb_and_debug_still_have_everything(shell, capsys):
    shell.run("ts.ones(2) + ts.ones(3)")
    assert sys.last_type.__name__ == "ShapeError" and sys.last_traceback is not None
    shell.tracebacks.clear()
    shell.shell.run_line_magic("tb", "")
    assert "Traceback (most recent call last)" in shell.error and "record.py" in shell.error


def test_interrupts_are_left_alone(shell):
    shell.run("raise KeyboardInterrupt")
    assert shell.tracebacks[0][0] == "KeyboardInterrupt"
    assert "folded" not in shell.error


def test_exception_groups_are_left_to_python(shell, capsys):
    shell.run("try:\n    ts.ones(2) + ts.ones(3)\nexcept ValueError as e:\n    raise ExceptionGroup('g', [e])")
    assert shell.tracebacks == [] and "ExceptionGroup" in capsys.readouterr().err


def test_a_fault_in_the_view_loses_nothing(shell, monkeypatch):
    from tapescope.jupyter import traceback

    monkeypatch.setattr(traceback, "structured", lambda *a: 1 / 0)
    shell.run("ts.ones(2) + ts.ones(3)")
    assert shell.tracebacks[0][0] == "ShapeError" and "Traceback (most recent call last)" in shell.error


def test_a_handler_of_the_users_stays_in_charge(bare_shell):
    seen = []
    bare_shell.shell.set_custom_exc((ValueError,), lambda shell, kind, value, tb, tb_offset=None: seen.append(kind))
    bare_shell.good("%load_ext tapescope")
    bare_shell.run("ts.ones(2) + ts.ones(3)")
    assert len(seen) == 1
    bare_shell.shell.set_custom_exc((), None)
