"""The search page in a real browser."""

import contextlib
import shutil

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
WAIT = 20_000


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
