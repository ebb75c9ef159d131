"""What is chosen for a fusion, once for all that ask of one trained state."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from recjax.evals.embed import kept_of
from recjax.evals.fusion import Choice, Fusion
from recjax.evals.model import model_scores
from recjax.evals.split_queries import SplitQueries
from recjax.train.program import Program
from recjax.train.state import State

CHOICES = "choices of fusions"
"""Key of them in what a program keeps."""


def choice_of(
    fusion: Fusion, asked: SplitQueries, program: Program, state: State
) -> Choice:
    """Returns what is best for a state; it is chosen and told once.

    Evaluations of several splits and an export of the same state share it.

    Args:
      fusion: the settings.
      asked: whose queries it ranks.
      program: the opened experiment; it keeps the choices of the newest state.
      state: the trained state.
    """
    kept = kept_of(program, state).setdefault(CHOICES, [])
    for known in kept:
        if _same(known.of, fusion) and known.asked == asked:
            return known
    bound = fusion.bound(asked, partial(model_scores, program, state))
    data: Any = program.dataset
    found = bound.choice(data)
    every = {n: None if fusion.every[n] is None else s for n, s in found.every.items()}
    made = Choice(every, found.first, found.second, fusion, asked)
    kept.append(made)
    return made


def choices(program: Program) -> Sequence[Choice]:
    """Returns what has been chosen for the newest state."""
    return tuple(program.kept.get(CHOICES, ()))


def keep(program: Program, state: State, known: Sequence[Choice]) -> None:
    """Gives a program what was chosen for the same state before."""
    kept_of(program, state)[CHOICES] = list(known)


def _same(one: Any, other: Any) -> bool:
    try:
        return bool(one == other)
    except ValueError:  # Scorers that hold arrays do not compare.
        return False
