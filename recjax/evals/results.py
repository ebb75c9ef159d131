"""Results as a person reads them: the model beside its baselines."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from recjax.evals.evaluation import INDEX, MAIN, Evaluated
from recjax.metrics.sample import Interval, Sample

LARGER = ("recall", "index_recall", "recall_by_query", "hit", "ndcg", "map", "mrr") + (
    *("accuracy", "condensed_ndcg"),
)
"""Metrics of which more is better."""
SAME = ("split", "task", "index", "gallery", "of", "hide_seen", "nth")
"""What evaluations must have in common to be compared."""
SECONDS = "seconds"
NAME = 40
"""Letters of an evaluation's name that a terminal has room for."""
NAMES = len("validation (model)")
"""Letters of the names' column at least: with and without that row the same metrics."""

Results = Mapping[str, Mapping[str, float]]
"""Evaluation -> metric -> figure."""
Samples = Mapping[str, Mapping[str, Sample]]
"""Evaluation -> metric -> the queries or users that it is the mean of."""


@dataclass(frozen=True)
class Comparison:
    """The best of a model and the best baseline of the same queries.

    Attributes:
      metric: the metric.
      model: an evaluation.
      own: its figure.
      baseline: another.
      other: its figure.
      interval: the 95 % interval of the difference; None where it is not known.
    """

    metric: str
    model: str
    own: float
    baseline: str
    other: float
    interval: Interval | None

    @property
    def wins(self) -> bool:
        """Whether the model is above, beyond chance where that is known."""
        return self.own > self.other and (self.interval is None or self.interval[0] > 0)

    def __str__(self) -> str:
        """Returns a sentence without a full stop."""
        model, other = f"{self.model} ({self.own:.4f})", f"({self.other:.4f})"
        gap = abs(self.own - self.other)
        if self.interval is None:
            beats = "beats" if self.wins else "does not beat"
            said = f"{model} {beats} the best baseline, {self.baseline} {other}"
        elif self.interval[0] <= 0 <= self.interval[1]:
            ends = "{:.4f} to {:.4f}".format(*self.interval)
            said = (
                f"{model} and the best baseline, {self.baseline} {other}, cannot be "
                f"told apart: the 95 % interval of the difference is {ends}"
            )
        else:
            beats = "beats" if self.wins else "loses to"
            low, high = sorted(map(abs, self.interval))
            said = (
                f"{model} {beats} the best baseline, {self.baseline} {other}, by "
                f"{gap:.4f} (95 % interval {low:.4f} to {high:.4f})"
            )
        return f"{self.metric}: {said}"


def compared(
    results: Results, evals: Mapping[str, Any], samples: Samples
) -> list[list[Comparison]]:
    """Returns how the model does beside the best baseline of its queries.

    Of each set of queries it is a metric each, the first one first.

    Args:
      results: evaluation -> metric -> figure.
      evals: the evaluations.
      samples: evaluation -> metric -> what it is the mean of; may lack some.
    """
    groups: dict[tuple, list[str]] = {}
    for name in results:
        same = tuple(getattr(evals[name], part, None) for part in SAME)
        groups.setdefault(same, []).append(name)
    found = []
    for names in groups.values():
        own_metrics: list[Comparison] = []
        metrics = main_metrics({name: results[name] for name in names})
        metrics = [m for m in metrics if m.split("/")[-1].split("@")[0] in LARGER]
        for metric in metrics:
            rows = [(results[n][metric], n) for n in names if metric in results[n]]
            models = [row for row in rows if evals[row[1]].trained]
            others = [row for row in rows if not evals[row[1]].trained]
            if not models or not others:
                continue
            (own, model), (other, baseline) = max(models), max(others)
            of, base = (samples.get(n, {}).get(metric) for n in (model, baseline))
            gap = of.above(base) if of is not None and base is not None else None
            one = Comparison(metric, model, own, baseline, other, gap)
            own_metrics.append(one)
        found.append(own_metrics)
    return [own for own in found if own]


def said(groups: Sequence[Sequence[Comparison]]) -> list[str]:
    """Returns sentences: who wins the first metric, and which others it does not."""
    lines = []
    for first, *others in groups:
        lines.append(f"{first}.")
        lost = [one.metric for one in others if not one.wins]
        if lost:
            lines.append(f"{first.model} is not ahead in {', '.join(lost)}.")
    return lines


def main_metrics(results: Results) -> list[str]:
    """Returns the metrics of a table: the main ones, then those of other evaluations.

    Of evaluations without a main metric it is the first one of each, the second of
    each, and so on.
    """
    main = [m for m in (*MAIN, *INDEX) if any(m in row for row in results.values())]
    others = [
        [m for m in row if m != SECONDS]
        for row in results.values()
        if not set(main) & set(row)
    ]
    turns = [m for turn in zip_longest(*others) for m in turn if m is not None]
    return list(dict.fromkeys([*main, *turns]))


