"""The search page in a real browser: typed, picked, dropped, and by keyboard alone."""

import pytest
import serving
import tiny_images
from pages import found, opened


@pytest.fixture
def page(browser, server):
    """Returns the page as it opens."""
    with opened(browser, server.port) as made:
        yield made


def test_a_text_and_what_is_picked_from_its_answer(page, films):
    page.fill("#text", "red thing 4")
    page.keyboard.press("Enter")
    (wanted,) = films.search({"text": ["red thing 4"]}, 12)
    assert found(page) == [one.id for one in wanted]
    assert page.locator("#answers .time").inner_text().count("embed") == 1
    page.locator("#answers .grid button").nth(2).click()
    page.wait_for_selector("#picked li")
    seen = {"text": ["red thing 4"], "history": [[wanted[2].id]]}
    (wanted,) = films.search(seen, 12)
    assert found(page) == [one.id for one in wanted]


def test_conditions_on_what_is_found(page, films):
    page.fill("#text", "red thing 4")
    page.fill("#conditions", "price < 20; colour in blue, grey")
    page.keyboard.press("Enter")
    where = ["price < 20", "colour in blue, grey"]
    (wanted,) = films.search({"text": ["red thing 4"]}, 12, where)
    assert found(page) == [one.id for one in wanted]
    shown = page.locator("#answers .score").first.inner_text()
    assert ", colour " in shown and ", price " in shown
    assert "price" in page.get_attribute("#conditions", "placeholder")
    page.select_option("#first", "pictures")
    page.wait_for_selector("#where", state="hidden")


def test_by_keyboard_alone(page):
    page.keyboard.press("/")
    page.keyboard.type("blue thing")
    page.keyboard.press("Enter")
    first = found(page)[0]
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.closest('.grid') !== null"):
            break
    page.keyboard.press("Enter")
    page.wait_for_selector("#picked li")
    title = serving.TITLES[serving.IDS.index(first)]
    assert page.locator("#picked li").all_inner_texts() == [f"{title} ×"]
    page.keyboard.press("Escape")
    page.wait_for_selector("#picked li", state="detached")


def test_a_photograph_beside_another_bundle(page, tmp_path):
    page.select_option("#first", "pictures")
    page.wait_for_selector("#drop:visible")
    assert not page.locator("#words").is_visible()
    table, photograph = tiny_images.table(), tmp_path / "photo.png"
    photograph.write_bytes(table.read(7))
    page.set_input_files("#file", photograph)
    assert found(page)[0] == table.names[7]
    assert page.locator("#shown").evaluate("one => one.naturalWidth") > 0
    page.select_option("#second", "films")
    page.fill("#text", "red thing")
    page.click("form button")
    page.wait_for_selector("#answers section:nth-child(2) .grid")


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_is_cut_off(page, width):
    page.set_viewport_size({"width": width, "height": 740})
    page.fill("#text", "grey thing")
    page.keyboard.press("Enter")
    assert len(found(page)) == 12
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    boxes = page.locator("form :is(input, select, button):visible").all()
    assert all(box.bounding_box()["width"] > 30 for box in boxes)
