"""The protocol of an evaluation."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from recjax.data.dataset import Queries
from recjax.errors import UserError, nearest
from recjax.evals.score_distribution import Scores
from recjax.metrics.exposure import Exposure
from recjax.train.program import Program
from recjax.train.state import State

log = logging.getLogger(__name__)

KS = (1, 2, 5, 10, 20, 50, 100)
"""Lengths of the lists that are judged: enough points for a curve."""


SHOWN_AT = 10
"""Length of the lists in which items are counted that everybody gets."""


@dataclass(frozen=True)
class Findings:
    """What an evaluation found.

    Attributes:
      figures: name -> figure; figures of a cohort are named "COHORT:figure".
      shown: how often each item was retrieved, for a picture.
      scores: how the scores lie, for a picture.
    """

    figures: Mapping[str, float]
    shown: Exposure | None = None
    scores: Scores | None = None


class Evaluation(Protocol):
    """Figures about a trained state, or about something that needs no training.

    Attributes:
      every: steps between evaluations in training; 0 for the end alone.
      trained: whether it looks at the state; if not, it runs once, at the end.
    """

    every: int
    trained: bool

    def run(self, program: Program, state: State | None) -> Mapping[str, float]:
        """Returns name -> figure."""
        ...


@runtime_checkable
class Examination(Evaluation, Protocol):
    """An evaluation with more to tell than figures."""

    def examine(self, program: Program, state: State | None) -> Findings:
        """Returns the figures of `run`, and what pictures are made of."""
        ...


def queries_of(program: Program, split: str, task: str) -> Queries:
    """Returns the queries of a split and task.

    Raises:
      UserError: the data set has no such task.
    """
    _check_task(program, task)
    return program.dataset.queries(split, task)


def nothing_to_rank(split: str, task: str) -> Findings:
    """Says that there is nothing to judge, rather than nothing at all."""
    log.warning("no positive pair in split %r of task %r: nothing to rank", split, task)
    return Findings({"pairs": 0.0})


def check_tasks(program: Program) -> None:
    """Finds before training an evaluation that could not run at its end.

    Raises:
      UserError: an evaluation asks a task that the data set has not.
    """
    for name, evaluation in program.experiment.evals.items():
        if hasattr(evaluation, "task"):
            _check_task(program, evaluation.task, f"evals.{name}.task: ")


def _check_task(program: Program, task: str, place: str = "") -> None:
    known = program.dataset.tasks
    if task not in known:
        raise UserError(
            f"{place}no task {task!r}; the data has {', '.join(map(repr, known))}."
            + nearest(task, known)
        )