def alike(results: Results) -> list[dict[str, Mapping[str, float]]]:
    """Returns the results in tables: evaluations with the same first metric in each."""
    parts: dict[str, dict[str, Mapping[str, float]]] = {}
    for name, row in results.items():
        first = next(iter(main_metrics({name: row})), SECONDS)
        parts.setdefault(first, {})[name] = row
    return list(parts.values())


def figures_of(found: Mapping[str, Evaluated]) -> dict[str, Any]:
    """Returns what was found as `result.json` keeps it."""
    return {
        "results": {name: dict(one.figures) for name, one in found.items()},
        "intervals": {name: one.intervals for name, one in found.items()},
    }


def told(found: Mapping[str, Evaluated], evals: Mapping[str, Any], where: str) -> str:
    """Returns tables, and below them who wins, as text that fits the terminal.

    Args:
      found: evaluation -> what it found.
      evals: name -> evaluation.
      where: what holds the metrics that have no room.
    """
    if not found:
        return "the experiment names no evaluation"
    figures = {name: one.figures for name, one in found.items()}
    samples = {name: one.samples for name, one in found.items()}
    width = shutil.get_terminal_size().columns
    lines = said(compared(figures, evals, samples))
    return "\n".join(
        [
            text(figures, models_of(list(found), evals), samples, where),
            *(textwrap.fill(line, width) for line in lines),
        ]
    )


def models_of(names: Sequence[str], evals: Mapping[str, Any]) -> list[str]:
    """Returns which evaluations are of the model."""
    return [name for name in names if evals[name].trained]


def text(results: Results, models: Sequence[str], samples: Samples, where: str) -> str:
    """Returns results as text that fits the terminal: a row an evaluation.

    Beside the first metric stands half of its 95 % interval. Metrics without room are
    left out; how many is told.

    Args:
      results: evaluation -> metric -> figure.
      models: the evaluations of the model, which the others are compared with.
      samples: evaluation -> metric -> what it is the mean of; may lack some.
      where: what holds the metrics that have no room.
    """
    room, left, tables = shutil.get_terminal_size().columns, 0, []
    for rows in alike(results):
        lines, out = _table(rows, models, samples, room)
        tables.append("\n".join(lines))
        left += out
    if left:
        more = "1 more metric is" if left == 1 else f"{left} more metrics are"
        tables.append(f"{more} in {where}")
    return "\n\n".join(tables)


def _table(
    rows: Results, models: Sequence[str], samples: Samples, room: int
) -> tuple[list[str], int]:
    """Returns the lines of a table, and how many metrics have no room in it."""
    metrics = main_metrics(rows)
    timed = [SECONDS] if any(SECONDS in row for row in rows.values()) else []
    columns = [*metrics[:1], *timed, *metrics[1:]]
    names = ["evaluation", *(_named(name, name in models) for name in rows)]
    wide = max(NAMES, *map(len, names))
    kept, room = {}, room - wide
    for number, metric in enumerate(columns):
        of = [samples.get(n, {}).get(metric) if not number else None for n in rows]
        cells = [cell(r.get(metric), metric) for r in rows.values()]
        column = [metric, *map(_with_half, cells, of)]
        if any(of):
            column = [one.ljust(max(map(len, column))) for one in column]
        size = 2 + max(map(len, column))
        if not number or size <= room:
            kept[metric] = [one.rjust(size) for one in column]
            room -= size
    shown = [kept[m] for m in dict.fromkeys([*metrics, SECONDS]) if m in kept]
    found = [
        "".join([name.ljust(wide), *cells]).rstrip()
        for name, *cells in zip(names, *shown, strict=True)
    ]
    return found, len(columns) - len(kept)


def cell(value: float | None, metric: str) -> str:
    """Returns a figure as text, "-" where there is none."""
    if value is None:
        return "-"
    return f"{value:.1f}" if metric == SECONDS or abs(value) >= 10 else f"{value:.4f}"


def half(sample: Sample | None) -> str:
    """Returns half of the width of a sample's 95 % interval; "" where it has none."""
    ends = None if sample is None else sample.interval
    return "" if ends is None else f"±{(ends[1] - ends[0]) / 2:.4f}"


def _with_half(figure: str, sample: Sample | None) -> str:
    return " ".join(filter(None, (figure, half(sample))))


def _named(name: str, model: bool) -> str:
    short = name if len(name) <= NAME else f"{name[: NAME - 1]}…"
    return f"{short} (model)" if model else short
