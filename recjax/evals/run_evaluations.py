"""Which evaluation runs when."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Collection, Mapping
from dataclasses import replace
from itertools import zip_longest
from typing import Any

from recjax.evals.evaluation import Evaluated, eval_of
from recjax.train.loop import Evaluate
from recjax.train.program import Program
from recjax.train.state import State

log = logging.getLogger(__name__)

MAIN = ("recall@10", "recall@100", "ndcg@10", "mrr", "coverage@10")
"""The metrics of a table for people; all others are in `result.json`."""
INDEX = ("index_recall@10", "index_recall@100", "index_size")
"""Those of a ranking among a random index."""


def during_training(program: Program) -> Evaluate:
    """Returns the function that the loop calls after each step.

    Evaluations of the trained state run every so many steps and at the last one.
    """
    experiment = program.experiment

    def evaluate(state: State, done: int) -> Mapping[str, float]:
        figures: dict[str, float] = {}
        for name, evaluation in experiment.evals.items():
            if not (evaluation.trained and evaluation.every):
                continue
            if done % evaluation.every == 0 or done == experiment.steps:
                got = evaluation.run(program, state).figures
                figures |= {f"{name}/{key}": value for key, value in got.items()}
        return figures

    return evaluate


def run_all(
    program: Program, state: State, known: Mapping[str, float] | None = None
) -> dict[str, Evaluated]:
    """Runs every evaluation of an experiment, and says how long each took.

    Args:
      program: the opened experiment.
      state: the trained state.
      known: figures that the last step of training already found, "name/metric".

    Returns:
      Evaluation name -> what it found, with "seconds" among the figures.
    """
    evals, found = program.experiment.evals, {}
    before = {name: _of(name, known or {}, evals) for name in evals}
    for name, evaluation in evals.items():
        if before[name]:
            found[name] = Evaluated(before[name])
            continue
        log.info("evaluating %s", name)
        began = time.perf_counter()
        one = evaluation.run(program, state)
        seconds = time.perf_counter() - began
        found[name] = replace(one, figures={**one.figures, "seconds": seconds})
    return found


def untrained(
    program: Program, results: Mapping[str, Mapping[str, float]]
) -> dict[str, float]:
    """Returns the figures, "name/metric", that no further training will change."""
    return {
        f"{name}/{metric}": value
        for name, figures in results.items()
        if not program.experiment.evals[name].trained
        for metric, value in figures.items()
    }


def table(
    results: Mapping[str, Mapping[str, float]], models: Collection[str] = ()
) -> str:
    """Returns results as text: a row an evaluation, a column a main metric.

    Metrics that do not fit the terminal are left out, but the first of each evaluation.

    Args:
      results: evaluation -> metric -> figure.
      models: the evaluations of the model, which the others are compared with.
    """
    columns, rows = [*main_metrics(results), "seconds"], results.values()
    firsts = [next((m for m in columns if m in row), "seconds") for row in rows]
    cells = {m: [m, *(_cell(row.get(m), m) for row in rows)] for m in columns}
    wide = {m: 2 + max(map(len, cells[m])) for m in columns}
    lines = ["evaluation", *(f"{n} (model)" if n in models else n for n in results)]
    lines = [line.ljust(max(map(len, lines))) for line in lines]
    room, kept = shutil.get_terminal_size().columns - len(lines[0]), set[str]()
    for metric in dict.fromkeys([*firsts, "seconds", *columns]):
        if metric in firsts or wide[metric] <= room:
            kept.add(metric)
            room -= wide[metric]
    for metric in (m for m in columns if m in kept):
        pairs = zip(lines, cells[metric], strict=True)
        lines = [line + cell.rjust(wide[metric]) for line, cell in pairs]
    return "\n".join(lines)


LARGER = ("recall", "index_recall", "recall_by_query", "hit", "ndcg", "map", "mrr")
"""Metrics of which more is better."""
SAME = ("split", "task", "index", "gallery", "of", "hide_seen", "nth")
"""What evaluations must have in common to be compared."""


def against_baselines(
    results: Mapping[str, Mapping[str, float]], evals: Mapping[str, Any]
) -> list[str]:
    """Returns sentences: is the model above the best baseline of its queries?

    Args:
      results: evaluation -> metric -> figure.
      evals: the evaluations.
    """
    groups: dict[tuple, list[str]] = {}
    for name in results:
        same = tuple(getattr(evals[name], part, None) for part in SAME)
        groups.setdefault(same, []).append(name)
    said = []
    for names in groups.values():
        metrics = main_metrics({name: results[name] for name in names})
        metrics = [m for m in metrics if m.split("/")[-1].split("@")[0] in LARGER]
        for metric in metrics:
            rows = [(results[n][metric], n) for n in names if metric in results[n]]
            models = [row for row in rows if evals[row[1]].trained]
            others = [row for row in rows if not evals[row[1]].trained]
            if not models or not others:
                continue
            (own, model), (other, baseline) = max(models), max(others)
            if own <= other or metric == metrics[0]:
                beats = "beats the best baseline" if own > other else "does not beat"
                said.append(
                    f"{metric}: {model} ({own:.4f}) {beats} {baseline} ({other:.4f})"
                )
    return said


def main_metrics(results: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Returns the metrics of a table: the main ones, then those of other evaluations.

    Of evaluations without a main metric it is the first one of each, the second of
    each, and so on.
    """
    main = [m for m in (*MAIN, *INDEX) if any(m in row for row in results.values())]
    others = [
        [m for m in row if m != "seconds"]
        for row in results.values()
        if not set(main) & set(row)
    ]
    turns = [m for turn in zip_longest(*others) for m in turn if m is not None]
    return list(dict.fromkeys([*main, *turns]))


def _cell(value: float | None, metric: str) -> str:
    if value is None:
        return "-"
    return f"{value:.1f}" if metric == "seconds" or abs(value) >= 10 else f"{value:.4f}"


def _of(
    name: str, figures: Mapping[str, float], evals: Mapping[str, object]
) -> dict[str, float]:
    """Returns the figures of an evaluation, by metric."""
    own = [figure for figure in figures if eval_of(figure, evals) == name]
    return {figure.removeprefix(f"{name}/"): figures[figure] for figure in own}
