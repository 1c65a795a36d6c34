"""A user saves a notebook, comes back to it, and finds each view: live while its kernel lives, else as a picture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from e2e.lab import Lab

WIDGET = "application/vnd.jupyter.widget-view+json"
CELLS = {
    "load": "%load_ext tapescope\nimport tapescope as ts\nfrom tapescope import nn, optim",
    "tape": "w = ts.tensor([2.0, -1.0], requires_grad=True)\nloss = (w * w).sum()\nloss.backward()\nts.tape(loss)",
    "train": "net = nn.Linear(4, 1)\nopt = optim.SGD(net.parameters(), lr=0.1)\n"
    "display(ts.watch(net), ts.memory(live=True))\n"
    "for _ in range(5):\n    net(ts.ones(8, 4)).square().mean().backward()\n    opt.step()",
    "after": "'the end'",
}
VIEWS, STILLS = ".jp-OutputArea .ts-view", ".jp-OutputArea .tapescope-still img"


@pytest.fixture(scope="module")
def notebook(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three views in two cells."""
    cells = [
        {"id": name, "cell_type": "code", "source": source, "metadata": {}, "execution_count": None, "outputs": []}
        for name, source in CELLS.items()
    ]
    kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)"}
    content = {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": kernel}, "cells": cells}
    path = tmp_path_factory.mktemp("saved") / "saved.ipynb"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def shows(lab: Lab, views: int, stills: int) -> bool:
    """Whether the notebook comes to show that many live views and pictures, and no error."""

    def counts() -> tuple[int, int, bool]:
        page = lab.page
        failed = "Error displaying widget" in page.locator(".jp-Notebook").inner_text()
        return page.locator(VIEWS).count(), page.locator(STILLS).count(), failed

    return bool(lab.until(lambda: counts() == (views, stills, False)))


def run(lab: Lab) -> None:
    lab.command("notebook:run-all-cells")
    lab.wait_until_done("after")


def reload(lab: Lab) -> None:
    lab.page.reload()
    lab.ready()


def outputs(lab: Lab) -> list[dict[str, Any]]:
    return [output["data"] for cell in ("tape", "train") for output in lab.outputs(cell)]


def without_widget(data: dict[str, Any]) -> dict[str, Any]:
    return {kind: value for kind, value in data.items() if kind != WIDGET}


def test_a_saved_view_is_live_while_its_kernel_lives_and_then_a_picture(lab: Lab) -> None:
    run(lab)
    assert shows(lab, views=3, stills=0)
    assert lab.until(lambda: all("image/png" in data for data in outputs(lab)))
    saved = outputs(lab)
    lab.command("docmanager:save")
    lab.page.wait_for_function("!lab.panel.context.model.dirty")

    reload(lab)
    assert shows(lab, views=3, stills=0)
    assert outputs(lab) == saved

    lab.page.evaluate("lab.panel.sessionContext.shutdown()")
    assert shows(lab, views=0, stills=3)
    reload(lab)
    assert shows(lab, views=0, stills=3)
    assert lab.page.evaluate("[...document.querySelectorAll('.tapescope-still img')].every(i => i.naturalWidth > 300)")
    assert outputs(lab) == [without_widget(data) for data in saved]
    assert not lab.page.evaluate("lab.panel.context.model.dirty")

    lab.command("docmanager:reload")
    assert lab.until(lambda: not any(WIDGET in data for data in outputs(lab)))
    assert shows(lab, views=0, stills=3)

    run(lab)
    assert shows(lab, views=3, stills=0)


def test_a_crash_leaves_pictures(lab: Lab) -> None:
    lab.page.evaluate(
        "void lab.panel.sessionContext.session.kernel.requestExecute({ code: 'import os; os._exit(1)' }).done.catch(() => 0)"
    )
    assert shows(lab, views=0, stills=3)
