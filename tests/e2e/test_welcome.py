"""A user opens the welcome notebook in JupyterLab, runs it, watches, clicks, stops, starts again.

The tests share one open notebook and stand in the order in which a user would do these things.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest
from e2e.lab import SIZE, VIEWS, Lab

Picture = Callable[..., None]

EPOCHS = re.compile(r"(\d+)/240")
DARK, LIGHT = "JupyterLab Dark", "JupyterLab Light"


def changes_while_running(lab: Lab, cell: str, wanted: int, seconds: float = 60) -> dict[str, int]:
    """How many times each view was seen to change while the cell's prompt was ``[*]``, up to ``wanted``."""
    seen: dict[str, set[int]] = {kind: set() for kind in VIEWS}
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        state = lab.state(cell)
        if state["prompt"] != "[*]:":
            break
        for kind in VIEWS:
            if state[kind] >= 0:
                seen[kind].add(state[kind])
        if min(map(len, seen.values())) > wanted:
            break
        time.sleep(0.05)
    return {kind: len(numbers) - 1 for kind, numbers in seen.items()}


def wait_for_flash(lab: Lab) -> str:
    """The text of the line that flashes."""
    flash = lab.page.locator(".jp-Cell.jp-mod-active .cm-line.ts-flash")
    flash.wait_for(timeout=5000)
    return str(flash.inner_text())


def test_each_view_changes_before_its_cell_has_finished(lab: Lab) -> None:
    lab.command("notebook:run-all-cells")
    lab.wait_for_prompt("train", "[*]:")
    lab.select("train")
    changes = changes_while_running(lab, "train", wanted=3)
    assert min(changes.values()) >= 2, changes
    assert lab.prompt("accuracy") == "[*]:"


def test_the_panel_lists_the_live_views_and_leads_to_their_cell(lab: Lab) -> None:
    lab.command("tapescope:toggle-panel")
    items = lab.page.locator("#tapescope-panel .ts-panel-item")
    lab.page.wait_for_function("document.querySelectorAll('#tapescope-panel .ts-panel-item').length === 3")
    assert sorted(item.get_attribute("data-view") for item in items.all()) == sorted(VIEWS)
    lab.select("expression")
    lab.page.locator("#tapescope-panel .ts-panel-item[data-view=gradients] .ts-panel-open").click()
    assert lab.until(lambda: lab.where()["cell"] == "train"), lab.where()


def test_pictures_in_the_middle_of_training(lab: Lab, picture: Picture) -> None:
    lab.page.mouse.move(640, 5)
    lab.page.set_viewport_size({"width": 1440, "height": 1420})
    lab.select("train")
    bar = lab.page.locator(".jp-OutputArea .widget-hbox", has_text="epochs")

    def progress() -> int:
        found = EPOCHS.search(bar.inner_text())
        return int(found[1]) if found else 0

    assert lab.until(lambda: progress() > 0)
    assert lab.until(lambda: progress() >= 110, 30)
    lab.top("train")
    time.sleep(0.3)
    picture("welcome-light", lab.page)
    lab.command("apputils:change-theme", {"theme": DARK})
    lab.page.wait_for_selector("body[data-jp-theme-light=false]", state="attached")
    lab.until(lambda: lab.page.locator(".ts-view.ts-dark").count() >= 4)
    lab.top("train")
    time.sleep(0.7)  # the stylesheets of a theme arrive after its name
    picture("welcome-dark", lab.page)
    lab.page.set_viewport_size(SIZE)
    lab.command("apputils:change-theme", {"theme": LIGHT})
    lab.page.wait_for_selector("body[data-jp-theme-light=true]", state="attached")


def test_it_runs_to_the_end(lab: Lab) -> None:
    lab.wait_until_done("mistake-target", 90)
    cells = lab.page.evaluate(
        "lab.notebook.widgets.filter(cell => cell.model.type === 'code').map(cell => cell.model.id)"
    )
    counts = [lab.page.evaluate("id => lab.cell(id).model.executionCount", cell) for cell in cells]
    assert counts == list(range(1, len(cells) + 1))
    failed = [cell for cell in cells if any(output["output_type"] == "error" for output in lab.outputs(cell))]
    assert failed == ["mistake-shape", "mistake-inplace", "mistake-target"]
    said = "".join(lab.outputs("accuracy")[0]["text"])
    assert float(said.split("%")[0]) >= 97, said


def test_picture_of_the_small_tape(lab: Lab, picture: Picture) -> None:
    lab.select("tape")
    tape = lab.view("tape", "tape")
    assert "5 operations keep 16 B for backward" in tape.locator(".ts-foot").inner_text()
    picture("tape", tape)


