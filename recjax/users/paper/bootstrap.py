"""Figures of methods as lifts over one of them, as the paper's tables give them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from recjax.metrics.bootstrap import resampled

Lift = tuple[float, float, float]
"""Percent, and the ends of its 95 % interval."""


def lifts(
    figures: Mapping[str, np.ndarray], against: str, draws: int = 1_000
) -> dict[str, list[Lift]]:
    """Returns lifts in percent with 95 % intervals, by bootstrap over users.

    Args:
      figures: of each method, float64 [users, metrics].
      against: method that the others are compared to.
      draws: of the bootstrap.

    Returns:
      Method -> lift of each metric.
    """
    base = resampled(figures[against], draws)
    out = {}
    for name, rows in figures.items():
        all_ = 100 * (resampled(rows, draws) / base - 1)
        plain = 100 * (rows.mean(0) / figures[against].mean(0) - 1)
        low, high = np.percentile(all_, [2.5, 97.5], axis=0)
        out[name] = list(zip(plain.tolist(), low.tolist(), high.tolist(), strict=True))
    return out


def report(
    figures: Mapping[str, np.ndarray],
    metrics: Sequence[str],
    show: Sequence[str],
    against: str = "last item",
) -> str:
    """Returns a table in Markdown: some metrics' means, and lifts over one method.

    Args:
      figures: of each method, float64 [users, metrics].
      metrics: their names.
      show: those that are shown.
      against: method that the others are compared to.
    """
    better = lifts(figures, against)
    lines = [
        "| method | " + " | ".join(f"{name} | lift, 95 %" for name in show) + " |",
        "|---|" + "---|---|" * len(show),
    ]
    for name, rows in figures.items():
        cells = []
        for metric in map(list(metrics).index, show):
            up, low, high = better[name][metric]
            cells.append(f"{rows[:, metric].mean():.4f}")
            cells.append(f"{up:+.0f} ({low:+.0f}..{high:+.0f})")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)
