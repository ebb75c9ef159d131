"""A user's clusters to look at: bars of importance, titles of medoids, last actions."""

from __future__ import annotations

import html
from pathlib import Path

import numpy as np

from recjax.errors import UserError
from recjax.users.importance import top
from recjax.users.profile import DAY, Profile
from recjax.users.vectors import ItemVectors


def draw(
    user: str, profile: Profile, items: ItemVectors, path: Path, most: int = 30
) -> None:
    """Draws the most important clusters, to .png or .html by the name of the file.

    Raises:
      UserError: another kind of file.
    """
    path = Path(path)
    if path.suffix not in (".png", ".html"):
        raise UserError(f"{path}: name a .png or .html file")
    rows = table(profile, items, most)
    more = len(profile.medoid) - len(rows)
    title = f"{user}: {len(profile.medoid)} clusters, {profile.size.sum()} actions"
    if more > 0:
        title += f" ({more} smaller ones left out)"
    path.parent.mkdir(parents=True, exist_ok=True)
    (_png if path.suffix == ".png" else _html)(title, rows, path)


def table(
    profile: Profile, items: ItemVectors, most: int
) -> list[tuple[str, float, int, float]]:
    """Returns (medoid, importance, actions, days since the last) of each cluster."""
    rows = []
    for c in top(profile.importance, most):
        id = profile.medoid[c]
        row = items.rows.get(id)
        name = items.titles[row] if row is not None else ""
        days = (profile.as_of - profile.newest[c]) / DAY
        importance, size = float(profile.importance[c]), int(profile.size[c])
        rows.append((f"{name} [{id}]" if name else id, importance, size, float(days)))
    return rows


def _png(title: str, rows: list, path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 1.2 + 0.32 * len(rows)), layout="constrained")
    bars, times = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
    place = np.arange(len(rows))
    bars.barh(place, [row[1] for row in rows], color="#4477aa")
    bars.set_yticks(place, [row[0][:60] for row in rows], fontsize=8)
    bars.invert_yaxis()
    bars.set_xlabel("importance")
    sizes = [10 + 12 * row[2] ** 0.5 for row in rows]
    times.scatter([-row[3] for row in rows], place, sizes, color="#cc6677")
    times.set_xlabel("last action, days from now; area: number of actions")
    times.grid(axis="x", alpha=0.3)
    figure.suptitle(title, fontsize=10)
    figure.savefig(path, dpi=120)


def _html(title: str, rows: list, path: Path) -> None:
    most = max((row[1] for row in rows), default=1)
    lines = [
        f"<tr><td>{html.escape(name)}</td>"
        f"<td><div style='width:{300 * importance / most:.0f}px'></div></td>"
        f"<td>{importance:.2f}</td>"
        f"<td>{size}</td><td>{days:.1f}</td></tr>"
        for name, importance, size, days in rows
    ]
    head = "<th>medoid<th>importance<th><th>actions<th>days since the last"
    path.write_text(
        "<!doctype html><meta charset='utf-8'>"
        "<style>body{font-family:sans-serif}td{padding:2px 8px}"
        "div{background:#4477aa;height:1em}</style>"
        f"<title>{html.escape(title)}</title><h3>{html.escape(title)}</h3>"
        f"<table><tr>{head}</tr>{''.join(lines)}</table>\n",
        encoding="utf-8",
    )
