"""Draws docs/pictures/way_of_data.svg: the data's way, and the inside of a step.

    python tools/draw_way_of_data.py docs/pictures/way_of_data.svg

The file's ending decides the format: PNG to look at it, SVG to keep it.
"""

from __future__ import annotations

import argparse
from typing import Any

import matplotlib
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

BLUE, GREEN, ORANGE, GREY = "#dfe8fb", "#dff3e4", "#fdebd0", "#f2f2f2"
LINE, NOTE = "#445", {"size": 8.5, "color": "#777"}
ROUND = "round,pad=0,rounding_size=0.08"

WAY = (
    ("raw files", "CSV, TSV, Parquet\nor a known data set", "tables/", GREY),
    ("prepared data", "array_record\non disk", "prepare/", BLUE),
    ("batch s", "a function of\n(seed, s) alone", "data/pipeline", BLUE),
    ("step", "(state, batch) ->\n(state, report)", "train/step", ORANGE),
    ("checkpoints", "state; the step is\nthe data's position", "train/state", ORANGE),
    ("evaluation", "exact, whole corpus,\nbeside baselines", "evals, metrics", GREEN),
    ("bundle", "vectors, index, models,\nloaded back, compared", "export", GREEN),
    ("answers", "texts or histories\n-> items", "serve", GREEN),
)
INSIDE = (
    (0.4, 1.75, "model.rows(batch)", "ids that this batch\nnames, by table", GREY),
    (3.3, 1.75, "gather", "each distinct row\nonce  [U, D]", ORANGE),
    (6.2, 1.75, "model.apply", "params, rows, batch\n-> embeddings", BLUE),
    (9.1, 1.75, "losses", "per-example values\nand weights", BLUE),
    (12.0, 1.75, "gradients", "of params and of\nthe gathered rows", BLUE),
    (12.0, 0.15, "optax", "dense rules\nby path", ORANGE),
    (9.1, 0.15, "row-wise Adagrad", "one number\na row", ORANGE),
    (3.3, 0.15, "tables [V, D]", "rows split over\nall devices", GREEN),
    (6.2, 0.15, "write", "those rows\nalone", ORANGE),
)
WIDE, HIGH = 2.35, 1.0


def main() -> None:
    """Draws and saves."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("to", help="file of the picture")
    to = parser.parse_args().to
    matplotlib.rcParams["svg.hashsalt"] = "recjax"
    figure = Figure((15, 5.6))
    axis = figure.add_axes((0, 0, 1, 1))
    axis.set(xlim=(0, 15), ylim=(-0.3, 5.3))
    axis.set_axis_off()
    step = 1.86
    for place, (title, text, package, colour) in enumerate(WAY):
        x = 0.12 + place * step
        box(axis, x, 3.8, 1.56, 0.97, title, text, colour)
        axis.text(x + 0.78, 4.85, package, ha="center", va="bottom", **NOTE)
        if place:
            arrow(axis, (x - step + 1.58, 4.28), (x - 0.02, 4.28))
    x = 0.12 + 3 * step
    for corner, end in ((x, 0.16), (x + 1.56, 14.64)):
        axis.plot([corner, end], [3.78, 3.11], color="#bbb", lw=0.8, ls=":", zorder=0)
    axis.add_patch(
        FancyBboxPatch(
            (0.1, -0.15), 14.6, 3.25, ROUND, fc="#fffdf8", ec="#ccc", zorder=-1
        )
    )
    inside = "inside a step: rows in, row gradients out"
    axis.text(0.3, 2.97, inside, va="top", size=10.5, weight="bold", color=LINE)
    for left, low, title, text, colour in INSIDE:
        box(axis, left, low, WIDE, HIGH - 0.05, title, text, colour)
    for left in (0.4, 3.3, 6.2, 9.1):
        arrow(axis, (left + WIDE + 0.03, 2.22), (left + 2.87, 2.22))
    arrow(axis, (13.17, 1.72), (13.17, 1.13))
    arrow(axis, (12.2, 1.72), (11.2, 1.13))
    arrow(axis, (9.07, 0.62), (8.58, 0.62))
    arrow(axis, (6.17, 0.62), (5.68, 0.62))
    arrow(axis, (4.47, 1.13), (4.47, 1.72))
    axis.text(13.3, 1.43, "params", va="center", **NOTE)
    axis.text(10.5, 1.43, "rows [U, D]", va="center", **NOTE)
    axis.text(4.6, 1.43, "rows [U, D]", va="center", **NOTE)
    # Without a date the same drawing is the same file.
    dated = {"Date": None} if to.endswith(".svg") else None
    figure.savefig(to, metadata=dated)


def box(
    axis: Any, x: float, y: float, wide: float, high: float, title: str, text: str,
    colour: str,
) -> None:  # fmt: skip
    """Draws a box with a title and a text."""
    shape = FancyBboxPatch((x, y), wide, high, ROUND, fc=colour, ec=LINE)
    axis.add_patch(shape)
    middle = x + wide / 2
    top = y + high - 0.1
    axis.text(middle, top, title, ha="center", va="top", size=11, weight="bold")
    axis.text(middle, top - 0.31, text, ha="center", va="top", size=8.8, color="#333")


def arrow(axis: Any, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Draws an arrow."""
    style = {"arrowstyle": "-|>", "color": LINE, "lw": 1.2, "shrinkA": 0, "shrinkB": 0}
    axis.annotate("", end, start, arrowprops=style)


if __name__ == "__main__":
    main()
