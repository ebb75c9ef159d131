"""Fusion: scores of several scorers, and of the model, added up.

A model, counts and matching words know different things; their sum is often better than
the best of them. How much each counts is chosen on validation queries.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np

from recjax.data.dataset import HasQueries, Queries
from recjax.errors import UserError
from recjax.evals.few_queries import choose
from recjax.evals.fusion_weights import CandidateScores, Chosen, Shape, shaped
from recjax.evals.scorer import Need, Scorer, Scores, check_needs
from recjax.evals.split_queries import SplitQueries
from recjax.evals.tuned import Tuned

log = logging.getLogger(__name__)
ScoresOf = Callable[[Queries], Scores]


@dataclass(frozen=True)
class Fusion:
    """Several scorers, whose shaped scores are added up with chosen weights.

    Each part's scores of a query become comparable first (see `fusion_weights.Shape`);
    shapes and weights are those that do best on the queries of `choose_on`, by
    coordinate ascent; of few queries they are means over folds, see
    `few_queries.choose`. Parts that do not help are dropped; the log tells which.

    Attributes:
      parts: name -> scorer; None for the experiment's trained model.
      metric: what is made best, such as "ndcg@10" or "recall@10".
      choose_on: splits whose queries it is chosen on. Add "train" where no part learns
        from the queries of training, as with few labels.
      queries: at most so many of each, evenly spread.
      draw: draws them at random instead, each number others: what a fusion is worth
        with as few.
      unjudged: name -> weight of its scores over the largest of a query, for data of
        which no query is judged; without it such data is refused.
      asked: set by the evaluation that it is a scorer of.

    Example:
      {"fusion": Ranking("test", Fusion({"words": Bm25(), "model": None}))}
    """

    parts: Mapping[str, Scorer | None]
    metric: str = "ndcg@10"
    choose_on: tuple[str, ...] = ("validation",)
    queries: int = 2_000
    draw: int | None = None
    unjudged: Mapping[str, float] = field(default_factory=dict)
    asked: SplitQueries = SplitQueries()
    needs: ClassVar[tuple[Need, ...]] = ()

    def __post_init__(self) -> None:
        """Checks what needs no data.

        Raises:
          ValueError: fewer than two parts, or nothing to choose on; a weight of no
            part, or one that is not positive.
        """
        for name, weight in self.unjudged.items():
            if name not in self.parts or not weight > 0:
                raise ValueError(f"unjudged.{name} = {weight}: name a part, above 0")
        if len(self.parts) < 2:
            raise ValueError(f"a fusion needs two parts, not {list(self.parts)}")
        if not self.choose_on or "test" in self.choose_on or self.queries < 1:
            raise ValueError(
                f"choose_on {self.choose_on} must name splits, and not test; "
                f"queries {self.queries} must be at least 1"
            )

    @property
    def trained(self) -> bool:
        """Whether the model is a part."""
        return None in self.parts.values()

    def bound(self, asked: SplitQueries, model: ScoresOf | None) -> Fusion:
        """Returns the fusion for some queries, in which the model's part gives scores.

        Args:
          asked: which queries.
          model: scores of queries; None where nothing is scored yet.
        """
        parts = {
            name: Bound(model)
            if part is None
            else (part.bound(asked, model) if isinstance(part, Tuned) else part)
            for name, part in self.parts.items()
        }
        return replace(self, parts=parts, asked=asked)

    def check(self, data: Any, queries: Queries) -> None:
        """Checks that every part can work on the data.

        Raises:
          UserError: one cannot, there is no such metric, or a split to choose on has
            no queries.
        """
        for name, part in self.parts.items():
            try:
                check_needs(_of(part), data, queries)
                if isinstance(part, Tuned):
                    part.check(data, queries)
            except UserError as error:
                raise UserError(f"parts.{name}: {error}") from error
        self.asked.check_choice(data, self.choose_on, self.metric)

    def fit(self, data: HasQueries, queries: Queries) -> Fused:
        """Chooses shapes and weights, and returns the sum for the queries."""
        parts = {
            name: part.choose(data) if isinstance(part, Tuned) else part
            for name, part in self.parts.items()
        }
        chosen = replace(self, parts=parts).choose(data)
        kept = {n: _of(parts[n]).fit(data, queries) for n in chosen.weights}
        return Fused(kept, chosen)

    def choose(self, data: HasQueries) -> Chosen:
        """Returns shapes and weights; tells them in the log."""
        found = []
        for split in self.choose_on:
            asked = self.asked.of(data, split, self.queries, self.draw)
            parts = {n: _of(part).fit(data, asked) for n, part in self.parts.items()}
            found.append(CandidateScores.of(asked.task, parts))
        chosen = choose(found, self.metric)
        log.info("%s", told(chosen, self.metric, self.parts))
        return chosen


@dataclass(frozen=True)
class Bound:
    """The trained model as a scorer.

    Attributes:
      model: scores of queries.
    """

    model: ScoresOf | None
    needs: ClassVar[tuple[Need, ...]] = ()

    def fit(self, data: Any, queries: Queries) -> Scores:
        """Returns the model's scores."""
        if self.model is None:
            raise ValueError("the model is not trained yet")
        return self.model(queries)


@dataclass(frozen=True)
class Fused:
    """Shaped scores of parts, added up.

    Attributes:
      parts: name -> scores of the same queries.
      chosen: weights and shapes.
    """

    parts: Mapping[str, Scores]
    chosen: Chosen

    def scores(self, start: int, stop: int) -> np.ndarray:
        """Returns float32 [stop - start, N]."""
        total: np.ndarray | None = None
        for name, part in self.parts.items():
            shape: Shape = self.chosen.shapes[name]
            found = shaped(np.asarray(part.scores(start, stop)), shape)
            found = np.float32(self.chosen.weights[name]) * found
            total = found if total is None else total + found
        assert total is not None
        return total.astype(np.float32)


def told(chosen: Chosen, metric: str, parts: Mapping[str, Any]) -> str:
    """Returns what was chosen, for people."""
    low, high = chosen.interval
    lines = [
        f"fusion: {metric} {chosen.figure:.4f} [{low:.4f}, {high:.4f}] on the queries "
        "that it was chosen on"
    ]
    for name in parts:
        gain, low, high = chosen.gains[name]
        if name not in chosen.weights:
            lines.append(f"  {name}: left out, it does not help")
            continue
        weight, shape = chosen.weights[name], chosen.shapes[name]
        without = f"; without it {-gain:+.4f} [{-high:+.4f}, {-low:+.4f}]"
        without = without if len(chosen.weights) > 1 else ""
        lines.append(f"  {name}: {weight:.3g} x {shape}{without}")
    return "\n".join(lines)


def _of(part: Scorer | None) -> Scorer:
    if part is None:
        raise ValueError("the model is a part of this fusion: see `bound`")
    return part
