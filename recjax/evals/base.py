"""The protocol of an evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

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
