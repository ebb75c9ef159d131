"""The protocol of an evaluation, and what is checked of all before training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from recjax.errors import UserError, nearest
from recjax.evals.score_distribution import ScoreDistribution
from recjax.metrics.exposure import Exposure
from recjax.train.program import Program
from recjax.train.state import State

KS = (1, 2, 5, 10, 20, 50, 100)
"""Lengths of the lists that are judged: enough points for a curve."""

EXPOSURE_AT = 10
"""Length of the lists in which items are counted that everybody gets."""


@dataclass(frozen=True)
class Evaluated:
    """What an evaluation found.

    Attributes:
      figures: name -> figure; figures of a cohort are named "COHORT:figure".
      exposure: how often each item was retrieved, for a plot.
      scores: how the scores lie, for a plot.
      answers: what some queries find, as text.
    """

    figures: Mapping[str, float]
    exposure: Exposure | None = None
    scores: ScoreDistribution | None = None
    answers: str = ""


class Evaluation(Protocol):
    """Figures about a trained state, or about something that needs no training."""

    @property
    def every(self) -> int:
        """Steps between evaluations in training; 0 for the end alone."""

    @property
    def trained(self) -> bool:
        """Whether it looks at the state; if not, it runs once, at the end."""

    def metrics(self, data: Any) -> Sequence[str]:
        """Returns the names of the figures that `run` will find in this data.

        Raises:
          UserError: the evaluation does not fit the data.
        """

    def run(self, program: Program, state: State) -> Evaluated:
        """Returns the figures, and what plots are made of."""


def check_evals(program: Program) -> None:
    """Finds before training what would be found at its end, or never.

    Raises:
      UserError: an evaluation does not fit the data, or the best metric is not one of
        those that its evaluation finds.
    """
    found = {}
    for name, evaluation in program.experiment.evals.items():
        if not hasattr(evaluation, "metrics"):
            kind = type(evaluation).__name__
            raise UserError(
                f"evals.{name}: {kind} has no metrics(data), which names its figures"
            )
        try:
            found[name] = evaluation.metrics(program.dataset)
        except UserError as error:
            raise UserError(f"evals.{name}: {error}") from error
    best = program.experiment.best
    if best is None:
        return
    name = eval_of(best, found)
    metric = best.removeprefix(f"{name}/")
    if metric not in found.get(name, ()):
        known = [f"{name}/{one}" for one in found.get(name, ())]
        raise UserError(
            f"best = {best!r}: the evaluation {name!r} finds no {metric!r}."
            + (nearest(best, known) or f" It finds {', '.join(known) or 'nothing'}.")
        )


def eval_of(figure: str, names: Mapping[str, Any]) -> str:
    """Returns the evaluation that "name/figure" is of; names may hold slashes too."""
    fits = [name for name in names if figure.startswith(f"{name}/")]
    return max(fits, key=len, default=figure.split("/")[0])
