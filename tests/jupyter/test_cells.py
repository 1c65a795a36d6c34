"""Places in cells: the number as IPython writes it, the line as the user sees it."""

import pytest
from tapescope.observe import sites


def place(shell, name="y"):
    return sites.site_of_tensor(shell[name])


def test_a_plain_cell(shell):
    shell.good("x = ts.ones(2, requires_grad=True)\ny = x * 2", cell_id="abc")
    site = place(shell)
    count = shell.shell.execution_count - 1
    assert (site.text, site.label) == (f"Cell In[{count}], line 2", f"In[{count}]:2")
    assert (site.cell, site.count, site.line, site.source, site.file) == ("abc", count, 2, "y = x * 2", None)
    assert site.text.startswith("Cell " + shell.shell.compile.format_code_name(_file(shell))[1])


def _file(shell, name="y"):
    return shell[name].grad_fn.code.co_filename


def test_leading_blank_lines_count(shell):
    shell.good("\n\n  \nx = ts.ones(2, requires_grad=True)\ny = x * 2")
    assert place(shell).line == 5
    assert place(shell).source == "y = x * 2"


def test_the_same_text_twice_takes_the_later_number(shell):
    text = "x = ts.ones(2, requires_grad=True)\ny = x * 2"
    shell.good(text, cell_id="one")
    first = shell["y"]
    shell.good(text, cell_id="two")
    count = shell.shell.execution_count - 1
    site = place(shell)
    shown = shell.shell.compile.format_code_name(_file(shell))[1]
    assert site.text == f"Cell {shown}, line 2" and site.count == count and site.cell == "two"
    assert first is not shell["y"]


def test_without_ids_and_without_history(shell):
    """As nbval and nbclient run cells: every cell is In[1], the lines are right."""
    shell.good("x = ts.ones(2, requires_grad=True)", store=False)
    shell.good("\na = 1\ny = x * 2", store=False)
    site = place(shell)
    assert site.line == 3 and site.source == "y = x * 2" and site.cell is None


@pytest.mark.parametrize("magic", ["%%time", "%%timeit -n1 -r1", "%%prun -q"])
def test_magics_that_compile_the_rest_of_the_cell(shell, magic, capsys):
    shell.good("x = ts.ones(2, requires_grad=True)\nout = []")
    shell.good(f"{magic}\nz = 1\nout.append(x * 2)", cell_id="timed")
    site = sites.site_of_tensor(shell["out"][0])
    assert (site.cell, site.line, site.source) == ("timed", 3, "out.append(x * 2)")
    assert site.text == f"Cell In[{shell.shell.execution_count - 1}], line 3"


def test_of_two_timed_cells_the_right_one(shell, capsys):
    shell.good("x = ts.ones(2, requires_grad=True)")
    shell.good("%%time\nfirst = x * 2", cell_id="one")
    shell.good("%%time\n\nsecond = x * 3", cell_id="two")
    assert place(shell, "first").cell == "one" and place(shell, "first").line == 2
    assert place(shell, "second").cell == "two" and place(shell, "second").line == 3


def test_a_line_magic(shell, capsys):
    shell.good("x = ts.ones(2, requires_grad=True)\nout = []")
    shell.good("a = 1\n%time out.append(x * 2)", cell_id="line")
    site = sites.site_of_tensor(shell["out"][0])
    assert (site.cell, site.line) == ("line", 2)


def test_a_cell_within_a_cell(shell, capsys):
    shell.good("%%capture\nx = ts.ones(2, requires_grad=True)\ny = x * 2", cell_id="outer")
    site = place(shell)
    assert (site.cell, site.line) == ("outer", 3)
    assert site.count == shell.shell.execution_count - 1
    shell.good("z = x * 3", cell_id="next")
    assert place(shell, "z").cell == "next"


def test_functions_lambdas_comprehensions_and_classes(shell):
    shell.good("x = ts.ones(2, requires_grad=True)")
    shell.good(
        "def double(v):\n    return v * 2\nf = lambda v: v * 3\nclass Net(nn.Module):\n"
        "    def forward(self, v):\n        return v * 4",
        cell_id="defs",
    )
    shell.good("a = double(x)\nb = f(x)\nc = [v * 5 for v in [x]][0]\nd = Net()(x)", cell_id="uses")
    got = [(place(shell, name).cell, place(shell, name).line) for name in "abcd"]
    assert got == [("defs", 2), ("defs", 3), ("uses", 3), ("defs", 6)]


def test_cells_from_before_the_extension(bare_shell):
    bare_shell.good("\nx = ts.ones(2, requires_grad=True)\ny = x * 2")
    count = bare_shell.shell.execution_count - 1
    bare_shell.good("%load_ext tapescope\nz = x * 3")
    assert place(bare_shell).text == f"Cell In[{count}], line 3"
    assert place(bare_shell, "z").text == f"Cell In[{count + 1}], line 2"


def test_error_messages_use_the_same_names(shell):
    shell.run("x = ts.ones(2, requires_grad=True)\ny = x.exp()\n\ny.add_(1)\ny.sum().backward()")
    count = shell.shell.execution_count - 1
    [(kind, message, _)] = shell.tracebacks
    assert kind == "InplaceError" and f"Cell In[{count}], line 2" in message and f"Cell In[{count}], line 4" in message


def test_a_file_keeps_its_path(shell, tmp_path):
    path = tmp_path / "helper.py"
    path.write_text("import tapescope as ts\ny = ts.ones(2, requires_grad=True) * 2\n")
    shell.good(f"%run {path}")
    assert place(shell).text == f'File "{path}", line 2'
