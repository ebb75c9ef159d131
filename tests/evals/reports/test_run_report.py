"""The page of a run: what an evaluation found is on it, whatever found it."""

import re
from dataclasses import replace
from types import SimpleNamespace

import html_pages
import numpy as np
import pytest
import two_corpora as two

from recjax.errors import UserError
from recjax.evals.answers import Answer, Shown
from recjax.evals.evaluation import EmbeddingMap, Evaluated
from recjax.evals.ranking import RandomIndex, Ranking
from recjax.evals.reports.results_table import all_figures, results_html
from recjax.evals.reports.run_page import About, plots_of, read_report, run_html
from recjax.images.thumbnail import thumbnail
from recjax.metrics.sample import Sample

EVALS = {
    "pins": SimpleNamespace(trained=True, task="pin_save"),
    "index": SimpleNamespace(trained=True, index=50),
    "counted": SimpleNamespace(trained=False),
    "other": SimpleNamespace(trained=False, task="pin_save"),
}
HOSTILE = "</script><b>\"'&"


@pytest.fixture(scope="module")
def found():
    program, state = two.program(), two.state()
    pins = Ranking("test", task="pin_save").run(program, state)
    worse = {
        name: Sample(0.5 * one.total, one.weight) for name, one in pins.samples.items()
    }
    lower = {n: 0.5 * v if n in worse else v for n, v in pins.figures.items()}
    return {
        "pins": pins,
        "index": Ranking(
            "test", task="pin_save", ties="worst", index=RandomIndex(50)
        ).run(program, state),
        "counted": Evaluated({"accuracy": 0.5, "seconds": 1.0}),
        "other": Evaluated(lower, samples=worse),
    }


def page_of(found, evals=EVALS, **about):
    told = About("two <corpora>", **about)
    return run_html(found, evals, told, plots_of(found, evals, told))


def heads(page):
    return re.findall("<h2>(.*?)</h2>", page)


def test_the_page_holds_what_was_found(found):
    lines = [{"step": step, "loss": 1 / step} for step in range(1, 9)]
    facts = {"items": 12_345, "share": 0.25, "date": "a day"}
    page = page_of(
        found, lines=lines, facts=facts, changed="steps = 8", settings="seed = 0"
    )
    words = html_pages.check(page)
    assert heads(page) == [
        *("Results", "Sample queries", "Plots", "Cohorts", "Map", "The run", "Details")
    ]
    for one in ("two <corpora>", "12,345", "0.25", "a day", "steps = 8", "seed = 0"):
        assert one in words
    titles = re.findall("<figcaption>(.*?)</figcaption>", page)
    assert {"Recall@K", "Index recall@K", "Loss of the training steps"} <= set(titles)
    assert {"Retrieval frequency", "Scores of pins", "Map of embeddings"} <= set(titles)
    assert page.count('class="answer"') == 12
    # Every query's own answer is right, or told as missed.
    cards = page.split('<article class="answer">')[1:]
    assert all('class="right"' in card or "Missed:" in card for card in cards)
    for name, one in found.items():
        low, high = one.intervals.get("recall@10", (0, 0))
        assert f"{low:.4f} to {high:.4f}" in page or not high, name
    assert len(page) < 300_000


def test_every_figure_of_every_evaluation_is_on_the_page(found):
    found = {name: replace(one, embeddings=None) for name, one in found.items()}
    page = page_of(found)
    for one in found.values():
        for name, value in one.figures.items():
            shown = (
                f"{value:,.0f}" if value == int(value) and value > 1 else f"{value:.4f}"
            )
            row = re.search(f"<td>{re.escape(name)}</td>.*?</tr>", page)[0]
            assert f"<td>{shown}</td>" in row
    many = {"many": Evaluated({f"figure {i}": 0.5 for i in range(9_000)})}
    made = all_figures(many)
    assert "href=result.json" in made and len(made) < 200_000


def test_who_wins_stands_above_the_table(found):
    html = results_html(found, EVALS)
    html_pages.check(html)
    # Twice as good on 28 pairs: no more than that.
    assert "best baseline, other" in html and "cannot be told apart" in html
    assert html.index("verdict") < html.index("<table")
    rows = re.findall(r"<tr[^>]*><td>(\w+) .*?</tr>", html)
    assert rows[:2] == ["pins", "other"] and set(rows) == set(found)
    alone = results_html({"pins": found["pins"]}, EVALS)
    assert "No baseline answers" in alone


def test_what_nobody_found_has_no_place():
    page = page_of({"counted": Evaluated({"mrr": 0.5})})
    assert heads(page) == ["Results", "Details"]
    html_pages.check(page)
    html_pages.check(page_of({}))


def test_an_evaluation_of_ones_own_is_shown_whole():
    picture = thumbnail(np.zeros((900, 300, 3), np.uint8))
    one = Evaluated(
        {"mine": 3.5, f"{HOSTILE}/recall@1": 0.5, f"{HOSTILE}/recall@2": 0.75},
        pictures={HOSTILE: picture, "huge": b"\x89PNG" + bytes(3_000_000)},
        cohorts={"mine": {f"cohort {i} {HOSTILE}": (3, i / 40) for i in range(40)}},
        answers=[_answer(picture), _answer(None)],
        embeddings=EmbeddingMap(np.eye(12), [HOSTILE] * 12, [HOSTILE] * 12),
    )
    page = page_of(
        {"pins": one}, lead=HOSTILE, facts={HOSTILE: HOSTILE}, settings=HOSTILE
    )
    words = html_pages.check(page)
    assert "3.5000" in words and "Pictures of evaluations" in heads(page)
    assert page.count("data:image/jpeg") == 1 + 2 and "It is too large." in words
    cohorts = [int(n) for n in re.findall(r"<td>cohort (\d+) ", page)]
    assert cohorts == [0, 1, 2, 3, 4, 35, 36, 37, 38, 39]
    assert page.count("<script>") == 1 and '<b>"' not in page
    with pytest.raises(UserError, match="'plot' of an evaluation is neither PNG nor"):
        replace(one, pictures={"plot": b"<svg/>"})


def _answer(picture):
    make = None if picture is None else lambda: picture
    shown = Shown(HOSTILE, HOSTILE, "right", make)
    return Answer(
        shown, (shown,), (shown,), (shown,), (replace(shown, picture=None),), 3
    )


def test_a_picture_that_is_damaged_leaves_its_title():
    broken = Shown("a lamp", picture=lambda: thumbnail(b"no image"))
    answer = Answer(Shown("lamp"), (), (), (broken,), ())
    page = page_of({"pins": Evaluated({"mrr": 0.5}, answers=[answer])})
    assert "a lamp" in html_pages.check(page) and "<img" not in page


def test_the_report_of_a_folder_is_read(tmp_path):
    with pytest.raises(UserError, match=r"no report.html: `recjax eval"):
        read_report(tmp_path)
    (tmp_path / "report.html").write_text("<p>", "utf-8")
    assert read_report(str(tmp_path)) == "<p>"
