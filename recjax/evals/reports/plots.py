"""Plots of evaluations: cohorts, retrieval frequency, scores. PNG bytes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from recjax.evals.reports.page import COLOURS, GREY, figure, legend, line, png
from recjax.evals.score_distribution import ScoreDistribution
from recjax.metrics.cohorts import BETWEEN
from recjax.metrics.exposure import Exposure

EVERYBODY = "all"


def cohorts(figures: Mapping[str, float]) -> list[str]:
    """Returns the names of the cohorts among the figures of an evaluation."""
    ends = f"{BETWEEN}pairs"
    return [name.removesuffix(ends) for name in figures if name.endswith(ends)]


def cohort_bars(results: Mapping[str, Mapping[str, float]], metric: str) -> bytes:
    """Draws a metric of each cohort, a group of bars an evaluation, a line for all.

    Args:
      results: evaluation -> metric -> figure; those without cohorts are left out.
      metric: for example "recall@10".
    """
    rows = {n: r for n, r in results.items() if cohorts(r) and metric in r}
    names = list(dict.fromkeys(name for r in rows.values() for name in cohorts(r)))
    drawn, axis = figure(8, 3.8)
    width = 0.8 / max(len(names), 1)
    for place, name in enumerate(names):
        heights = [r.get(f"{name}{BETWEEN}{metric}", np.nan) for r in rows.values()]
        left = np.arange(len(rows)) + (place - (len(names) - 1) / 2) * width
        colour = COLOURS[place % len(COLOURS)]
        axis.bar(left, heights, 0.9 * width, color=colour, label=name)
    for at, row in enumerate(rows.values()):
        axis.hlines(row[metric], at - 0.42, at + 0.42, color="#222", lw=1.5)
    axis.plot([], [], color="#222", lw=1.5, label=EVERYBODY)
    # Many names, or long ones, would run into each other.
    tilted = {"rotation": 30, "ha": "right"} if sum(map(len, rows)) > 60 else {}
    axis.set_xticks(range(len(rows)), rows, **tilted)
    axis.set_ylabel(metric)
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    return png(drawn)


def frequency_curves(exposure: Mapping[str, Exposure]) -> bytes:
    """Draws how often items are retrieved, the most frequent first, both axes log.

    Args:
      exposure: evaluation -> counts.
    """
    drawn, axis = figure(8, 3.8)
    axis.set(xscale="log", yscale="log", xlabel="item, by how often it is retrieved")
    axis.set_ylabel("share of lists that hold it")
    for place, (name, one) in enumerate(exposure.items()):
        items = np.arange(1, len(one.frequency) + 1)
        axis.plot(items, one.frequency, label=name, **line(place))
    axis.spines[["top", "right"]].set_visible(False)
    axis.grid(which="major", color="#eee")
    legend(axis, len(exposure))
    return png(drawn)


def score_curves(scores: Mapping[str, ScoreDistribution]) -> bytes:
    """Draws the scores of positive pairs and of random ones, a panel an evaluation.

    Args:
      scores: evaluation -> histograms.
    """
    drawn, axes = figure(8, 1.8 * max(len(scores), 1), rows=max(len(scores), 1))
    for axis, (name, one) in zip(np.atleast_1d(axes), scores.items(), strict=False):
        for heights, colour, label in (
            (one.random, GREY, "random pairs"),
            (one.positive, COLOURS[0], "positive pairs"),
        ):
            axis.stairs(
                heights, one.edges, fill=True, color=colour, alpha=0.6, label=label
            )
        axis.set_title(name, loc="left", fontsize=10)
        axis.set_yticks([])
        axis.spines[["top", "right", "left"]].set_visible(False)
    np.atleast_1d(axes)[0].legend(frameon=False)
    np.atleast_1d(axes)[-1].set_xlabel("score")
    return png(drawn)
