"""Pictures of a run, and one self-contained HTML page that holds them."""

from __future__ import annotations

import base64
import html
import io
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from recjax.evals.reports.tsne import tsne

COLOURS = (
    *("#4269d0", "#efb118", "#ff725c", "#6cc5b0", "#3ca951", "#ff8ab7", "#a463f2"),
    *("#97bbf5", "#9c6b4e"),
)
GREY = "#c8c8c8"
LINES = ("-", "--", ":")
STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 60rem;
       margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; }
img { max-width: 100%; }
table { border-collapse: collapse; }
th, td { padding: .3rem .9rem .3rem 0; text-align: right; border-bottom: 1px solid #ddd;
         font-variant-numeric: tabular-nums; }
th:first-child, td:first-child { text-align: left; }
pre { background: #f6f6f6; padding: .8rem 1rem; overflow-x: auto; font-size: 13px; }
"""


@dataclass(frozen=True)
class Section:
    """A part of a page.

    Attributes:
      title: its heading.
      note: what the reader should know, one paragraph; may be empty.
      picture: PNG bytes.
      table: rows of cells, the first row is the heading.
      text: shown as it is, in a fixed-width font.
    """

    title: str
    note: str = ""
    picture: bytes | None = None
    table: Sequence[Sequence[str]] = ()
    text: str = ""


def page(title: str, sections: Sequence[Section]) -> str:
    """Returns an HTML page that needs no other file."""
    parts = [
        f"<!doctype html>\n<html lang=en><meta charset=utf-8><title>{_safe(title)}"
        f"</title>\n<style>{STYLE}</style>\n<h1>{_safe(title)}</h1>"
    ]
    for section in sections:
        parts.append(f"<h2>{_safe(section.title)}</h2>")
        if section.note:
            parts.append(f"<p>{_safe(section.note)}</p>")
        if section.table:
            parts.append(_table(section.table))
        if section.picture is not None:
            code = base64.b64encode(section.picture).decode()
            alt = _safe(section.title)
            parts.append(f'<img alt="{alt}" src="data:image/png;base64,{code}">')
        if section.text:
            parts.append(f"<pre>{_safe(section.text)}</pre>")
    return "\n".join(parts) + "\n</html>\n"


def learning_curve(lines: Sequence[Mapping[str, float]], metric: str | None) -> bytes:
    """Draws the loss, and a validation metric beside it, over the steps.

    Args:
      lines: what `recjax.train.writer.read_metrics` returns.
      metric: for example "validation/ndcg@10"; None for the loss alone.

    Returns:
      PNG bytes.
    """
    drawn, left = figure(8, 3.6)
    curves = [(left, "loss", COLOURS[0], "-")]
    if metric is not None:
        curves.append((left.twinx(), metric, COLOURS[2], "o-"))
    for axis, name, colour, style in curves:
        known = [one for one in lines if one.get(name) is not None]
        steps = [one["step"] for one in known]
        axis.plot(steps, [one[name] for one in known], style, color=colour, ms=5, lw=2)
        axis.set_ylabel(name, color=colour)
        axis.tick_params(axis="y", colors=colour, length=0)
        axis.spines[["top", "right", "left"]].set_visible(False)
    left.set_xlabel("step")
    left.grid(axis="y", color="#eee")
    return png(drawn)


def recall_curves(
    results: Mapping[str, Mapping[str, float]], metric: str = "recall"
) -> bytes:
    """Draws recall@K over K of each evaluation, both axes logarithmic.

    Args:
      results: evaluation -> metric -> figure, as in `result.json`.
      metric: name of the figures before "@K".

    Returns:
      PNG bytes.
    """
    drawn, axis = figure(8, 4)
    axis.set(xscale="log", yscale="log", xlabel="K", ylabel=f"{metric}@K")
    curves = {}
    for name, row in results.items():
        found = [
            (m.split("@")[1], v) for m, v in row.items() if m.startswith(f"{metric}@")
        ]
        points = sorted((int(k), v) for k, v in found if v > 0)
        if points:
            curves[name] = points
    ks = sorted({k for points in curves.values() for k, _ in points})
    for place, (name, points) in enumerate(curves.items()):
        axis.plot(
            *zip(*points, strict=True), marker="o", ms=4, label=name, **line(place)
        )
    axis.set_xticks(ks, map(str, ks))
    axis.xaxis.set_minor_locator(_no_ticks())
    axis.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axis.yaxis.set_minor_formatter(lambda value, _: _sparse(value))
    axis.spines[["top", "right"]].set_visible(False)
    axis.grid(which="both", color="#eee")
    legend(axis, len(curves))
    return png(drawn)


def item_map(
    vectors: np.ndarray,
    titles: Sequence[str],
    tags: Sequence[str],
    weight: np.ndarray,
    shown: int = 700,
    labelled: int = 36,
) -> bytes:
    """Draws the items that were met most, near ones near, coloured by their tags.

    Args:
      vectors: item embeddings [N, D].
      titles: [N].
      tags: words that describe each item [N]; numbers among them are passed over. An
        item has the colour of the rarest of its tags that has one.
      weight: how often each item was met [N].
      shown: how many items are drawn.
      labelled: how many get their title, where there is room.

    Returns:
      PNG bytes.
    """
    chosen = np.argsort(-weight, kind="stable")[:shown]
    place = tsne(vectors[chosen])
    groups = main_tags([tags[i] for i in chosen], len(COLOURS))
    drawn, axis = figure(11, 8.5)
    size = 14 + 60 * weight[chosen] / max(weight.max(), 1)
    named = [name for name, _ in Counter(groups).most_common() if name]
    for name, colour in [("", GREY), *zip(named, COLOURS, strict=False)]:
        rows = [row for row, group in enumerate(groups) if group == name]
        if rows:
            x, y = place[rows].T
            label = name or "other"
            axis.scatter(
                x, y, size[rows], color=colour, label=label, lw=0.4, edgecolor="white"
            )
    low, high = axis.get_xlim()
    axis.set_xlim(low, high + 0.12 * (high - low))  # Room for labels at the edge.
    for row in _apart(place, labelled):
        text = _short(titles[chosen[row]])
        label = axis.annotate(
            text, place[row], xytext=(4, 3), textcoords="offset points", fontsize=8
        )
        label.set_path_effects([_halo()])
    axis.set_axis_off()
    axis.legend(
        frameon=False, loc="upper center", bbox_to_anchor=(0.5, 0), ncols=5, fontsize=9
    )
    return png(drawn)


def main_tags(tags: Sequence[str], most: int) -> list[str]:
    """Returns each item's rarest tag among the `most` commonest, or ""."""
    words = [re.findall(r"\S*[^\W\d]\S*", text) for text in tags]
    counts = Counter(word for own in words for word in set(own))
    common = dict(counts.most_common(most))
    return [
        min((w for w in own if w in common), key=lambda w: (common[w], w), default="")
        for own in words
    ]


def _apart(place: np.ndarray, most: int) -> list[int]:
    """Returns rows, earlier ones first, that leave each other room for a label."""
    span = np.ptp(place, axis=0)
    taken: list[int] = []
    for row in range(len(place)):
        gap = np.abs(place[taken] - place[row]) / span
        if not (gap < (0.17, 0.028)).all(1).any():
            taken.append(row)
        if len(taken) == most:
            break
    return taken


def _table(rows: Sequence[Sequence[str]]) -> str:
    head, *body = rows
    lines = ["<table>", "<tr>" + "".join(f"<th>{_safe(c)}" for c in head)]
    lines += ["<tr>" + "".join(f"<td>{_safe(c)}" for c in row) for row in body]
    return "\n".join([*lines, "</table>"])


def figure(width: float, height: float, rows: int = 1) -> tuple[Any, Any]:
    """Returns a figure of so many inches, and its axes: one, or one a row."""
    # Not pyplot: it keeps figures in a global list and may look for a display.
    from matplotlib.figure import Figure

    drawn = Figure((width, height), layout="constrained")
    return drawn, drawn.subplots(rows)


def _halo() -> Any:
    from matplotlib.patheffects import withStroke

    return withStroke(linewidth=2.5, foreground="white")


def _no_ticks() -> Any:
    from matplotlib.ticker import NullLocator

    return NullLocator()


def _sparse(value: float) -> str:
    return f"{value:g}" if f"{value:.0e}"[0] in "25" else ""


def line(place: int) -> dict[str, Any]:
    """Returns how the curve number `place` is drawn: no two of 27 alike."""
    style = LINES[place // len(COLOURS) % len(LINES)]
    return {"color": COLOURS[place % len(COLOURS)], "ls": style, "lw": 2}


def legend(axis: Any, curves: int) -> None:
    """Names the curves: beside the axes where there are many."""
    if curves > 5:
        beside = {"loc": "center left", "bbox_to_anchor": (1, 0.5), "fontsize": 8}
        axis.legend(frameon=False, **beside)
    elif curves:
        axis.legend(frameon=False)


def png(drawn: Any) -> bytes:
    """Returns a figure as PNG bytes."""
    out = io.BytesIO()
    drawn.savefig(out, format="png", dpi=130)
    return out.getvalue()


def _short(text: str, most: int = 28) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def _safe(text: str) -> str:
    return html.escape(text)
