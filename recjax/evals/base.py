"""The protocol of an evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from recjax.data.dataset import Queries
from recjax.errors import UserError, nearest
from recjax.train.program import Program
from recjax.train.state import State

KS = (1, 2, 5, 10, 20, 50, 100)
"""Lengths of the lists that are judged: enough points for a curve."""


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


def queries_of(program: Program, split: str, task: str) -> Queries:
    """Returns the queries of a split and task.

    Raises:
      UserError: the data set has no such task.
    """
    known = program.dataset.tasks
    if task not in known:
        raise UserError(
            f"no task {task!r}; the data has {', '.join(map(repr, known))}."
            + nearest(task, known)
        )
    return program.dataset.queries(split, task)
