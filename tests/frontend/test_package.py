"""The front end as it is shipped: what a wheel holds, what the sources may not hold, and its own unit tests."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXTENSION = ROOT / "extension"
SHARED = "tapescope-0.1.0.data/data/share/jupyter/labextensions/tapescope"


def environment() -> dict[str, str]:
    """PATH with this interpreter's commands first: `npm run build` calls jupyter-builder."""
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The names in a wheel built from this checkout."""
    pytest.importorskip("hatchling", reason="needs hatchling: pip install -e '.[test]'")
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True)
    if "needs npm and node" in done.stderr + done.stdout:
        pytest.skip("the built front end is old and there is no Node: pip install -e . builds it")
    assert done.returncode == 0, done.stdout + done.stderr
    return zipfile.ZipFile(next(folder.glob("*.whl"))).namelist()


def test_a_wheel_carries_the_widget(wheel: list[str]) -> None:
    assert "tapescope/static/widget.js" in wheel
    assert "tapescope/static/widget.css" in wheel


def test_a_wheel_carries_the_lab_extension_once(wheel: list[str]) -> None:
    assert f"{SHARED}/package.json" in wheel
    assert f"{SHARED}/install.json" in wheel
    assert f"{SHARED}/schemas/tapescope/plugin.json" in wheel
    assert [name for name in wheel if re.fullmatch(rf"{re.escape(SHARED)}/static/remoteEntry\..*\.js", name)]
    assert not [name for name in wheel if name.startswith("tapescope/labextension")]


def test_a_wheel_carries_no_sources_of_the_front_end(wheel: list[str]) -> None:
    assert not [name for name in wheel if "node_modules" in name or name.endswith((".ts", ".map"))]


def test_text_is_never_parsed_as_markup() -> None:
    sources = [*EXTENSION.glob("src/**/*.ts")]
    assert sources
    forbidden = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(")
    assert not [path.name for path in sources if forbidden.search(path.read_text())]


def test_the_lock_file_names_no_registry() -> None:
    lock = json.loads((EXTENSION / "package-lock.json").read_text())
    assert not [name for name, package in lock["packages"].items() if "resolved" in package]


def test_unit_tests_of_the_front_end() -> None:
    if shutil.which("npm") is None or not (EXTENSION / "node_modules").is_dir():
        pytest.skip("needs Node and its packages: cd extension && npm ci")
    done = subprocess.run(["npm", "test"], cwd=EXTENSION, env=environment(), capture_output=True, text=True, timeout=55)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
