"""The report of a run: one page of what was trained on what, and how good it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from recjax.errors import UserError
from recjax.evals.evaluation import EXPOSURE_AT
from recjax.evals.reports import page, plots
from recjax.evals.reports.answers_page import answers_html
from recjax.evals.reports.page import Section
from recjax.evals.reports.plots import Plot
from recjax.evals.reports.results_table import (
    Found,
    all_figures,
    cohorts,
    results_html,
)
from recjax.evals.reports.svg import safe
from recjax.evals.results import models_of

PAGE = "report.html"
MOST_BYTES = 600_000
"""Of the pictures of evaluations of one's own, together."""
ABOUT_RESULTS = (
    "± is half of the 95 % interval over the queries, those of a user together; the "
    " best figure of a column is bold."
)
ABOUT_ANSWERS = (
    "Drawn by the run's seed from the queries of {name} that have an answer, not "
    "chosen. Green is right; missed is what should have been found as well."
)
ABOUT_PICTURES = (
    " The query stands on the left, its nearest beside it: a solid edge for the same "
    "class, a dashed one for a coarser class in common, a dotted one for none."
)
ABOUT_EXPOSURE = (
    f"In how many of all top-{EXPOSURE_AT} lists an item stands. A curve that starts "
    "high and falls late means that everybody gets the same few items."
)
ABOUT_SCORES = "The less the two overlap, the better a score tells them apart."


@dataclass(frozen=True)
class About:
    """What there is to know of a run beside its figures.

    Attributes:
      title: of the page.
      lead: what was trained on what, a sentence.
      facts: of the data and the run, by name.
      changed: settings that are not their defaults, as text.
      settings: all of them.
      lines: what `recjax.train.writer.read_metrics` returns; none without training.
      curves: figures of those to draw.
    """

    title: str
    lead: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    changed: str = ""
    settings: str = ""
    lines: Sequence[Mapping[str, float]] = ()
    curves: Sequence[str] = ("loss",)


def read_report(run: Path) -> str:
    """Returns the HTML of the report in a run folder, which needs no other file.

    Raises:
      UserError: there is none.
    """
    path = Path(run) / PAGE
    if not path.is_file():
        raise UserError(f"{run} has no {PAGE}: `recjax eval {run}` writes it")
    return path.read_text("utf-8")


def run_html(
    found: Found, evals: Mapping[str, Any], about: About, drawn: Sequence[Plot]
) -> str:
    """Returns the page of a run.

    Args:
      found: evaluation -> what it found.
      evals: the evaluations.
      about: what else there is to know.
      drawn: what `plots_of` returns.
    """
    lead = f"<p>{safe(about.lead)}</p>" if about.lead else ""
    return page.page(about.title, sections(found, evals, about, drawn), lead)


def sections(
    found: Found, evals: Mapping[str, Any], about: About, drawn: Sequence[Plot]
) -> list[Section]:
    """Returns the parts of the page; those with nothing to tell are left out."""
    models, made = models_of(list(found), evals), []
    if found:
        body = results_html(found, evals, style=False)
        some = any(one.intervals for one in found.values())
        made.append(Section("Results", ABOUT_RESULTS if some else "", body))
    for name in _answering(found, evals)[:1]:
        told = ABOUT_ANSWERS.format(name=name)
        asked = found[name].answers[0].asked
        told += ABOUT_PICTURES if asked is not None and asked.picture else ""
        body = answers_html(found[name].answers)
        made.append(Section("Sample queries", told, body))
    if drawn:
        body = "".join(one.html() for one in drawn)
        made.append(Section("Plots", "", f'<div class="plots">{body}</div>'))
    if body := cohorts(found, [n for n in models if _first(n, evals)]):
        made.append(Section("Cohorts", "", body))
    for name in _mapped(found, evals)[:1]:
        shown = found[name].embeddings
        if shown is not None:
            body = plots.embedding_map(shown).html()
            made.append(Section("Map", "", body))
    made += _own_pictures(found)
    if about.facts:
        made.append(Section("The run", "", page.facts(_facts(about.facts))))
    made += _details(found, about)
    return made


def plots_of(found: Found, evals: Mapping[str, Any], about: About) -> list[Plot]:
    """Returns the plots of a run."""
    results = {name: one.figures for name, one in found.items()}
    models = models_of(list(found), evals)
    metrics = dict.fromkeys(
        m.rpartition("@")[0] for row in results.values() for m in row if _recalls(m)
    )
    made = [plots.recall_curves(results, models, name) for name in metrics]
    made += [plots.training_curve(about.lines, name) for name in about.curves]
    exposure = {n: o.exposure for n, o in found.items() if o.exposure is not None}
    made.append(plots.frequency_curves(exposure, models, ABOUT_EXPOSURE))
    scored = {n: o.scores for n, o in found.items() if o.scores is not None}
    for name in [n for n in scored if _first(n, evals)][:2]:
        made.append(plots.score_curves(name, scored[name], ABOUT_SCORES))
    return [one for one in made if one is not None]


def _details(found: Found, about: About) -> list[Section]:
    parts = []
    if found:
        parts.append(page.folded("All figures", all_figures(found)))
    if about.changed:
        text = f"<pre>{safe_lines(about.changed)}</pre>"
        parts.append(page.folded("Settings that are not their defaults", text))
    if about.settings:
        text = f"<pre>{safe_lines(about.settings)}</pre>"
        parts.append(page.folded("All settings", text))
    return [Section("Details", "", "".join(parts))] if parts else []


def safe_lines(text: str) -> str:
    """Returns the lines of a text, escaped."""
    return "\n".join(map(safe, text.splitlines()))


def _own_pictures(found: Found) -> list[Section]:
    """Returns the pictures that evaluations gave; those without room are named."""
    made, left = [], MOST_BYTES
    for name, one in found.items():
        for title, data in one.pictures.items():
            left -= len(data)
            shown = page.image(data, title) if left >= 0 else "<p>It is too large.</p>"
            made.append(page.figure(f"{name}: {title}", shown))
    body = f'<div class="plots">{"".join(made)}</div>'
    return [Section("Pictures of evaluations", "", body)] if made else []


def _first(name: str, evals: Mapping[str, Any]) -> bool:
    """Whether an evaluation is of the model's last queries."""
    return evals[name].trained and getattr(evals[name], "split", "test") == "test"


def _answering(found: Found, evals: Mapping[str, Any]) -> list[str]:
    """Returns the evaluations with answers: those of the model first, then others."""
    names = [name for name, one in found.items() if one.answers]
    return sorted(names, key=lambda name: not _first(name, evals))


def _mapped(found: Found, evals: Mapping[str, Any]) -> list[str]:
    names = [name for name, one in found.items() if one.embeddings is not None]
    return sorted(names, key=lambda name: not _first(name, evals))


def _recalls(metric: str) -> bool:
    """Whether a figure is a recall of all queries, or of a level of classes."""
    name, _, k = metric.rpartition("@")
    level, _, last = name.rpartition("/")
    users = level in ("by_user", "by_batch", "first", "non_first")
    return (
        last in ("recall", "index_recall")
        and k.isdigit()
        and not users
        and (":" not in name)
    )


def _facts(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(name, _fact(value)) for name, value in facts.items()]


def _fact(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.4g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
