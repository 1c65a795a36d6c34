"""The views in a real browser, fed by a fake model: golden snapshots, live frames, broken and empty states."""

from __future__ import annotations

import functools
import http.server
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    handler = functools.partial(QuietHandler, directory=str(ROOT))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/extension/harness.html"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="needs Playwright: pip install -e '.[test]'")
    executable = next(filter(None, map(shutil.which, BROWSERS)), None)
    if executable is None:
        pytest.skip("needs Chromium: apt-get install -y chromium")
    if not (ROOT / "pkg/tapescope/static/widget.js").is_file():
        pytest.skip("needs the built widget: pip install -e .")
    with playwright.sync_playwright() as driver:
        yield driver.chromium.launch(executable_path=executable, args=["--no-sandbox", "--disable-gpu"])


@pytest.fixture
def show(browser: Any, address: str) -> Iterator[Callable[..., Any]]:
    """Open a case of the harness; fails at the end where the page raised."""
    raised: list[str] = []
    pages: list[Any] = []

    def open_case(case: str, width: int = 1160, theme: str = "") -> Any:
        page = browser.new_page(viewport={"width": width, "height": 800})
        page.on("pageerror", lambda error: raised.append(str(error)))
        page.goto(f"{address}?case={case}{theme}")
        page.wait_for_selector("body[data-ready]")
        pages.append(page)
        return page

    yield open_case
    for page in pages:
        page.close()
    assert raised == []


@pytest.mark.parametrize("width", [560, 900, 1400])
@pytest.mark.parametrize("case", ["golden", "sixty", "large", "chain", "broken", "empty"])
def test_every_view_fits_its_width(show: Callable[..., Any], case: str, width: int) -> None:
    page = show(case, width)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.locator(".ts-view").count() == page.evaluate("models.length")
    assert page.locator(".ts-error:visible").count() == 0


def test_the_sentence_labels_the_view_and_its_lines_are_chips(show: Callable[..., Any]) -> None:
    page = show("golden")
    tape = page.locator(".ts-view[data-view=tape]")
    assert "248 KiB" in tape.get_attribute("aria-label")
    assert tape.locator(".ts-foot .ts-chip").inner_text() == "In[5]:3"


def test_text_from_the_user_is_shown_not_parsed(show: Callable[..., Any]) -> None:
    page = show("broken")
    assert page.locator(".ts-view b >> text=bold").count() == 0
    assert "<b>bold</b>" in page.locator(".ts-room[data-room='3'] text").inner_html().replace("&lt;", "<").replace(
        "&gt;", ">"
    )


def test_a_frame_is_acknowledged_after_it_is_painted(show: Callable[..., Any]) -> None:
    page = show("golden")
    page.evaluate(
        """() => { const { message, buffers } = golden.gradients;
        models[1].frame({ ...message, seq: 500, step: 777 }, buffers.history); }"""
    )
    page.wait_for_function("models[1].sent.length > 0")
    assert page.evaluate("models[1].sent") == [{"type": "ack", "seq": 500}]
    view = page.locator(".ts-view[data-view=gradients]")
    assert view.get_attribute("data-seq") == "500"
    assert "step 777" in view.locator(".ts-state").inner_text()


def test_a_live_frame_renews_the_selected_node(show: Callable[..., Any]) -> None:
    page = show("golden")
    page.evaluate(
        """() => { const { message } = golden.tape;
        const nodes = structuredClone(message.nodes);
        nodes.filter(node => node.grad).forEach(node => (node.grad.norm = 1234));
        models[0].frame({ ...message, seq: 900, nodes }); }"""
    )
    page.wait_for_function("document.querySelector('.ts-view[data-view=tape]').dataset.seq === '900'")
    assert "1234" in page.locator(".ts-inspector").inner_text()


def test_an_older_frame_does_not_replace_a_newer_one(show: Callable[..., Any]) -> None:
    page = show("golden")
    page.evaluate("models[2].frame({ ...golden.memory.message, seq: 3 }, golden.memory.buffers.history)")
    page.wait_for_function("models[2].sent.length > 0")
    assert page.locator(".ts-view[data-view=memory]").get_attribute("data-seq") == "96"


def test_a_click_selects_a_node_and_goes_to_its_line(show: Callable[..., Any]) -> None:
    page = show("golden")
    page.evaluate("document.addEventListener('tapescope:goto', event => (window.went = event.detail))")
    page.locator(".ts-node[data-id='7']").click()
    assert page.evaluate("went.line") == 3
    assert page.locator(".ts-inspector h4").inner_text() == "linear"
    assert page.locator(".ts-inspector svg").count() == 2
    page.keyboard.press("ArrowRight")
    assert page.locator(".ts-inspector h4").inner_text() == "tanh"
    page.keyboard.press("Enter")
    assert page.evaluate("went.line") == 3


def test_rooms_close_and_open(show: Callable[..., Any]) -> None:
    page = show("golden")
    page.locator("[data-choice=modules]").click()
    page.wait_for_selector(".ts-closed")
    assert page.locator(".ts-closed").count() == 5
    page.locator(".ts-closed[data-room='2']").click()
    page.wait_for_selector(".ts-node[data-id='7']")
    assert page.locator(".ts-closed").count() == 4


def test_a_gone_kernel_leaves_the_last_state_marked_stale(show: Callable[..., Any]) -> None:
    page = show("golden")
    page.evaluate("models[1].fire('comm:close')")
    view = page.locator(".ts-view[data-view=gradients]")
    assert view.get_attribute("data-state") == "stale"
    assert "kernel is gone" in view.locator(".ts-state").inner_text()


def test_an_error_is_shown_beside_the_view(show: Callable[..., Any]) -> None:
    page = show("version")
    assert "version 2" in page.locator(".ts-error").inner_text()
    assert page.locator(".ts-error button").inner_text() == "copy"


def test_the_theme_is_followed_while_the_page_is_open(show: Callable[..., Any]) -> None:
    page = show("golden")
    assert page.locator(".ts-view.ts-dark").count() == 0
    page.evaluate("document.body.classList.add('dark')")
    page.wait_for_selector(".ts-view.ts-dark")
    assert page.locator(".ts-view.ts-dark").count() == 3
