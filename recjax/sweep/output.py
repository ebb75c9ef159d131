"""What a sweep leaves for people and programs: tables, a picture, and a page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from recjax import disk
from recjax.evals.reports import page as report
from recjax.sweep import table
from recjax.sweep.picture import seed_dots
from recjax.sweep.plan import SweepRun

ABOUT = (
    "Mean and sample standard deviation over seeds. Differences to {baseline}: each "
    "seed is compared with itself."
)


def values(cells: Sequence[SweepRun]) -> dict[str, dict[int, dict[str, float]]]:
    """Returns variant -> seed -> metric -> figure of the runs that are done."""
    found: dict[str, dict[int, dict[str, float]]] = {}
    for cell in cells:
        own = found.setdefault(cell.variant, {})
        result = cell.result()
        if result is not None:
            own[cell.seed] = table.flat(result["results"])
    return found


def write(
    name: str, cells: Sequence[SweepRun], workdir: Path, show: Sequence[str] = ()
) -> str:
    """Writes the tables and the picture of what is done; returns the table as text.

    Args:
      name: heading.
      cells: all runs of the sweep.
      workdir: where to.
      show: metrics; none takes the main ones.

    Raises:
      UserError: no such metric, or the folder cannot be written.
    """
    found = values(cells)
    shown = table.metrics(found, show)
    rows = table.rows(found, shown)
    lines = table.cells(rows)
    if not rows:
        return "no run of this sweep is done"
    about = ABOUT.format(baseline=next(iter(found)))
    record = {
        "name": name,
        "baseline": next(iter(found)),
        "rows": [asdict(row) for row in rows],
        "runs": [
            {"variant": c.variant, "seed": c.seed, "folder": str(c.folder)}
            for c in cells
        ],
        "values": found,
    }
    picture = seed_dots(found, shown)
    seeds = "A dot a seed, a bar at the mean."
    drawn = report.figure("Every seed", report.image(picture, "Every seed"), seeds)
    sections = [
        report.Section("Table", about, report.table(lines)),
        report.Section("Every seed", "", drawn),
    ]
    with disk.writing("the tables of the sweep", workdir, disk.GO_ON):
        workdir.mkdir(parents=True, exist_ok=True)
        heading = f"# {name}\n\n{about}\n\n"
        disk.write_text(workdir / "sweep.md", heading + table.markdown(lines))
        disk.write_text(workdir / "sweep.csv", table.as_csv(rows))
        disk.write_text(workdir / "runs.csv", table.runs_csv(found, shown))
        disk.write_text(workdir / "sweep.json", json.dumps(record, indent=2) + "\n")
        disk.write_text(workdir / "sweep.html", report.page(name, sections))
        disk.write_bytes(workdir / "sweep.png", picture)
    return table.text(lines)
