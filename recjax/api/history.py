"""What a training wrote as it went: a frame, and a figure."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from recjax.errors import UserError, nearest
from recjax.experiment import Experiment
from recjax.train.writer import read_metrics


def frame(run: Path) -> pl.DataFrame:
    """Returns the figures of a run: a row a step that was logged, a column a figure."""
    lines: dict[int, dict[str, float]] = {}
    for one in read_metrics(run):
        lines.setdefault(int(one["step"]), {}).update(one)
    if not lines:
        return pl.DataFrame({"step": []}, schema={"step": pl.Int64})
    return pl.DataFrame(list(lines.values()), infer_schema_length=None).sort("step")


def _figure(**settings: Any) -> Any:
    """Returns a figure that notebooks show, whether or not pyplot is imported."""
    from matplotlib.figure import Figure

    class Shown(Figure):
        def _repr_png_(self) -> bytes:
            drawn = io.BytesIO()
            self.savefig(drawn, format="png")
            return drawn.getvalue()

    return Shown(**settings)


def plot(known: pl.DataFrame, names: Sequence[str], experiment: Experiment) -> Any:
    """Returns a figure of matplotlib: a curve a column over the steps.

    Raises:
      UserError: there is no such column, or none at all.
    """
    if not len(known):
        raise UserError("nothing was trained yet, so there is nothing to plot")
    for name in names:
        if name not in known.columns:
            raise UserError(
                f"plot: there is no figure {name!r}.{nearest(name, known.columns)} "
                "`run.history.columns` lists all"
            )
    shown = list(names) or ["loss", *filter(None, [experiment.best])]
    shown = [name for name in shown if name in known.columns]
    figure = _figure(figsize=(5 * len(shown), 3.2), layout="constrained")
    for axis, name in zip(
        figure.subplots(1, len(shown), squeeze=False)[0], shown, strict=True
    ):
        line = known.select("step", name).drop_nulls()
        axis.plot(line["step"], line[name], marker="o" if len(line) < 30 else "")
        axis.set(title=name, xlabel="step")
        axis.grid(alpha=0.3)
    return figure
