"""The report of a run: `report.html`, and its plots as PNG files in `plots/`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from recjax import disk
from recjax.evals.evaluation import EXPOSURE_AT, Evaluated
from recjax.evals.reports import page as report
from recjax.evals.reports import plots
from recjax.evals.reports.page import Section
from recjax.evals.run_evaluations import main_metrics
from recjax.metrics.cohorts import BETWEEN

PAGE, PLOTS = "report.html", "plots"
RECALLS = ("recall", "index_recall")
COHORT_KS = (10, 100)
MOST = 8
"""Columns of the table of results."""
ABOUT_COHORTS = (
    "Recall of the positive pairs of each cohort; the line of each group, and the rows "
    "without a cohort, are all pairs."
)
ABOUT_EXPOSURE = (
    f"In how many of all top-{EXPOSURE_AT} lists an item stands. A curve that falls "
    "late and starts high means that everybody gets the same few items."
)
ABOUT_SCORES = (
    "Dot products of queries with their positives, and with items drawn at random: the "
    "less the two overlap, the better a score tells them apart. Heights are shares."
)


def write_report(
    folder: Path,
    title: str,
    found: Mapping[str, Evaluated],
    lines: Sequence[Mapping[str, float]] = (),
    curve: str | None = None,
) -> Path:
    """Writes the page and its plots, and returns the page's path.

    Args:
      folder: the run folder.
      title: of the page.
      found: evaluation -> what it found.
      lines: what `recjax.train.writer.read_metrics` returns; none without training.
      curve: validation metric to draw beside the loss, "eval/metric".
    """
    made = sections(found, lines, curve)
    (folder / PLOTS).mkdir(exist_ok=True)
    for section in made:
        if section.picture is not None:
            name = section.title.lower().replace(" ", "_") + ".png"
            disk.write_bytes(folder / PLOTS / name, section.picture)
    page = folder / PAGE
    disk.write_text(page, report.page(title, made))
    return page


def sections(
    found: Mapping[str, Evaluated],
    lines: Sequence[Mapping[str, float]] = (),
    curve: str | None = None,
) -> list[Section]:
    """Returns the parts of the page; those with nothing to tell are left out."""
    results = {name: one.figures for name, one in found.items()}
    made = [Section("Results", table=_table(results, main_metrics(results)[:MOST]))]
    for name in RECALLS:
        if any(f"{name}@" in metric for row in results.values() for metric in row):
            picture = report.recall_curves(results, name)
            made.append(Section(f"{name}@K".replace("_", " "), picture=picture))
    if any(line.get("loss") is not None for line in lines):
        made.append(Section("Training", picture=report.learning_curve(lines, curve)))
    made += _cohorts(results)
    exposure = {n: o.exposure for n, o in found.items() if o.exposure is not None}
    if exposure:
        names = (f"shown_max@{EXPOSURE_AT}", f"shown_p90@{EXPOSURE_AT}")
        rows = _table(
            {n: results[n] for n in exposure}, (*names, f"coverage@{EXPOSURE_AT}")
        )
        picture = plots.frequency_curves(exposure)
        made.append(Section("Retrieval frequency", ABOUT_EXPOSURE, picture, rows))
    scores = {n: one.scores for n, one in found.items() if one.scores is not None}
    if scores:
        picture = plots.score_curves(scores)
        made.append(Section("Scores", ABOUT_SCORES, picture))
    return made


def _cohorts(results: Mapping[str, Mapping[str, float]]) -> list[Section]:
    made = []
    for kind in RECALLS:
        metrics = [f"{kind}@{k}" for k in COHORT_KS]
        rows = {}
        for name, figures in results.items():
            known = plots.cohorts(figures)
            if known and metrics[0] in figures:
                rows[name] = figures
                for cohort in known:
                    start = f"{cohort}{BETWEEN}"
                    rows[f"{name}, {cohort}"] = {
                        metric: figures[start + metric]
                        for metric in ("pairs", *metrics)
                        if start + metric in figures
                    }
        if rows:
            title = "Cohorts" if kind == RECALLS[0] else "Cohorts in the index"
            picture = plots.cohort_bars(results, metrics[0])
            table = _table(rows, ("pairs", *metrics))
            made.append(Section(title, ABOUT_COHORTS, picture, table))
    return made


def _table(
    results: Mapping[str, Mapping[str, float]], metrics: Sequence[str]
) -> list[list[str]]:
    """Returns a row an evaluation, a column a metric that any of them has."""
    wanted = [m for m in metrics if any(m in row for row in results.values())]
    rows = [["", *wanted]]
    for name, row in results.items():
        rows.append([name, *(_cell(row.get(metric)) for metric in wanted)])
    return rows


def _cell(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if value == int(value) and value > 1 else f"{value:.4f}"
