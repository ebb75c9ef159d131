"""The table of a sweep: means and spreads over seeds, and differences by seed."""

from __future__ import annotations

import csv
import io
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from recjax.errors import UserError, nearest

MAIN = ("recall@10", "ndcg@10", "coverage@10")
Values = Mapping[str, Mapping[int, Mapping[str, float]]]
"""Variant -> seed -> "evaluation/metric" -> figure; the first variant is the baseline.
"""


@dataclass(frozen=True)
class Spread:
    """Figures of several seeds.

    Attributes:
      mean: of them.
      deviation: sample standard deviation (n - 1), None of a single one.
      count: how many.
    """

    mean: float
    deviation: float | None
    count: int


@dataclass(frozen=True)
class ResultRow:
    """A variant and a metric.

    Attributes:
      variant: its name.
      metric: "evaluation/metric".
      value: over its seeds; None where it has none.
      difference: to the baseline, over the seeds that both have, each seed compared
        with itself, so that what a seed does to both cancels out; None of the baseline.
    """

    variant: str
    metric: str
    value: Spread | None
    difference: Spread | None


def flat(results: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Returns the results of a run as "evaluation/metric" -> figure."""
    return {
        f"{name}/{metric}": value
        for name, figures in results.items()
        for metric, value in figures.items()
    }


def metrics(values: Values, show: Sequence[str]) -> list[str]:
    """Returns the metrics to show.

    Args:
      values: the figures.
      show: those asked for; none takes the main ones of the first evaluation.

    Raises:
      UserError: no run has such a metric.
    """
    known = list(
        dict.fromkeys(m for v in values.values() for s in v.values() for m in s)
    )
    for metric in show:
        if metric not in known:
            raise UserError(
                f"--show {metric}: no run has such a metric.{nearest(metric, known)} "
                f"There are {', '.join(known) or 'none: no run is done'}"
            )
    first = known[0].split("/")[0] if known else ""
    own = [m for m in known if m.startswith(first + "/")]
    main = [f"{first}/{m}" for m in MAIN if f"{first}/{m}" in own]
    return list(show) or main or own[:3]


def rows(values: Values, shown: Sequence[str]) -> list[ResultRow]:
    """Returns a row a metric and variant, variants of a metric together."""
    baseline = next(iter(values), "")
    made = []
    for metric in shown:
        figures = {
            variant: {seed: one[metric] for seed, one in seeds.items() if metric in one}
            for variant, seeds in values.items()
        }
        base = figures.get(baseline, {})
        for variant, own in figures.items():
            apart = [own[seed] - base[seed] for seed in own if seed in base]
            change = None if variant == baseline else spread(apart)
            made.append(ResultRow(variant, metric, spread(list(own.values())), change))
    return made


def spread(figures: Sequence[float]) -> Spread | None:
    """Returns mean and sample standard deviation; None of nothing."""
    if not figures:
        return None
    deviation = statistics.stdev(figures) if len(figures) > 1 else None
    return Spread(math.fsum(figures) / len(figures), deviation, len(figures))


def cells(table: Sequence[ResultRow]) -> list[list[str]]:
    """Returns the table as cells, the heading first: a row a variant."""
    shown = list(dict.fromkeys(row.metric for row in table))
    found = {(row.variant, row.metric): row for row in table}
    head = ["variant", "seeds"]
    for metric in shown:
        head += [metric, "difference"]
    lines = [head]
    for variant in dict.fromkeys(row.variant for row in table):
        own = [found[variant, metric] for metric in shown]
        line = [variant, str(max((r.value.count for r in own if r.value), default=0))]
        for row in own:
            line += [_said(row.value, ""), _said(row.difference, "+")]
        lines.append(line)
    return lines


def text(lines: Sequence[Sequence[str]]) -> str:
    """Returns cells as aligned text."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if place else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )


def markdown(lines: Sequence[Sequence[str]]) -> str:
    """Returns cells as a Markdown table."""
    head, *body = [[c.replace("|", "\\|") for c in line] for line in lines]
    rule = ["---"] + ["---:"] * (len(head) - 1)
    return "".join(f"| {' | '.join(line)} |\n" for line in (head, rule, *body))


def as_csv(table: Sequence[ResultRow]) -> str:
    """Returns a line a variant and metric, unrounded; empty where there is nothing."""
    out = io.StringIO()
    names = ("mean", "deviation", "count")
    change = tuple(f"difference_{name}" for name in names)
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("variant", "metric", *names, *change))
    for row in table:
        parts = [
            getattr(one, name, None)
            for one in (row.value, row.difference)
            for name in names
        ]
        writer.writerow((row.variant, row.metric, *parts))
    return out.getvalue()


def runs_csv(values: Values, shown: Sequence[str]) -> str:
    """Returns a line a run, unrounded; empty where a run has no such figure."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("variant", "seed", *shown))
    for variant, seeds in values.items():
        for seed, figures in sorted(seeds.items()):
            own = [figures.get(metric, "") for metric in shown]
            writer.writerow((variant, seed, *own))
    return out.getvalue()


def _said(one: Spread | None, sign: str) -> str:
    if one is None:
        return "-"
    if one.deviation is None:
        return f"{one.mean:{sign}.4f}"
    return f"{one.mean:{sign}.4f} ± {one.deviation:.4f}"
