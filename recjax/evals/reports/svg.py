"""Plots as SVG text: lines of their own, so that a page needs no other file.

Text and grid take the colour of the page, so plots are read on light and dark alike.
"""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

COLOURS = (
    *("#4a78dd", "#e0a100", "#f0654f", "#4fb3a0", "#3ca951", "#f07aa8", "#a06be8"),
    *("#7fa6e8", "#a87a5c"),
)
GREY = "#9a9a9a"
DASHES = ("", "6 4", "2 3")
WIDTH, HEIGHT = 460, 280
LEFT, RIGHT, TOP, BOTTOM = 60, 442, 10, 238
FEW = 40
"""Points of a curve up to which each is drawn as a dot."""


@dataclass(frozen=True)
class Scale:
    """Values along an axis.

    Attributes:
      low: the least.
      high: the largest, above the least.
      start: where the least is, in the plot.
      stop: where the largest is.
      log: whether it is logarithmic.
    """

    low: float
    high: float
    start: float
    stop: float
    log: bool = False

    @classmethod
    def of(
        cls, values: np.ndarray, start: float, stop: float, log: bool = False
    ) -> Scale:
        """Returns a scale that holds some values; logarithmic ones are above 0."""
        low, high = (
            (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
        )
        if log:
            low, high = low * 0.9, high * 1.1
        elif low == high:
            low, high = low - (abs(low) or 1) / 2, high + (abs(high) or 1) / 2
        return cls(low, high, start, stop, log)

    def __call__(self, value: float) -> float:
        """Returns where a value is in the plot."""
        turn: Callable[[float], float] = math.log if self.log else float
        low, high = turn(self.low), turn(self.high)
        share = (turn(value) - low) / (high - low)
        return self.start + share * (self.stop - self.start)

    @property
    def ticks(self) -> list[float]:
        """Round values on it, four or so."""
        if self.log:
            powers = range(
                math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1
            )
            span = math.log10(self.high / self.low)
            steps = (1, 2, 5) if span < 2.5 else (1,)
            found = [s * 10.0**p for p in powers for s in steps]
            every = max(1, len(powers) // 5) if span >= 2.5 else 1
            inside = [v for v in found[::every] if self.low <= v <= self.high]
            if len(inside) > 1:
                return inside
        rough = (self.high - self.low) / 4
        size = 10.0 ** math.floor(math.log10(rough))
        step = next(size * m for m in (1, 2, 5, 10) if size * m >= rough * 0.8)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [n * step for n in range(first, last + 1)]


@dataclass(frozen=True)
class Curve:
    """A line of a plot.

    Attributes:
      name: in the legend.
      x: [n], rising.
      y: [n].
      colour: of the line.
      dash: pattern of the line, one of `DASHES`.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    colour: str
    dash: str = ""


def curves(
    lines: Sequence[Curve],
    xlabel: str,
    ylabel: str,
    log: bool = False,
    ticks: Sequence[float] | None = None,
) -> str:
    """Draws lines, those of few points with dots.

    Args:
      lines: the curves, of finite numbers; above 0 where axes are logarithmic.
      xlabel: names the axis of `x`.
      ylabel: names the axis of `y`.
      log: both axes are logarithmic.
      ticks: values that stand at the axis of `x`; round ones by default.
    """
    x, y = (
        Scale.of(np.concatenate([np.asarray(v, float) for v in values]), *ends, log)
        for values, ends in (
            ([one.x for one in lines], (LEFT, RIGHT)),
            ([one.y for one in lines], (BOTTOM, TOP)),
        )
    )
    marks = []
    for one in lines:
        at = [f"{x(a):.1f},{y(b):.1f}" for a, b in zip(one.x, one.y, strict=True)]
        dash = f' stroke-dasharray="{one.dash}"' if one.dash else ""
        marks.append(
            f'<polyline fill="none" stroke="{one.colour}" stroke-width="2"{dash} '
            f'points="{" ".join(at)}"/>'
        )
        if len(at) <= FEW:
            places = [point.split(",") for point in at]
            values = zip(places, one.x, one.y, strict=True)
            marks += [
                f'<circle cx="{a}" cy="{b}" r="3" fill="{one.colour}"><title>'
                f"{safe(one.name)}: {number(v)} at {number(u)}</title></circle>"
                for (a, b), u, v in values
            ]
    return _framed(x, y, xlabel, ylabel, marks, ticks)


def histograms(
    edges: np.ndarray, layers: Sequence[tuple[np.ndarray, str]], xlabel: str
) -> str:
    """Draws shares over the same bins, one behind the other.

    Args:
      edges: of the bins [n + 1].
      layers: shares [n], and a colour, each.
      xlabel: names the axis.
    """
    most = max((float(shares.max(initial=0)) for shares, _ in layers), default=0) or 1
    x = Scale.of(np.asarray(edges, float), LEFT, RIGHT)
    y = Scale(0.0, most, BOTTOM, TOP)
    marks = []
    for shares, colour in layers:
        path = [f"M{x(float(edges[0])):.1f},{BOTTOM}"]
        for left, right, share in zip(edges[:-1], edges[1:], shares, strict=True):
            level = f"{y(float(share)):.1f}"
            path += [
                f"L{x(float(left)):.1f},{level}",
                f"L{x(float(right)):.1f},{level}",
            ]
        path.append(f"L{x(float(edges[-1])):.1f},{BOTTOM}Z")
        marks.append(
            f'<path fill="{colour}" fill-opacity=".55" stroke="{colour}" '
            f'd="{"".join(path)}"/>'
        )
    return _framed(x, y, xlabel, "share of pairs", marks)


def scatter(place: np.ndarray, titles: Sequence[str], colours: Sequence[str]) -> str:
    """Draws points without axes; their titles appear where one points at them.

    Args:
      place: [n, 2].
      titles: [n].
      colours: [n].
    """
    width, height = 720, 460
    x = Scale.of(place[:, 0], 10, width - 10)
    y = Scale.of(place[:, 1], height - 10, 10)
    marks = [
        f'<circle cx="{x(a):.1f}" cy="{y(b):.1f}" r="4.5" fill="{colour}">'
        f"<title>{safe(title)}</title></circle>"
        for (a, b), title, colour in zip(place.tolist(), titles, colours, strict=True)
    ]
    return _svg(width, height, marks, "map")


def alone(drawn: str) -> str:
    """Returns a plot as a file of its own."""
    return drawn.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1) + "\n"


def safe(text: str) -> str:
    """Returns a text that no page takes for markup."""
    return html.escape("".join(c if c.isprintable() else " " for c in text))


def number(value: float) -> str:
    """Returns a number as a person reads it."""
    if value == int(value) and abs(value) < 1e15:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def _framed(
    x: Scale,
    y: Scale,
    xlabel: str,
    ylabel: str,
    marks: Sequence[str],
    ticks: Sequence[float] | None = None,
) -> str:
    parts = []
    for value in y.ticks:
        at = f"{y(value):.1f}"
        parts.append(
            f'<path d="M{LEFT} {at}H{RIGHT}" stroke="currentColor" opacity=".15"/>'
            f'<text x="{LEFT - 6}" y="{at}" dy=".35em" text-anchor="end">'
            f"{number(value)}</text>"
        )
    for value in x.ticks if ticks is None else ticks:
        anchor = "end" if x(value) > RIGHT - 10 else "middle"
        parts.append(
            f'<text x="{x(value):.1f}" y="{BOTTOM + 16}" text-anchor="{anchor}">'
            f"{number(value)}</text>"
        )
    parts += [
        f'<path d="M{LEFT} {BOTTOM}H{RIGHT}" stroke="currentColor" opacity=".5"/>',
        f'<text x="{(LEFT + RIGHT) / 2}" y="{HEIGHT - 6}" text-anchor="middle">'
        f"{safe(xlabel)}</text>",
        f'<text transform="translate(12 {(TOP + BOTTOM) / 2}) rotate(-90)" '
        f'text-anchor="middle">{safe(ylabel)}</text>',
    ]
    return _svg(WIDTH, HEIGHT, [*parts, *marks], "plot")


def _svg(width: int, height: int, parts: Sequence[str], kind: str) -> str:
    return (
        f'<svg class="{kind}" viewBox="0 0 {width} {height}" role="img" '
        'font-family="system-ui, sans-serif" font-size="12" fill="currentColor">'
        + "".join(parts)
        + "</svg>"
    )
