"""The picture of a sweep."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np

from recjax.evals.reports.svg import COLOURS
from recjax.sweep.table import Values


def seed_dots(values: Values, metrics: Sequence[str]) -> bytes:
    """Draws a dot a seed and a bar at the mean, a row a variant, a panel a metric.

    Args:
      values: variant -> seed -> metric -> figure.
      metrics: what to draw.

    Returns:
      PNG bytes.
    """
    # Not pyplot: it keeps figures in a global list and may look for a display.
    from matplotlib.figure import Figure

    names = list(values)
    size = 8, (0.4 * len(names) + 1) * len(metrics)
    drawn = Figure(size, layout="constrained")
    axes = drawn.subplots(len(metrics))
    for axis, metric in zip(np.atleast_1d(axes), metrics, strict=True):
        for place, name in enumerate(names):
            own = [one[metric] for one in values[name].values() if metric in one]
            colour = COLOURS[place % len(COLOURS)]
            axis.plot(own, [place] * len(own), "o", color=colour, ms=6, alpha=0.7)
            if own:
                mean = sum(own) / len(own)
                axis.plot([mean], [place], "|", color="#222", ms=16, mew=2)
        axis.set(title=metric, ylim=(len(names) - 0.5, -0.5))
        axis.set_yticks(range(len(names)), names)
        axis.spines[["top", "right", "left"]].set_visible(False)
        axis.grid(axis="x", color="#eee")
    out = io.BytesIO()
    drawn.savefig(out, format="png", dpi=130)
    return out.getvalue()
