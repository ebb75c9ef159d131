"""Pictures and the page that holds them."""

import base64
import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from recjax.evals.reports import page as report

PNG = b"\x89PNG\r\n\x1a\n"


def picture(data):
    image = pytest.importorskip("PIL.Image").open(io.BytesIO(data)).convert("RGB")
    return np.asarray(image)


def has_colour(pixels, colour):
    wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return (np.abs(pixels.astype(int) - wanted).max(-1) < 12).sum() > 20


def test_a_page_escapes_text_and_embeds_its_pictures():
    section = report.Section(
        "A <b> & c",
        note="x < y",
        picture=PNG + b"rest",
        table=[["name", "value"], ["<i>", "1"]],
        text="</pre><script>",
    )
    page = report.page("Run & more", [section])
    assert "A &lt;b&gt; &amp; c" in page and "<td>&lt;i&gt;<td>1" in page
    assert "<script>" not in page
    code = re.search(r"data:image/png;base64,([^\"]+)", page)[1]
    assert base64.b64decode(code) == PNG + b"rest"
    sources = []

    class Collect(HTMLParser):
        def handle_starttag(self, tag, attrs):
            sources.extend(v for k, v in attrs if k in ("src", "href"))

    Collect().feed(page)
    assert sources and all(source.startswith("data:") for source in sources)


def test_the_learning_curve_draws_both_lines_and_skips_gaps():
    lines = [{"step": s, "loss": 1 / s} for s in range(1, 40)]
    lines.insert(20, {"step": 20, "validation/ndcg@10": 0.1})
    lines += [{"step": 40, "validation/ndcg@10": 0.3}, {"step": 41, "loss": None}]
    pixels = picture(report.learning_curve(lines, "validation/ndcg@10"))
    assert has_colour(pixels, report.COLOURS[0])
    assert has_colour(pixels, report.COLOURS[2])


def test_recall_curves_draw_each_evaluation_that_has_recall():
    results = {
        "model": {"recall@1": 0.1, "recall@10": 0.3, "recall@100": 0.6, "mrr": 0.2},
        "popularity": {"recall@1": 0.0, "recall@10": 0.1, "recall@100": 0.3},
        "other": {"accuracy": 1.0},
    }
    pixels = picture(report.recall_curves(results))
    assert has_colour(pixels, report.COLOURS[0])
    assert has_colour(pixels, report.COLOURS[1])
    assert not has_colour(pixels, report.COLOURS[2])


def test_the_map_draws_tags_in_colours_and_items_without_in_grey():
    generator = np.random.default_rng(0)
    tags = ["Drama 1990"] * 20 + ["Comedy"] * 12 + ["1990"] * 8
    pixels = picture(
        report.item_map(
            generator.standard_normal((40, 8)),
            [f"title {i}" for i in range(40)],
            tags,
            np.arange(40, dtype=np.int64),
        )
    )
    assert has_colour(pixels, report.COLOURS[0])
    assert has_colour(pixels, report.COLOURS[1])
    assert has_colour(pixels, report.GREY)


def test_the_main_tag_is_the_rarest_of_the_commonest():
    tags = ["Drama War 1942", "Drama", "Drama War", "Drama Opera", "", "1999"]
    assert report.main_tags(tags, 2) == ["War", "Drama", "War", "Drama", "", ""]


def test_labels_keep_apart_and_the_first_come_first():
    place = np.array([[0.0, 0.0], [0.001, 0.001], [1.0, 1.0], [0.5, 0.5]])
    assert report._apart(place, 10) == [0, 2, 3]
    assert report._apart(place, 2) == [0, 2]
