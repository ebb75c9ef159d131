"""The protocol of an evaluation, and what is checked of all before training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from recjax.errors import UserError, nearest
from recjax.evals.answers import Answer
from recjax.evals.score_distribution import ScoreDistribution
from recjax.metrics.exposure import Exposure
from recjax.metrics.sample import Interval, Sample
from recjax.train.program import Program
from recjax.train.state import State

MAIN = ("recall@10", "recall@100", "ndcg@10", "mrr", "coverage@10") + (
    *("condensed_ndcg@10", "judged@10"),
)
"""The metrics of a table for people; all others are in `result.json`."""
INDEX = ("index_recall@10", "index_recall@100", "index_size")
"""Those of a ranking among a random index."""

KS = (1, 2, 5, 10, 20, 50, 100)
"""Lengths of the lists that are judged: enough points for a curve."""

EXPOSURE_AT = 10
"""Length of the lists in which items are counted that everybody gets."""


PICTURES = (b"\x89PNG", b"\xff\xd8\xff")
"""How a file of PNG and one of JPEG begin."""


@dataclass(frozen=True)
class EmbeddingMap:
    """Embeddings to be drawn in the plane.

    Attributes:
      vectors: f32[n, D]; some hundred.
      titles: what to show a person [n].
      groups: what each is coloured by [n]; "" for none.
    """

    vectors: np.ndarray
    titles: Sequence[str]
    groups: Sequence[str]


@dataclass(frozen=True)
class Evaluated:
    """What an evaluation found: its figures, and what a report shows beside them.

    Attributes:
      figures: name -> figure; figures of a cohort are named "COHORT:figure".
      exposure: how often each item was retrieved, for a plot.
      scores: how the scores lie, for a plot.
      samples: figure -> the queries or users that it is the mean of, for its interval
        and to compare it with that of a baseline on the same queries.
      answers: what some queries find.
      cohorts: figure -> cohort -> (how many, the figure), of cohorts too many for
        `figures`, such as classes.
      embeddings: what was embedded.
      pictures: title -> a PNG or JPEG file of an evaluation of one's own.
    """

    figures: Mapping[str, float]
    exposure: Exposure | None = None
    scores: ScoreDistribution | None = None
    samples: Mapping[str, Sample] = field(default_factory=dict)
    answers: Sequence[Answer] = ()
    cohorts: Mapping[str, Mapping[str, tuple[int, float]]] = field(default_factory=dict)
    embeddings: EmbeddingMap | None = None
    pictures: Mapping[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Checks the pictures.

        Raises:
          UserError: one is of another kind.
        """
        for title, data in self.pictures.items():
            if not isinstance(data, bytes) or not data.startswith(PICTURES):
                raise UserError(
                    f"picture {title!r} of an evaluation is neither PNG nor JPEG: give "
                    "the bytes of such a file"
                )

    @property
    def intervals(self) -> dict[str, Interval]:
        """Figure -> the ends of its 95 % interval, where there is one."""
        found = {name: one.interval for name, one in self.samples.items()}
        return {name: ends for name, ends in found.items() if ends is not None}


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
