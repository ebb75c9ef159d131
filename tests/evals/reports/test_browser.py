"""Reports in a real browser: nothing is cut off, in any colours, at any width."""

import html_pages
import numpy as np
import pages
import pytest

from recjax.evals.answers import Answer, Shown
from recjax.evals.baselines.popularity import Popularity
from recjax.evals.evaluation import EmbeddingMap, Evaluated
from recjax.evals.ranking import Ranking
from recjax.evals.reports.run_page import About, plots_of, run_html
from recjax.evals.score_distribution import ScoreDistribution
from recjax.images.thumbnail import thumbnail
from recjax.metrics.exposure import Exposure
from recjax.metrics.sample import Sample

LONG = "a title that goes on_and_on_without_any_place_to_break_it_for_quite_some_time"
CUT = """() => [...document.querySelectorAll("svg text")].filter((one) => {
  const inner = one.getBoundingClientRect();
  const outer = one.ownerSVGElement.getBoundingClientRect();
  return inner.left < outer.left - 1 || inner.right > outer.right + 1
    || inner.top < outer.top - 1 || inner.bottom > outer.bottom + 1;
}).map((one) => one.textContent)"""
HIDDEN = """() => [...document.querySelectorAll("svg, img, table, article")].filter(
  (one) => one.checkVisibility() && one.getBoundingClientRect().width < 20
).length"""
INK = """() => ["color", "backgroundColor"].map((name) => {
  const [r, g, b] = getComputedStyle(document.body)[name].match(/\\d+/g).map(Number);
  return 0.3 * r + 0.6 * g + 0.1 * b;
})"""


@pytest.fixture(scope="module")
def browser():
    """Returns Chromium, where it is."""
    with pages.chromium() as made:
        yield made


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """Returns the file of a report with something of every kind."""
    draw = np.random.default_rng(0)
    hits, fewer = draw.random(300) < 0.4, draw.random(300) < 0.1
    figures = {f"recall@{k}": 0.00012345 * k for k in (1, 10, 100, 1_000)}
    figures |= {"mrr": 0.3, "ndcg@10": 0.1, "coverage@10": 0.5, "seconds": 12_345.6}
    picture = thumbnail(draw.integers(0, 255, (96, 96, 3), np.uint8))
    photo = Shown(LONG, "2 d before", "wrong", lambda: picture)
    text = Shown(LONG, "2 d before", "right")
    edges, shares = np.linspace(-1, 1, 61), np.full(60, 1 / 60)
    found = {
        LONG: Evaluated(
            {**figures, "new:pairs": 3.0, "new:recall@10": 0.2},
            Exposure(np.arange(2_000), 9_999),
            ScoreDistribution(edges, shares, shares[::-1]),
            {"recall@10": Sample.of(hits)},
            [
                Answer(photo, (), (), (photo,) * 8, (text,)),
                Answer(text, (text,) * 6, (text,) * 3, (text, photo), (text,) * 4, 9),
            ],
            embeddings=EmbeddingMap(draw.random((20, 4)), [LONG] * 20, [LONG] * 20),
            pictures={LONG: picture},
        ),
        "popularity": Evaluated(figures, samples={"recall@10": Sample.of(fewer)}),
        "another": Evaluated({LONG: 1_234_567.0}),
    }
    evals = {LONG: Ranking(), "popularity": Ranking(scorer=Popularity())}
    evals["another"] = evals["popularity"]
    lines = [{"step": 100_000 * s, "loss": 123.4 / s} for s in range(1, 4)]
    facts = {LONG: LONG, "items": 123_456_789}
    about = About(LONG, LONG, facts, "a = 1", f"b = {LONG * 5}", lines)
    text = run_html(found, evals, about, plots_of(found, evals, about))
    html_pages.check(text)
    path = tmp_path_factory.mktemp("run") / "report.html"
    path.write_text(text, "utf-8")
    return path


@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("colours", ["light", "dark"])
def test_a_report_on_a_screen(browser, report, width, colours):
    page = browser.new_page(
        viewport={"width": width, "height": 800}, color_scheme=colours
    )
    said = []
    page.on("console", lambda one: said.append(one.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda one: said.append(one.url[:40]))
    page.goto(report.as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(CUT) == [] and page.evaluate(HIDDEN) == 0
    ink, paper = page.evaluate(INK)
    assert (
        (ink < 60 and paper > 240) if colours == "light" else (ink > 200 > 60 > paper)
    )
    page.locator(".map circle").nth(3).hover()
    assert LONG in page.locator(".tip").inner_text()
    page.emulate_media(media="print", color_scheme=colours)
    ink, paper = page.evaluate(INK)
    assert ink < 60 and paper > 240
    others = [one for one in said if not one.startswith(("file:", "data:"))]
    page.close()
    assert others == []
