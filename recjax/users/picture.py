"""A user's clusters to look at: importance, medoids and their pictures, a timeline."""

from __future__ import annotations

import base64
import html
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recjax.errors import UserError
from recjax.index.item_vectors import ItemVectors
from recjax.seconds import DAY
from recjax.users.importance import top
from recjax.users.profile import Profile

SUFFIXES = {".jpg": "jpeg", ".jpeg": "jpeg", ".png": "png", ".webp": "webp"}


@dataclass(frozen=True)
class ClusterRow:
    """One cluster.

    Attributes:
      name: of the medoid: its title and id.
      importance: of the cluster.
      actions: how many.
      days: before now, of each action that is known; the last one at least.
      image: a picture of the medoid, if there is one.
    """

    name: str
    importance: float
    actions: int
    days: np.ndarray
    image: Path | None = None


def table(
    profile: Profile,
    items: ItemVectors,
    most: int,
    actions: Sequence[tuple[str, float]] = (),
    images: Path | None = None,
) -> list[ClusterRow]:
    """Returns the most important clusters.

    Args:
      profile: of the user.
      items: the catalogue.
      most: clusters to return.
      actions: (item id, unix seconds) of the user, each shown with the cluster whose
        mean is nearest; without them a cluster shows its last action.
      images: folder of pictures named by item id.
    """
    times: list[list[float]] = [[] for _ in profile.medoid]
    known = [
        (items.rows[id], when)
        for id, when in actions
        if id in items.rows and when <= profile.as_of
    ]
    if known and times:
        points = items.unit([row for row, _ in known])
        center = profile.center.astype(np.float64)
        far = (center**2).sum(1) - 2 * points @ center.T
        for cluster, (_, when) in zip(far.argmin(1), known, strict=True):
            times[cluster].append(when)
    rows = []
    for c in top(profile.importance, most):
        id = profile.medoid[c]
        row = items.rows.get(id)
        name = items.titles[row] if row is not None else ""
        days = profile.as_of - np.array(times[c] or [profile.newest[c]])
        rows.append(
            ClusterRow(
                f"{name} [{id}]" if name else id,
                float(profile.importance[c]),
                int(profile.size[c]),
                days / DAY,
                _image(images, id),
            )
        )
    return rows


def draw(title: str, rows: Sequence[ClusterRow], path: Path) -> None:
    """Draws clusters, to .png or .html by the name of the file.

    Raises:
      UserError: another kind of file.
    """
    path = Path(path)
    if path.suffix not in (".png", ".html"):
        raise UserError(f"{path}: name a .png or .html file")
    path.parent.mkdir(parents=True, exist_ok=True)
    (_png if path.suffix == ".png" else _html)(title, rows, path)


def _image(images: Path | None, id: str) -> Path | None:
    if images is None:
        return None
    names = (Path(images) / f"{id}{suffix}" for suffix in SUFFIXES)
    return next((name for name in names if name.is_file()), None)


def _png(title: str, rows: Sequence[ClusterRow], path: Path) -> None:
    from matplotlib.figure import Figure

    shown = any(row.image for row in rows)
    tall = 0.6 if shown else 0.32
    figure = Figure(figsize=(11, 1.2 + tall * max(len(rows), 1)), layout="constrained")
    widths = (0.35, 3, 3) if shown else (3, 3)
    *pictures, bars, times = figure.subplots(1, len(widths), width_ratios=widths)
    place = np.arange(len(rows))
    bars.barh(place, [row.importance for row in rows], color="#4477aa")
    bars.set_yticks(place, [row.name[:60] for row in rows], fontsize=8)
    bars.set_xlabel("importance")
    for line, row in zip(place, rows, strict=True):
        times.plot(-row.days, np.full(len(row.days), line), "|", ms=9, color="#cc6677")
        times.text(1.01, line, row.actions, fontsize=8, va="center", **_beside(times))
    times.set_yticks(place, [""] * len(rows))
    times.set_xlabel("actions, days from now; at the right their number")
    times.grid(axis="both", alpha=0.3)
    for axis in (bars, times, *pictures):
        axis.set_ylim(len(rows) - 0.5, -0.5)
    for axis in pictures:
        axis.axis("off")
        for line, row in zip(place, rows, strict=True):
            _thumbnail(axis, row.image, int(line))
    figure.suptitle(title, fontsize=10)
    figure.savefig(path, dpi=120)


def _beside(axis) -> dict:
    """Returns settings for text at a share of the width and at a row of the plot."""
    return {"transform": axis.get_yaxis_transform()}


def _thumbnail(axis, image: Path | None, line: int) -> None:
    if image is None:
        return
    from matplotlib.image import imread

    try:
        pixels = imread(image)
    except (OSError, ValueError, ImportError) as error:
        warnings.warn(f"{image}: not shown: {error}", stacklevel=2)
        return
    inside = axis.inset_axes((0, line - 0.45, 1, 0.9), **_beside(axis))
    inside.imshow(pixels)
    inside.axis("off")


def _html(title: str, rows: Sequence[ClusterRow], path: Path) -> None:
    most = max((row.importance for row in rows), default=1)
    long = max((float(row.days.max()) for row in rows), default=0) or 1
    lines = [
        f"<tr><td>{_picture(row.image)}</td><td>{html.escape(row.name)}</td>"
        f"<td><div style='width:{200 * row.importance / most:.0f}px'></div></td>"
        f"<td>{row.importance:.2f}</td><td>{row.actions}</td>"
        f"<td>{_timeline(row.days, long)}</td><td>{row.days.min():.1f}</td></tr>"
        for row in rows
    ]
    head = "".join(
        f"<th>{name}"
        for name in ("", "medoid", "importance", "", "actions")
        + (f"last {long:.0f} days", "days since the last")
    )
    path.write_text(
        "<!doctype html><meta charset='utf-8'>"
        "<style>body{font-family:sans-serif}td{padding:2px 8px}img{height:60px}"
        "div{background:#4477aa;height:1em}line{stroke:#cc6677}</style>"
        f"<title>{html.escape(title)}</title><h3>{html.escape(title)}</h3>"
        f"<table><tr>{head}</tr>{''.join(lines)}</table>\n",
        encoding="utf-8",
    )


def _picture(image: Path | None) -> str:
    """Returns a picture inside the page, which then is one file."""
    if image is None:
        return ""
    data = base64.b64encode(image.read_bytes()).decode()
    return f"<img src='data:image/{SUFFIXES[image.suffix]};base64,{data}'>"


def _timeline(days: np.ndarray, long: float) -> str:
    places = 300 * (1 - days / long) + 1
    marks = (f"<line x1='{x:.0f}' x2='{x:.0f}' y1='2' y2='14'/>" for x in places)
    return f"<svg width='302' height='16'>{''.join(marks)}</svg>"
