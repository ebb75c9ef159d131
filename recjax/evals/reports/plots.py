"""Plots of evaluations: recall, training, retrieval frequency, scores, a map."""

from __future__ import annotations

import importlib.util
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from recjax.evals.evaluation import EmbeddingMap
from recjax.evals.reports import page, svg
from recjax.evals.reports.svg import COLOURS, DASHES, GREY, Curve
from recjax.evals.reports.tsne import tsne
from recjax.evals.score_distribution import ScoreDistribution
from recjax.metrics.exposure import Exposure

MOST = 300
"""Points of a curve; of more, some evenly spread are drawn."""
FEW = 100
"""Embeddings of which t-SNE shows no more than principal components do."""


@dataclass(frozen=True)
class Plot:
    """A plot of a report.

    Attributes:
      title: what it shows.
      svg: the drawing.
      legend: name, colour and dash of each line; may be empty.
      note: what the reader should know.
    """

    title: str
    svg: str
    legend: Sequence[tuple[str, str, str]] = ()
    note: str = ""

    def html(self) -> str:
        """Returns it as part of a page."""
        named = page.legend(self.legend) if self.legend else ""
        tip = '<p class="tip"></p>' if 'class="map"' in self.svg else ""
        return page.figure(self.title, named + self.svg + tip, self.note)


def recall_curves(
    results: Mapping[str, Mapping[str, float]], models: Sequence[str], metric: str
) -> Plot | None:
    """Draws recall@K over K of each evaluation, both axes logarithmic.

    Args:
      results: evaluation -> metric -> figure.
      models: the evaluations of the model: lines without dashes.
      metric: name of the figures before "@K".

    Returns:
      None where no evaluation has two points above 0.
    """
    found = {name: _at_k(row, metric) for name, row in results.items()}
    lines = _lines({name: xy for name, xy in found.items() if len(xy[0]) > 1}, models)
    if not lines:
        return None
    ks = sorted({k for line in lines for k in line.x})
    drawn = svg.curves(lines, "K", f"{metric}@K", log=True, ticks=ks)
    title = f"{metric.replace('_', ' ')}@K"
    return Plot(title[:1].upper() + title[1:], drawn, _legend(lines))


def training_curve(lines: Sequence[Mapping[str, float]], metric: str) -> Plot | None:
    """Draws a figure of `metrics.jsonl` over the steps; None where it is never there.

    Args:
      lines: what `recjax.train.writer.read_metrics` returns.
      metric: for example "loss" or "validation/ndcg@10".
    """
    known = [one for one in lines if one.get(metric) is not None]
    if not known:
        return None
    chosen = [known[i] for i in _some(len(known))]
    steps, values = [one["step"] for one in chosen], [one[metric] for one in chosen]
    colour = COLOURS[0] if metric == "loss" else COLOURS[2]
    drawn = svg.curves([Curve(metric, steps, values, colour)], "step", metric)
    title = "Loss of the training steps" if metric == "loss" else metric
    return Plot(title, drawn)


def frequency_curves(
    exposure: Mapping[str, Exposure], models: Sequence[str], note: str
) -> Plot | None:
    """Draws how often items are retrieved, the most frequent first, both axes log."""
    found = {}
    for name, one in exposure.items():
        share = one.frequency
        if len(share):
            last = np.geomspace(1, len(share), min(len(share), MOST)).round()
            place = np.unique(last.astype(int))
            found[name] = place.tolist(), share[place - 1].tolist()
    lines = _lines(found, models)
    if not lines:
        return None
    label = "item, by how often it is retrieved"
    drawn = svg.curves(lines, label, "share of lists that hold it", log=True)
    return Plot("Retrieval frequency", drawn, _legend(lines), note)


def score_curves(name: str, scores: ScoreDistribution, note: str) -> Plot:
    """Draws the scores of positive pairs and of random ones."""
    layers = [(scores.random, GREY), (scores.positive, COLOURS[0])]
    drawn = svg.histograms(scores.edges, layers, "score")
    names = [("positive pairs", COLOURS[0], ""), ("random pairs", GREY, "")]
    return Plot(f"Scores of {name}", drawn, names, note)


def embedding_map(shown: EmbeddingMap) -> Plot:
    """Draws embeddings in the plane, near ones near, coloured by their groups."""
    few = len(shown.vectors) < FEW
    if not few and importlib.util.find_spec("sklearn") is not None:
        place, by = tsne(shown.vectors), "t-SNE"
    else:
        centred = shown.vectors - shown.vectors.mean(0)
        place, by = centred @ np.linalg.svd(centred)[2][:2].T, "principal components"
    groups = [one for one, _ in Counter(shown.groups).most_common() if one]
    colours = dict(zip(groups, COLOURS, strict=False))
    titles = [page.short(title) for title in shown.titles]
    drawn = svg.scatter(place, titles, [colours.get(g, GREY) for g in shown.groups])
    names = [(name, colour, "") for name, colour in colours.items()]
    if names and len(colours) < len(set(shown.groups)):
        names.append(("other", GREY, ""))
    note = (
        f"{len(place)} embeddings, placed by {by}: near ones are near in what the "
        "model learned. Point at one for its title."
    )
    return Plot("Map of embeddings", drawn, names, note)


def _lines(
    found: Mapping[str, tuple[Sequence[float], Sequence[float]]], models: Sequence[str]
) -> list[Curve]:
    """Returns curves, no two of nine alike: solid of models, dashed of others."""
    made = []
    for place, (name, (x, y)) in enumerate(found.items()):
        rows = place // len(COLOURS)
        dash = "" if name in models else DASHES[1 + rows % (len(DASHES) - 1)]
        made.append(Curve(name, x, y, COLOURS[place % len(COLOURS)], dash))
    return made


def _legend(lines: Sequence[Curve]) -> list[tuple[str, str, str]]:
    return [(one.name, one.colour, one.dash) for one in lines]


def _at_k(row: Mapping[str, float], metric: str) -> tuple[list[int], list[float]]:
    named = {m: v for m, v in row.items() if m.startswith(f"{metric}@")}
    points = [(m.rpartition("@")[2], v) for m, v in named.items()]
    found = sorted((int(k), v) for k, v in points if k.isdigit() and v > 0)
    return [k for k, _ in found], [v for _, v in found]


def _some(size: int) -> list[int]:
    return np.unique(np.linspace(0, size - 1, min(size, MOST)).astype(int)).tolist()