@pytest.mark.parametrize(
    ("cell", "kind", "label", "target", "line", "source"),
    [
        ("tape", "op", "pow", "expression", 5, "loss = (prediction - 6) ** 2"),
        ("tape", "op", "mul", "expression", 4, "prediction = (w * x).sum() + b"),
        ("tape", "input", "b", "expression", 3, "b = ts.tensor(1.0, requires_grad=True)"),
        ("train", "op", "cross_entropy", "step", 3, "loss = F.cross_entropy(net(noisy), y)"),
        ("train", "parameter", "7.weight", "model", 3, "net = nn.Sequential("),
    ],
)
def test_a_click_on_a_node_leads_to_its_line(
    lab: Lab, cell: str, kind: str, label: str, target: str, line: int, source: str
) -> None:
    lab.select(cell)
    tape = lab.view(cell, "tape")
    tape.locator(f'.ts-node[data-kind={kind}][aria-label*="{label}"]').click()
    assert source in wait_for_flash(lab)
    assert lab.where() == {"cell": target, "line": line}
    count = lab.prompt(target).strip("[]:")
    lab.select(cell)
    assert tape.locator(".ts-inspector .ts-chip").inner_text() == f"In[{count}]:{line}"


def test_a_chip_leads_to_its_line(lab: Lab) -> None:
    lab.select("train")
    chip = lab.view("train", "memory").locator(".ts-chip[data-line]").first
    line, text = int(chip.get_attribute("data-line") or 0), chip.inner_text()
    chip.click()
    assert wait_for_flash(lab)
    where = lab.where()
    assert where["line"] == line
    assert text == f"In[{lab.prompt(where['cell']).strip('[]:')}]:{line}"


@pytest.mark.parametrize(
    ("cell", "error", "lines"),
    [
        (
            "mistake-shape",
            "ShapeError",
            [("narrow", 8, "return self.head(h)"), ("mistake-shape", 2, "narrow(held_out.images)")],
        ),
        (
            "mistake-inplace",
            "InplaceError",
            [
                ("mistake-inplace", 2, "e = a.exp()"),
                ("mistake-inplace", 3, "e += 1"),
                ("mistake-inplace", 4, "e.sum().backward()"),
            ],
        ),
        ("mistake-target", "IndexingError", [("mistake-target", 3, "F.cross_entropy(logits, labels)")]),
    ],
)
def test_a_mistake_shows_the_line_that_is_wrong(
    lab: Lab, cell: str, error: str, lines: list[tuple[str, int, str]]
) -> None:
    lab.select(cell)
    shown = lab.error(cell)
    assert shown.startswith(error), shown
    for where, line, source in lines:
        assert f"Cell In[{lab.prompt(where).strip('[]:')}], line {line}" in shown
        assert re.search(rf"--> {line} +{re.escape(source)}", shown), shown
    assert "site-packages" not in shown and "tapescope/" not in shown


def test_picture_of_a_mistake(lab: Lab, picture: Picture) -> None:
    lab.select("mistake-shape")
    index = lab.page.evaluate("lab.notebook.activeCellIndex")
    picture("error", lab.page.locator(f'.jp-Cell[data-windowed-list-index="{index}"]'))


def test_an_interrupt_in_the_middle_of_training_leaves_everything_usable(lab: Lab) -> None:
    lab.run("train")
    lab.wait_for_prompt("train", "[*]:")
    assert min(changes_while_running(lab, "train", wanted=2).values()) >= 2
    lab.command("notebook:interrupt-kernel")
    lab.wait_until_done("train", 10)
    assert "KeyboardInterrupt" in lab.error("train")
    assert lab.until(lambda: {lab.view("train", kind).get_attribute("data-state") for kind in VIEWS} == {"idle"})
    lab.run("accuracy")
    lab.wait_until_done("accuracy")
    assert lab.error("accuracy") == "" and "read correctly" in "".join(lab.outputs("accuracy")[0]["text"])


def test_a_restarted_kernel_runs_again(lab: Lab) -> None:
    lab.page.evaluate("void lab.panel.sessionContext.restartKernel()")
    lab.page.wait_for_function("lab.panel.sessionContext.session.kernel.status !== 'idle'")
    lab.ready()
    lab.page.wait_for_function("document.querySelectorAll('#tapescope-panel .ts-panel-item').length === 0")
    assert {lab.view("train", kind).get_attribute("data-state") for kind in VIEWS} == {"stale"}
    lab.command("notebook:run-all-cells")
    lab.wait_for_prompt("train", "[*]:")
    lab.select("train")
    assert min(changes_while_running(lab, "train", wanted=2).values()) >= 2
    lab.wait_until_done("mistake-target", 90)
    assert "read correctly" in "".join(lab.outputs("accuracy")[0]["text"])


def test_a_reloaded_page_shows_the_last_state(lab: Lab) -> None:
    lab.select("train")
    before = lab.state("train")
    lab.command("docmanager:save")
    lab.page.wait_for_function("!lab.panel.context.model.dirty")
    lab.page.reload()
    lab.ready()
    lab.select("train")
    assert before["tape"] > 0 and before["gradients"] > 0 and before["memory"] > 0

    def restored() -> bool:
        return all(lab.state("train")[kind] >= before[kind] for kind in VIEWS)

    assert lab.until(restored), (before, lab.state("train"))
    assert {lab.view("train", kind).get_attribute("data-state") for kind in VIEWS} == {"idle"}
    lab.run("accuracy")
    lab.wait_until_done("accuracy")
    assert lab.error("accuracy") == ""
