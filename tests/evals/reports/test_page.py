"""The page: whole, safe, and readable in any colours at any width."""

import base64
import re
from html.parser import HTMLParser

import html_pages
import pytest

from recjax.evals.reports import page as report
from recjax.evals.reports.svg import safe

PNG = b"\x89PNG\r\n\x1a\n"


def test_a_page_escapes_text_and_embeds_its_pictures():
    hostile = "<i>\"&'</script>\x00\u202e"
    body = report.table([["name", "value"], [hostile, "1"]])
    body += report.figure(hostile, report.image(PNG + b"rest", hostile), hostile)
    body += report.facts([(hostile, hostile)]) + report.folded(hostile, "")
    body += report.legend([(hostile, "#123456", "")])
    page = report.page(hostile, [report.Section(hostile, hostile, body)])
    html_pages.check(page)
    assert "<i>" not in page.replace("<i class", "") and "\u202e" not in page
    assert page.count("<script>") == 1
    assert page.count("&lt;i&gt;&quot;&amp;&#x27;&lt;/script&gt;") >= 10
    code = re.search(r"data:image/png;base64,([^\"]+)", page)[1]
    assert base64.b64decode(code) == PNG + b"rest"
    sources = []

    class Collect(HTMLParser):
        def handle_starttag(self, tag, attrs):
            sources.extend(v for k, v in attrs if k in ("src", "href"))

    Collect().feed(page)
    assert sources and all(source.startswith("data:") for source in sources)
    assert "@import" not in page and "url(" not in page


def test_it_says_how_it_looks_in_the_dark_narrow_and_printed():
    page = report.page("run", [])
    for wanted in ("prefers-color-scheme: dark", "max-width: 40rem", "@media print"):
        assert wanted in page
    assert "width=device-width" in page


@pytest.mark.parametrize(
    "text, most, wanted", [("abc", 3, "abc"), ("abcd", 3, "ab…"), ("a bc", 3, "a…")]
)
def test_long_texts_are_cut(text, most, wanted):
    assert report.short(text, most) == wanted


def test_letters_of_any_script_stay():
    assert safe("Zoë 東京 بيت") == "Zoë 東京 بيت"
