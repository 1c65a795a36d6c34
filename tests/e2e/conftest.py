"""One server, one browser and one notebook for a whole file of tests, which walk through it in order.

They end with the file, because other tests drive a browser of their own: Playwright allows one at a time.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
from e2e import server
from e2e.lab import SIZE, Lab

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "notebooks" / "00_welcome.ipynb"
PICTURES = ROOT / "docs" / "images"
HARMLESS = ("favicon", "ResizeObserver loop", "net::ERR_ABORTED")


def missing(what: str, provider: str) -> NoReturn:
    """Skip, saying what would provide it; where everything is meant to be there, fail."""
    message = f"needs {what}: {provider}"
    if os.environ.get("CI", "").lower() in ("true", "1"):
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    for module, extra in (("playwright", "test"), ("jupyterlab", "lab"), ("anywidget", "lab")):
        if importlib.util.find_spec(module) is None:
            missing(module, f"pip install -e '.[{extra}]'")
    executable = server.chromium()
    if executable is None:
        missing("Chromium", "apt-get install -y chromium")
    if not server.has_extension():
        missing("the built JupyterLab extension", "pip install -e .")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        yield driver.chromium.launch(executable_path=executable, args=["--no-sandbox", "--disable-gpu"])


@pytest.fixture(scope="module")
def notebook() -> Path:
    """What ``lab`` opens; a file of tests may have its own."""
    return NOTEBOOK


@pytest.fixture(scope="module")
def lab(browser: Any, notebook: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A copy of the notebook, open and not yet run; fails at the end where the page raised."""
    home = tmp_path_factory.mktemp("jupyterlab")
    folder = home / "notebooks"
    folder.mkdir()
    shutil.copy(notebook, folder)
    raised: list[str] = []
    with server.running(home, folder) as address:
        page = browser.new_page(viewport=SIZE)
        page.on("pageerror", lambda error: raised.append(str(error)))
        lab = Lab(page)
        lab.open(f"{address}/lab/tree/{notebook.name}?token={server.TOKEN}&reset")
        lab.command("application:toggle-left-area")
        yield lab
        page.close()
    assert [text for text in raised if not any(word in text for word in HARMLESS)] == []


@pytest.fixture(scope="module")
def picture() -> Any:
    """Save a picture for the README, when asked for: TAPESCOPE_SCREENSHOTS=1 pytest tests/e2e"""
    wanted = os.environ.get("TAPESCOPE_SCREENSHOTS", "") not in ("", "0")

    def take(name: str, page: Any, **options: Any) -> None:
        if wanted:
            PICTURES.mkdir(parents=True, exist_ok=True)
            page.screenshot(path=PICTURES / f"{name}.png", animations="disabled", **options)

    return take
