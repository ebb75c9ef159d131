"""Tables of results in HTML: the model beside its baselines, cohorts, all figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from recjax.evals.evaluation import Evaluated
from recjax.evals.reports import page
from recjax.evals.reports.style import STYLE
from recjax.evals.reports.svg import safe
from recjax.evals.results import (
    LARGER,
    SECONDS,
    alike,
    compared,
    half,
    main_metrics,
    said,
)
from recjax.metrics.cohorts import BETWEEN
from recjax.metrics.sample import Sample

COLUMNS, COHORTS, FIGURES = 5, 5, 2_000
"""Metrics of the first table; worst and best cohorts; most figures on a page."""

Found = Mapping[str, Evaluated]
"""Evaluation -> what it found."""


def results_html(found: Found, evals: Mapping[str, Any], style: bool = True) -> str:
    """Returns who wins in a sentence, and a table of the main figures with intervals.

    Args:
      found: evaluation -> what it found.
      evals: the evaluations.
      style: put the page's style before it, for a notebook.

    Example:
      IPython.display.HTML(results_html(found, program.experiment.evals))
    """
    head = f"<style>{STYLE}</style>" if style else ""
    figures = {name: one.figures for name, one in found.items()}
    tables = [_results(rows, found, evals) for rows in alike(figures)]
    return f"<div>{head}{verdict(found, evals)}{''.join(tables)}</div>"


def verdict(found: Found, evals: Mapping[str, Any]) -> str:
    """Returns HTML of the sentences that say whether the model beats the baselines."""
    figures = {name: one.figures for name, one in found.items()}
    samples = {name: one.samples for name, one in found.items()}
    groups = compared(figures, evals, samples)
    lines = [
        f'<p class="verdict{"" if one[0].wins else " not"}">'
        f"{'<br>'.join(map(safe, said([one])))}</p>"
        for one in groups
    ]
    if not lines:
        lines = [
            '<p class="verdict not">No baseline answers the same queries as the model, '
            "so these figures alone say little: add one to the evals.</p>"
        ]
    return "".join(lines)


def _results(
    rows: Mapping[str, Mapping[str, float]], found: Found, evals: Mapping[str, Any]
) -> str:
    """Returns a table: a row an evaluation, those of the model first."""
    metrics = main_metrics(rows)[:COLUMNS]
    columns = [
        *metrics,
        *([SECONDS] if any(SECONDS in r for r in rows.values()) else []),
    ]
    order = sorted(
        rows, key=lambda name: (_later(evals[name]), not evals[name].trained)
    )
    best = {
        m: _best(m, rows, [n for n in order if not _later(evals[n])]) for m in metrics
    }
    lines = [
        "<tr><th></th>" + "".join(f"<th>{safe(m)}</th>" for m in columns) + "</tr>"
    ]
    for name in order:
        model = evals[name].trained
        split = getattr(evals[name], "split", "")
        told = f" <small>{safe(split)}</small>" if _later(evals[name]) else ""
        badge = f'<span class="badge">{"model" if model else "baseline"}</span>'
        cells = [
            _cell(
                m,
                rows[name].get(m),
                found[name].samples.get(m),
                name in best.get(m, ()),
            )
            for m in columns
        ]
        kind = ' class="model"' if model else ""
        lines.append(
            f"<tr{kind}><td>{safe(name)} {badge}{told}</td>{''.join(cells)}</tr>"
        )
    return f'<table class="cards">{"".join(lines)}</table>'


def _later(evaluation: Any) -> bool:
    """Whether an evaluation is of queries that settings are chosen on."""
    return getattr(evaluation, "split", "test") != "test"


def _best(
    metric: str, rows: Mapping[str, Mapping[str, float]], names: Sequence[str]
) -> list[str]:
    """Returns who is best in a metric of which more is better, of two or more."""
    known = [name for name in names if metric in rows[name]]
    if metric.split("/")[-1].split("@")[0] not in LARGER or len(known) < 2:
        return []
    most = max(rows[name][metric] for name in known)
    return [name for name in known if rows[name][metric] == most]


def _cell(metric: str, value: float | None, sample: Sample | None, best: bool) -> str:
    spread = half(sample)
    known = sample.interval if sample is not None else None
    ends = "" if known is None else "95 % interval {:.4f} to {:.4f}".format(*known)
    beside = f' <small title="{ends}">{spread}</small>' if spread else ""
    kind = ' class="best"' if best else ""
    shown = f"{value:.1f}" if metric == SECONDS and value else figure(value)
    return f'<td data-of="{safe(metric)}"{kind}>{shown}{beside}</td>'


def figure(value: float | None) -> str:
    """Returns a figure as a page shows it, "-" where there is none."""
    if value is None:
        return "-"
    if value == int(value) and abs(value) > 1 if abs(value) < 1e15 else False:
        return f"{value:,.0f}"
    return f"{value:,.1f}" if abs(value) >= 100 else f"{value:.4f}"


def all_figures(found: Found) -> str:
    """Returns a table of every figure, a row each; of very many it names the file."""
    names = list(dict.fromkeys(n for one in found.values() for n in one.figures))
    rows = [["figure", *found]]
    rows += [
        [name, *(figure(one.figures.get(name)) for one in found.values())]
        for name in names[:FIGURES]
    ]
    left = len(names) - FIGURES
    more = f"<p>{left:,} more are in <a href=result.json>result.json</a>.</p>"
    return page.table(rows) + (more if left > 0 else "")


def cohorts(found: Found, models: Sequence[str]) -> str:
    """Returns tables of the worst and best cohorts of the model; "" without any."""
    tables = []
    for name in models:
        for metric, known in _of_cohorts(found[name]).items():
            ranked = sorted(known.items(), key=lambda one: one[1][1])
            ends = ranked, []
            if len(ranked) > 2 * COHORTS:
                ends = ranked[:COHORTS], ranked[-COHORTS:]
            heads = ("Worst first", "") if not ends[1] else ("Worst", "Best")
            whole = found[name].figures.get(metric)
            for head, rows in zip(heads, ends, strict=True):
                if rows:
                    title = f"{name}: {metric}. {head}"
                    tables.append(
                        page.figure(title, _cohort_table(rows, metric, whole))
                    )
    return f'<div class="plots">{"".join(tables)}</div>' if tables else ""


def _of_cohorts(one: Evaluated) -> dict[str, Mapping[str, tuple[int, float]]]:
    """Returns the first figure of cohorts -> cohort -> (how many, the figure)."""
    ends = f"{BETWEEN}pairs"
    named = [n.removesuffix(ends) for n in one.figures if n.endswith(ends)]
    for metric in ("recall@10", "index_recall@10"):
        rows = {
            n: (int(one.figures[n + ends]), one.figures[f"{n}{BETWEEN}{metric}"])
            for n in named
            if f"{n}{BETWEEN}{metric}" in one.figures
        }
        if rows:
            return {metric: rows, **one.cohorts}
    return dict(one.cohorts)


def _cohort_table(
    rows: Sequence[tuple[str, tuple[int, float]]], metric: str, whole: float | None
) -> str:
    lines = [f"<tr><th></th><th>count</th><th>{safe(metric)}</th></tr>"]
    shown = [*rows, *([("all", (0, whole))] if whole is not None else [])]
    for name, (count, value) in shown:
        width = 5 * min(max(value, 0), 1)
        lines.append(
            f"<tr><td>{safe(name)}</td><td>{f'{count:,}' if count else ''}</td><td>"
            f'{figure(value)}<span style="display:inline-block;width:5.5em;'
            f'text-align:left"><i class="bar" style="width:{width:.2f}em"></i></span>'
            "</td></tr>"
        )
    return f"<table>{''.join(lines)}</table>"
