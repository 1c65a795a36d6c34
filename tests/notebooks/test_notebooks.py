"""Every notebook runs from top to bottom, and is stored as it was written: no outputs, no widget state, short cells."""

from __future__ import annotations

import importlib.util
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
CELL_SECONDS = 120  # a cell that hangs fails, instead of holding up everything
WELCOME_SECONDS = 60

every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def content(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def code_cells(path: Path) -> list[dict[str, Any]]:
    return [cell for cell in content(path)["cells"] if cell["cell_type"] == "code"]


def source(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


def test_there_are_notebooks() -> None:
    assert "00_welcome" in [path.stem for path in NOTEBOOKS]


@every_notebook
def test_runs_from_top_to_bottom(path: Path, tmp_path: Path) -> None:
    for module, provider in (("nbval", ".[test]"), ("tqdm", ".[lab]"), ("matplotlib", ".[lab]")):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"needs {module}: pip install -e '{provider}'")
    command = [
        sys.executable, "-m", "pytest", "--nbval-lax", f"--nbval-cell-timeout={CELL_SECONDS}", "--nbval-current-env",
        "-q", "-p", "no:cacheprovider", "-c", os.devnull, f"--rootdir={ROOT}", str(path),
    ]  # fmt: skip
    own = {"IPYTHONDIR": str(tmp_path / "ipython"), "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime")}
    began = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **own}, capture_output=True, text=True)
    took = time.perf_counter() - began
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(code_cells(path))} passed" in done.stdout
    assert path.stem != "00_welcome" or took < WELCOME_SECONDS, f"{took:.0f} s"


@every_notebook
def test_is_stored_without_outputs_and_widget_state(path: Path) -> None:
    assert "widgets" not in content(path)["metadata"]
    assert content(path)["metadata"]["kernelspec"]["name"] == "python3"
    for cell in code_cells(path):
        assert cell["outputs"] == [] and cell["execution_count"] is None, source(cell)


@every_notebook
def test_cells_are_short_and_explained(path: Path) -> None:
    cells = content(path)["cells"]
    lengths = [len(source(cell).splitlines()) for cell in code_cells(path)]
    assert statistics.median(lengths) <= 5 and max(lengths) <= 10
    prose = sum(cell["cell_type"] == "markdown" for cell in cells)
    assert 0.7 <= prose / len(lengths) <= 1.4
    ids = [cell["id"] for cell in cells]
    assert len(set(ids)) == len(ids)


@every_notebook
def test_only_mistakes_made_on_purpose_may_fail(path: Path) -> None:
    expected = [cell["id"] for cell in code_cells(path) if "raises-exception" in cell["metadata"].get("tags", [])]
    assert all(name.startswith("mistake-") for name in expected)
    assert path.stem != "00_welcome" or len(expected) == 3
