"""The page of a run: what an evaluation found is on it, in numbers and in colours."""

import io
import re
from types import SimpleNamespace

import numpy as np
import pytest
import two_corpora as two

from recjax.evals.evaluation import Evaluated
from recjax.evals.ranking import RandomIndex, Ranking
from recjax.evals.reports import page as report
from recjax.evals.reports import plots
from recjax.evals.reports.run_page import sections, write_report
from recjax.evals.score_distribution import ScoreDistribution
from recjax.metrics.exposure import Exposure


def pixels(data):
    image = pytest.importorskip("PIL.Image").open(io.BytesIO(data)).convert("RGB")
    return np.asarray(image).astype(int)


def coloured(data, colour):
    wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return (np.abs(pixels(data) - wanted).max(-1) < 12).sum()


EVALS = {
    "pins": SimpleNamespace(trained=True),
    "index": SimpleNamespace(trained=True, index=50),
    "counted": SimpleNamespace(trained=False),
}


@pytest.fixture(scope="module")
def found():
    program, state = two.program(), two.state()
    return {
        "pins": Ranking("test", task="pin_save").run(program, state),
        "index": Ranking(
            "test", task="pin_save", ties="worst", index=RandomIndex(50)
        ).run(program, state),
        "counted": Evaluated({"accuracy": 0.5, "seconds": 1.0}),
    }


def test_the_page_holds_what_was_found(found, tmp_path):
    lines = [{"step": step, "loss": 1 / step} for step in range(1, 9)]
    facts = {"items": 12_345, "share": 0.25, "date": "a day"}
    page = write_report(
        tmp_path, "two <corpora>", found, EVALS, lines, None, facts, "steps = 8"
    )
    text = page.read_text()
    assert "two &lt;corpora&gt;" in text
    heads = re.findall("<h2>(.*?)</h2>", text)
    assert heads == [
        *("Results", "Other results", "recall@K", "index recall@K", "Answers"),
        *("Training", "Cohorts", "Cohorts in the index", "Retrieval frequency"),
        *("Scores", "The run", "Settings"),
    ]
    for part in ("pins (model)", "<td>items<td>12,345", "<td>accuracy<td>0.5000"):
        assert part in text
    assert "<td>share<td>0.25" in text and "steps = 8" in text
    figures = found["pins"].figures
    pairs = f"{figures['new:pairs']:,.0f}"
    row = f"<td>pins, new<td>{pairs}<td>{figures['new:recall@10']:.4f}"
    assert row in text
    assert f"<td>{figures['shown_max@10']:.4f}" in text
    assert text.count("data:image/png") == 7
    drawn = sorted(path.name for path in (tmp_path / "plots").iterdir())
    assert len(drawn) == 7 and "retrieval_frequency.png" in drawn
    assert pixels((tmp_path / "plots" / "scores.png").read_bytes()).size


def test_what_nobody_found_has_no_place():
    made = sections({"counted": Evaluated({"mrr": 0.5})}, EVALS)
    assert [section.title for section in made] == ["Results"]
    assert made[0].table == [["", "mrr"], ["counted", "0.5000"]]


def test_figures_of_images_have_rows_and_curves():
    figures = {"fine/map@r": 0.2, "fine/recall@1": 0.5, "fine/recall@4": 0.75}
    found = {"pins": Evaluated(figures), "counted": Evaluated({"fine/recall@1": 0.6})}
    results, curves = sections(found, EVALS)
    assert list(results.table[1]) == ["fine/map@r", "0.2000", "-"]
    assert results.note.startswith("fine/recall@1: pins (0.5000) does not beat counted")
    assert curves.title == "fine/recall@K"
    assert coloured(curves.picture, report.COLOURS[0]) > 50


def test_a_bar_is_as_high_as_its_cohort():
    row = {"recall@10": 0.5, "a:pairs": 4.0, "a:recall@10": 0.8, "b:pairs": 2.0}
    row |= {"b:recall@10": 0.2}
    data = plots.cohort_bars({"model": row, "none": {"recall@10": 0.1}}, "recall@10")
    high, low = (coloured(data, report.COLOURS[i]) for i in (0, 1))
    assert 3.5 < high / low < 4.5


def test_curves_of_frequency_and_of_scores():
    shown = Exposure(np.array([5, 1, 0, 3]), 5)
    np.testing.assert_allclose(shown.frequency, [1, 0.6, 0.2])
    merged = shown + Exposure(np.array([0, 0, 1, 0]), 2)
    np.testing.assert_allclose(merged.frequency, np.array([5, 3, 1, 1]) / 7)
    assert coloured(plots.frequency_curves({"one": shown}), report.COLOURS[0]) > 20
    edges, shares = np.array([0.0, 1.0, 2.0]), np.array([0.25, 0.75])
    scores = ScoreDistribution(edges, shares, shares[::-1])
    one = plots.score_curves({"one": scores})
    assert (
        pixels(plots.score_curves({"one": scores, "two": scores})).shape[0]
        > (pixels(one).shape[0])
    )
