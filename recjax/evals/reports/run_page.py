"""The report of a run: `report.html`, and its plots as PNG files in `plots/`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from recjax import disk
from recjax.evals.evaluation import EXPOSURE_AT, Evaluated
from recjax.evals.reports import page as report
from recjax.evals.reports import plots
from recjax.evals.reports.page import Section
from recjax.evals.run_evaluations import (
    INDEX,
    MAIN,
    against_baselines,
    main_metrics,
)
from recjax.metrics.cohorts import BETWEEN

PAGE, PLOTS = "report.html", "plots"
RECALLS = ("recall", "index_recall")
COHORT_KS = (10, 100)
ABOUT_ANSWERS = (
    "The first query of the split, the last and some between, and the best that the "
    "model finds for each, in"
)
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
    evals: Mapping[str, Any],
    lines: Sequence[Mapping[str, float]] = (),
    curve: str | None = None,
    facts: Mapping[str, Any] | None = None,
    settings: str = "",
) -> Path:
    """Writes the page and its plots, and returns the page's path.

    Args:
      folder: the run folder.
      title: of the page.
      found: evaluation -> what it found.
      evals: the evaluations.
      lines: what `recjax.train.writer.read_metrics` returns; none without training.
      curve: validation metric to draw beside the loss, "eval/metric".
      facts: what there is to know of the data and the run.
      settings: of the experiment, as text.
    """
    made = sections(found, evals, lines, curve)
    if facts:
        rows = [("", ""), *((name, _fact(value)) for name, value in facts.items())]
        made.append(Section("The run", table=rows))
    if settings:
        made.append(Section("Settings", text=settings))
    (folder / PLOTS).mkdir(exist_ok=True)
    for section in made:
        if section.picture is not None:
            name = re.sub(r"[ /]", "_", section.title.lower()) + ".png"
            disk.write_bytes(folder / PLOTS / name, section.picture)
    page = folder / PAGE
    disk.write_text(page, report.page(title, made))
    return page


def sections(
    found: Mapping[str, Evaluated],
    evals: Mapping[str, Any],
    lines: Sequence[Mapping[str, float]] = (),
    curve: str | None = None,
) -> list[Section]:
    """Returns the parts of the page; those with nothing to tell are left out."""
    results = {name: one.figures for name, one in found.items()}
    note = ". ".join(against_baselines(results, evals))
    models = [name for name in results if evals[name].trained]
    main = {n: row for n, row in results.items() if {*MAIN, *INDEX} & row.keys()}
    others = {n: row for n, row in results.items() if n not in main}
    made = []
    if main:
        rows = _table(main, main_metrics(main), models)
        made.append(Section("Results", note and f"{note}.", table=rows))
    if others:
        title = "Other results" if main else "Results"
        note = "" if main else note and f"{note}."
        # A row a figure: there may be many, of names of their own.
        rows = [*zip(*_table(others, _names(others), models), strict=True)]
        made.append(Section(title, note, table=rows))
    for name in (*RECALLS, *_recalls(others)):
        ks = {m for row in results.values() for m in row if m.startswith(f"{name}@")}
        if len(ks) > 1:
            picture = report.recall_curves(results, name)
            made.append(Section(f"{name}@K".replace("_", " "), picture=picture))
    answers = [(n, found[n].answers) for n in results if found[n].answers]
    for name, text in answers[:1]:
        made.append(Section("Answers", f"{ABOUT_ANSWERS} {name!r}.", text=text))
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


def _names(results: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Returns the names of all figures, once each."""
    return list(dict.fromkeys(name for row in results.values() for name in row))


def _recalls(results: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Returns the names of recalls of parts, such as "fine/recall"."""
    found = (re.fullmatch(r"(.+/recall)@\d+", name) for name in _names(results))
    return list(dict.fromkeys(one[1] for one in found if one))


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
    results: Mapping[str, Mapping[str, float]],
    metrics: Sequence[str],
    models: Sequence[str] = (),
) -> list[list[str]]:
    """Returns a row an evaluation, a column a metric that any of them has."""
    wanted = [m for m in metrics if any(m in row for row in results.values())]
    rows = [["", *wanted]]
    for name, row in results.items():
        named = f"{name} (model)" if name in models else name
        rows.append([named, *(_cell(row.get(metric)) for metric in wanted)])
    return rows


def _cell(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if value == int(value) and value > 1 else f"{value:.4f}"


def _fact(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.4g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
