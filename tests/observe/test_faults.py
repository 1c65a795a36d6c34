"""Errors as views: the user's line, the operands, the forward lines of a backward error, nothing lost."""

import pytest
import tapescope as ts
from observe.script import run
from tapescope.observe.faults import axis_span, fault_of, faults_of, passes_through


def caught(source, file="model.py"):
    with pytest.raises(Exception) as info:  # noqa: PT011
        run(source, file)
    return info.value


def test_a_shape_error_names_the_line_and_marks_the_axis():
    error = caught("net = nn.Linear(128, 10)\nx = ts.ones(64, 120).requires_grad_()\ny = net(x * 1.0)\n")
    fault = fault_of(error)
    assert passes_through(error)
    assert fault.kind == "ShapeError"
    assert [c.site.text for c in fault.culprits if c.site.file == "model.py"][0] == 'File "model.py", line 4'
    text = fault.text()
    assert "--> 4 y = net(x * 1.0)" in text
    rows = text.splitlines()
    row = next(i for i, line in enumerate(rows) if line.startswith("input"))
    assert rows[row][rows[row + 1].index("^") :].startswith("120")
    weight = next(line for line in rows if line.startswith("weight"))
    assert "Linear(in_features=128" in weight and 'File "model.py", line 2' in weight
    assert "library frame" in text


def test_a_backward_error_shows_saved_changed_and_needed():
    error = caught("a = ts.ones(3, requires_grad=True)\nb = a.exp()\nb.add_(1)\nb.sum().backward()\n")
    roles = [(c.role, c.site.line) for c in fault_of(error).culprits if c.site.file == "model.py"]
    assert roles == [("saved at", 3), ("changed at", 4), ("needed at", 5)]


def test_a_call_within_a_call_shows_both_lines():
    error = caught("def head(h):\n    return h @ ts.ones(3, 3)\nhead(ts.ones(2, 2))\n")
    fault = fault_of(error)
    lines = [(c.site.line, c.function) for c in fault.culprits if c.site.file == "model.py"]
    assert lines == [(3, "head"), (4, "")]


def test_causes_contexts_and_notes_are_kept():
    source = """def fail():
    try:
        ts.ones(2) + ts.ones(3)
    except ValueError as error:
        raise RuntimeError("outer") from error
try:
    fail()
except RuntimeError as error:
    error.add_note("while testing")
    raise
"""
    error = caught(source)
    inner, outer = faults_of(error)
    assert inner.kind == "ShapeError" and "direct cause" in inner.link
    assert outer.message == "outer" and outer.text().endswith("while testing")


def test_a_plain_error_does_not_pass_through():
    assert not passes_through(caught("1 / 0\n"))


def test_a_loop_in_the_chain_ends():
    first, second = ValueError("a"), ValueError("b")
    first.__cause__, second.__cause__ = second, first
    assert len(faults_of(first)) == 2


def test_an_exception_without_text_is_still_shown():
    class Mute(Exception):
        def __str__(self):
            raise ValueError

    assert "could not be made" in fault_of(Mute()).text()


@pytest.mark.parametrize(
    "shape, axis, text", [([64, 120], 1, "120"), ([64, 120], 0, "64"), ([5], 0, "5"), ([1, 22, 3], -2, "22")]
)
def test_axis_span(shape, axis, text):
    from tapescope.observe import numbers

    left, right = axis_span(shape, axis)
    assert numbers.shape(shape)[left:right] == text


def test_axis_span_of_none():
    assert axis_span([2, 3], None) is None and axis_span([2], 7) is None


def test_snapshot_is_plain_data():
    import json

    error = caught("ts.ones(2) + ts.ones(3)\n")
    data = fault_of(error).as_dict()
    assert json.loads(json.dumps(data)) == data
    assert data["view"] == "error" and data["culprits"][-1]["site"]["line"] >= 2
    assert isinstance(ts.ones(1), ts.Tensor)
