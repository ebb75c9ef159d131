"""Which evaluation runs when."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import replace

from recjax.evals.base import Examination, Findings
from recjax.train.loop import Evaluate
from recjax.train.program import Program
from recjax.train.state import State

log = logging.getLogger(__name__)

MAIN = ("recall@10", "recall@100", "ndcg@10", "mrr", "coverage@10")
INDEX = ("index_recall@10", "index_recall@100", "index_size")
"""The metrics of a table for people; all others are in `result.json`. `MAIN` are of a
whole corpus, `INDEX` of a random index."""


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
                got = evaluation.run(program, state)
                figures |= {f"{name}/{key}": value for key, value in got.items()}
        return figures

    return evaluate


def run_all(
    program: Program, state: State, known: Mapping[str, float] | None = None
) -> dict[str, Findings]:
    """Runs every evaluation of an experiment, and says how long each took.

    Args:
      program: the opened experiment.
      state: the trained state.
      known: figures that the last step of training already found, "name/metric".

    Returns:
      Evaluation name -> what it found, with "seconds" among the figures.
    """
    found = {}
    for name, evaluation in program.experiment.evals.items():
        before = _under(known or {}, name)
        if before:
            found[name] = Findings(before)
            continue
        log.info("evaluating %s", name)
        began = time.perf_counter()
        if isinstance(evaluation, Examination):
            one = evaluation.examine(program, state)
        else:
            one = Findings(evaluation.run(program, state))
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


def table(results: Mapping[str, Mapping[str, float]]) -> str:
    """Returns results as text: a row an evaluation, a column a main metric.

    An evaluation without any main metric shows all that it has.
    """
    main = (*MAIN, *INDEX)
    metrics = [m for m in main if any(m in row for row in results.values())]
    for row in results.values():
        if not any(m in main for m in row):
            metrics += [m for m in row if m not in (*metrics, "seconds")]
    metrics.append("seconds")
    first = max(map(len, [*results, "evaluation"]))
    lines = ["  ".join(["evaluation".ljust(first), *(m.rjust(10) for m in metrics)])]
    for name, row in results.items():
        cells = [_cell(row.get(m), m).rjust(max(10, len(m))) for m in metrics]
        lines.append("  ".join([name.ljust(first), *cells]))
    return "\n".join(lines)


def _cell(value: float | None, metric: str) -> str:
    if value is None:
        return "-"
    return f"{value:.1f}" if metric == "seconds" or abs(value) >= 10 else f"{value:.4f}"


def _under(figures: Mapping[str, float], name: str) -> dict[str, float]:
    start = name + "/"
    return {k.removeprefix(start): v for k, v in figures.items() if k.startswith(start)}
