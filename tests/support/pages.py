"""Pages in a real browser."""

import contextlib
import shutil

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
WAIT = 20_000


@contextlib.contextmanager
def chromium():
    """Yields Chromium; skips the test where it is not installed."""
    why = "playwright is missing"
    sync_api = pytest.importorskip("playwright.sync_api", reason=why)
    if CHROMIUM is None:
        pytest.skip("there is no Chromium")
    with sync_api.sync_playwright() as play:
        options = ["--no-sandbox"]
        made = play.chromium.launch(executable_path=CHROMIUM, args=options)
        yield made
        made.close()


@contextlib.contextmanager
def opened(browser, port):
    """Yields the page of a server; what the browser complains of fails the test."""
    made = browser.new_page(viewport={"width": 1280, "height": 800})
    made.set_default_timeout(WAIT)
    said = []
    made.on("console", lambda one: said.append(one.text))
    made.on("pageerror", lambda error: said.append(str(error)))
    made.goto(f"http://127.0.0.1:{port}/")
    made.wait_for_selector("#first option", state="attached")
    yield made
    made.close()
    assert said == []


def found(page):
    """Returns the ids of the answer's cards."""
    page.wait_for_selector("#answers .grid")
    return page.locator("#answers .grid .id").all_inner_texts()
