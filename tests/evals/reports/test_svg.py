"""Plots: what is drawn lies where its numbers are."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from recjax.evals.evaluation import EmbeddingMap
from recjax.evals.reports import plots, svg
from recjax.evals.reports.svg import Curve, Scale
from recjax.evals.score_distribution import ScoreDistribution
from recjax.metrics.exposure import Exposure


def parsed(drawn):
    """Returns the elements of a plot; it is well-formed, and so is its file."""
    ElementTree.fromstring(svg.alone(drawn))
    return list(ElementTree.fromstring(drawn).iter())


def points(drawn):
    lines = [one.get("points") for one in parsed(drawn) if one.tag == "polyline"]
    return [
        np.array([pair.split(",") for pair in line.split()], float) for line in lines
    ]


def test_a_line_goes_through_its_points_and_few_have_dots():
    (line,) = points(svg.curves([Curve("a", [0, 1, 3], [2, 4, 8], "#123")], "x", "y"))
    np.testing.assert_allclose(line[0], [svg.LEFT, svg.BOTTOM])
    np.testing.assert_allclose(line[2], [svg.RIGHT, svg.TOP])
    share = (line[1] - line[0]) / (line[2] - line[0])
    np.testing.assert_allclose(share, [1 / 3, 1 / 3], atol=1e-3)
    for count, dots in ((1, 1), (svg.FEW, svg.FEW), (svg.FEW + 1, 0)):
        many = Curve("a", list(range(count)), [1.0] * count, "#123")
        drawn = parsed(svg.curves([many], "step", "loss"))
        assert sum(one.tag == "circle" for one in drawn) == dots


def test_logarithmic_lines_are_straight_where_powers_are():
    drawn = svg.curves([Curve("a", [1, 10, 100], [1, 10, 100], "#1")], "K", "r", True)
    (line,) = points(drawn)
    np.testing.assert_allclose(line[1] * 2, line[0] + line[2], atol=0.11)


@pytest.mark.parametrize(
    "low, high, log",
    [(0, 1, False), (0.1, 0.13, False), (-5, 900, False), (1e-4, 1, True)]
    + [
        (3, 7, True),
        (1, 1e9, True),
        (0.76, 0.95, True),
        (0.3, 0.3, True),
        (0.5, 0.5, False),
        (0, 0, False),
    ],
)
def test_ticks_are_round_and_inside(low, high, log):
    scale = Scale.of(np.array([low, high], float), 0, 100, log)
    ticks = scale.ticks
    assert 1 + log <= len(ticks) <= 10
    for tick in ticks:
        assert -0.01 <= scale(tick) <= 100.01
        assert len(f"{tick:.10g}".replace("-", "").replace(".", "").strip("0")) <= 3


def test_texts_are_escaped():
    curve = Curve("<b>", [1, 2], [1, 2], "#123")
    for drawn in (
        svg.curves([curve], "<b>", "<b>"),
        svg.scatter(np.eye(2), ["<b>", "&"], ["#123", "#456"]),
    ):
        assert "<b>" not in drawn and "&lt;b&gt;" in drawn
        parsed(drawn)


def test_curves_of_recall_are_solid_for_the_model_and_dashed_for_baselines():
    results = {
        "model": {"recall@1": 0.1, "recall@10": 0.3, "recall@100": 0.6, "mrr": 0.2},
        "popularity": {"recall@1": 0.0, "recall@10": 0.1, "recall@100": 0.3},
        "other": {"accuracy": 1.0},
    }
    plot = plots.recall_curves(results, ["model"], "recall")
    assert [name for name, _, _ in plot.legend] == ["model", "popularity"]
    assert [bool(dash) for _, _, dash in plot.legend] == [False, True]
    assert [len(line) for line in points(plot.svg)] == [3, 2]
    assert plots.recall_curves({"a": {"recall@1": 0.5}}, [], "recall") is None


def test_curves_of_training_skip_gaps_and_thin_out_long_runs():
    lines = [{"step": s, "loss": 1 / s} for s in range(1, 5_000)]
    lines[7] = {"step": 8, "loss": None}
    plot = plots.training_curve(lines, "loss")
    (line,) = points(plot.svg)
    assert len(line) == plots.MOST and len(plot.svg) < 10_000
    assert line[0][0] == svg.LEFT and line[-1][0] == svg.RIGHT
    assert plots.training_curve(lines, "validation/mrr") is None


def test_frequencies_fall_and_add_up():
    shown = Exposure(np.array([5, 1, 0, 3]), 5)
    np.testing.assert_allclose(shown.frequency, [1, 0.6, 0.2])
    merged = shown + Exposure(np.array([0, 0, 1, 0]), 2)
    np.testing.assert_allclose(merged.frequency, np.array([5, 3, 1, 1]) / 7)
    plot = plots.frequency_curves(
        {"one": shown, "no": Exposure(np.zeros(3), 2)}, [], ""
    )
    (line,) = points(plot.svg)
    assert len(line) == 3 and (np.diff(line[:, 1]) > 0).all()


def test_a_bar_of_scores_is_as_high_as_its_share():
    edges, shares = np.array([0.0, 1.0, 2.0]), np.array([0.25, 0.75])
    scores = ScoreDistribution(edges, shares, shares[::-1])
    drawn = plots.score_curves("one", scores, "").svg
    bars = [one.get("d") for one in parsed(drawn) if one.get("fill-opacity")]
    heights = re.findall(r"L[\d.]+,([\d.]+)", bars[1])[::2]
    low, high = (svg.BOTTOM - float(height) for height in heights[:2])
    assert high == pytest.approx(3 * low, rel=0.01)


@pytest.mark.parametrize("learn", [True, False])
def test_the_map_has_a_point_with_a_title_for_each(learn, monkeypatch):
    if not learn:
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    draw = np.random.default_rng(0)
    groups = ["Drama"] * 20 + ["Comedy"] * 12 + [""] * 8
    centres = np.array([[9.0, 0, 0], [0, 9, 0], [0, 0, 9]])
    place = np.repeat(np.arange(3), [20, 12, 8])
    vectors = centres[place] + draw.standard_normal((40, 3))
    titles = [f"title {i} <&>" for i in range(40)]
    plot = plots.embedding_map(EmbeddingMap(vectors, titles, groups))
    dots = [one for one in parsed(plot.svg) if one.tag == "circle"]
    assert [dot[0].text for dot in dots] == titles
    colours = [dot.get("fill") for dot in dots]
    assert len(set(colours[:20])) == 1 and set(colours[32:]) == {svg.GREY}
    assert [name for name, _, _ in plot.legend] == ["Drama", "Comedy", "other"]
    at = np.array([[float(dot.get("cx")), float(dot.get("cy"))] for dot in dots])
    assert np.linalg.norm(at[:20].mean(0) - at[20:32].mean(0)) > 3 * at[:20].std() / 2
