"""Which evaluation runs when."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import replace

from recjax.evals.embed import kept_of
from recjax.evals.evaluation import Evaluated, eval_of
from recjax.train.loop import Evaluate
from recjax.train.program import Program
from recjax.train.state import State

log = logging.getLogger(__name__)

FOUND = "found"
"""Key of what the last step of training found, in what a program keeps."""


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
                kept = kept_of(program, state)
                got = evaluation.run(program, state)
                if done == experiment.steps:
                    kept[FOUND, name] = got
                figures |= {f"{name}/{key}": v for key, v in got.figures.items()}
        return figures

    return evaluate


def run_all(
    program: Program,
    state: State,
    known: Mapping[str, float] | None = None,
    done: Mapping[str, Evaluated] | None = None,
) -> dict[str, Evaluated]:
    """Runs every evaluation of an experiment, and says how long each took.

    Args:
      program: the opened experiment.
      state: the trained state.
      known: figures that the last step of training already found, "name/metric".
      done: what some evaluations have found that need not run again.

    Returns:
      Evaluation name -> what it found, with "seconds" among the figures.
    """
    evals, found = program.experiment.evals, dict(done or {})
    for name, evaluation in evals.items():
        if name in found:
            continue
        if before := _of(name, known or {}, evals):
            last = program.kept.get((FOUND, name), Evaluated(before))
            found[name] = replace(last, figures=before)
            continue
        log.info("evaluating %s", name)
        began = time.perf_counter()
        one = evaluation.run(program, state)
        seconds = time.perf_counter() - began
        found[name] = replace(one, figures={**one.figures, "seconds": seconds})
    return {name: found[name] for name in evals}


def untrained(program: Program, found: Mapping[str, Evaluated]) -> dict[str, Evaluated]:
    """Returns what was found that no further training will change."""
    evals = program.experiment.evals
    return {name: one for name, one in found.items() if not evals[name].trained}


def _of(
    name: str, figures: Mapping[str, float], evals: Mapping[str, object]
) -> dict[str, float]:
    """Returns the figures of an evaluation, by metric."""
    own = [figure for figure in figures if eval_of(figure, evals) == name]
    return {figure.removeprefix(f"{name}/"): figures[figure] for figure in own}
