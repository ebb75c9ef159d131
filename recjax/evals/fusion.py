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
from recjax.evals import reranking
from recjax.evals.few_queries import choose
from recjax.evals.fusion_told import said
from recjax.evals.fusion_weights import CandidateScores, Chosen, shaped
from recjax.evals.reranking import Reranking, rerank
from recjax.evals.scorer import Need, Scorer, Scores, check_needs
from recjax.evals.split_queries import SplitQueries
from recjax.evals.tuned import Tuned

log = logging.getLogger(__name__)
ScoresOf = Callable[[Queries], Scores]


@dataclass(frozen=True)
class Choice:
    """What was chosen for a fusion.

    Attributes:
      every: the scorers of both stages, their settings chosen; None for the model.
      first: weights and shapes of the sum.
      second: those of the parts that put the best in another order.
      of: the settings that it was chosen for; None where nobody asks again.
      asked: whose queries it ranks.
    """

    every: Mapping[str, Any]
    first: Chosen
    second: Reranking
    of: Any = None
    asked: SplitQueries = SplitQueries()


@dataclass(frozen=True)
class Fusion:
    """Several scorers, whose shaped scores are added up with chosen weights.

    Each part's scores of a query become comparable first (see `fusion_weights.Shape`);
    shapes and weights are those that do best on the queries of `choose_on`, by
    coordinate ascent. Parts that do not help are dropped; the log tells which.

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
      rerank: name -> scorer that is added for the best items of the sum alone; left out
        where it does not help beyond chance.
      top: how many they are.
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
    rerank: Mapping[str, Scorer | None] = field(default_factory=dict)
    top: int = 30
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
        twice = set(self.parts) & set(self.rerank)
        if len(self.every) < 2 or not self.parts or twice or self.top < 2:
            raise ValueError(
                f"a fusion needs two parts of different names, not {list(self.parts)} "
                f"and {list(self.rerank)}, and top at least 2, not {self.top}"
            )
        if not self.choose_on or "test" in self.choose_on or self.queries < 1:
            raise ValueError(
                f"choose_on {self.choose_on} must name splits, and not test; "
                f"queries {self.queries} must be at least 1"
            )

    @property
    def trained(self) -> bool:
        """Whether the model is a part."""
        return None in self.every.values()

    @property
    def every(self) -> dict[str, Any]:
        """The scorers of both stages."""
        return {**self.parts, **self.rerank}

    def bound(self, asked: SplitQueries, model: ScoresOf | None) -> Fusion:
        """Returns the fusion for some queries, in which the model's part gives scores.

        Args:
          asked: which queries.
          model: scores of queries; None where nothing is scored yet.
        """
        bound = {
            name: Bound(model)
            if part is None
            else (part.bound(asked, model) if isinstance(part, Tuned) else part)
            for name, part in self.every.items()
        }
        return replace(self.of(bound), asked=asked)

    def of(self, every: Mapping[str, Any]) -> Fusion:
        """Returns the same with other scorers in place of those of both stages."""
        stages = (self.parts, self.rerank)
        parts, again = ({name: every[name] for name in one} for one in stages)
        return replace(self, parts=parts, rerank=again)

    def tuned(self, data: HasQueries) -> dict[str, Any]:
        """Returns the scorers of both stages with their settings chosen."""
        return {
            name: part.choose(data) if isinstance(part, Tuned) else part
            for name, part in self.every.items()
        }

    def check(self, data: Any, queries: Queries) -> None:
        """Checks that every part can work on the data.

        Raises:
          UserError: one cannot, there is no such metric, or a split to choose on has
            no queries.
        """
        for name, part in self.every.items():
            try:
                check_needs(_of(part), data, queries)
                if isinstance(part, Tuned):
                    part.check(data, queries)
            except UserError as error:
                raise UserError(f"parts.{name}: {error}") from error
        self.asked.check_choice(data, self.choose_on, self.metric)

    def choice(self, data: HasQueries) -> Choice:
        """Returns the settings of parts, weights and shapes; tells them in the log."""
        every = self.tuned(data)
        return Choice(every, *self.of(every).choose(data))

    def fit(
        self, data: HasQueries, queries: Queries, choice: Choice | None = None
    ) -> Fused:
        """Returns the sum for the queries.

        Args:
          data: an opened data set.
          queries: to be scored.
          choice: what was chosen before; None chooses.
        """
        choice = self.choice(data) if choice is None else choice
        every = {n: self.every[n] if s is None else s for n, s in choice.every.items()}
        kept = {
            name: _of(every[name]).fit(data, queries)
            for name in (*choice.first.weights, *choice.second.weights)
        }
        return Fused(kept, choice.first, choice.second, self.top)

    def choose(self, data: HasQueries) -> tuple[Chosen, Reranking]:
        """Returns what is chosen for both stages; tells it in the log."""
        asked, fitted, found = [], [], []
        for split in self.choose_on:
            queries = self.asked.of(data, split, self.queries, self.draw)
            every = {n: _of(p).fit(data, queries) for n, p in self.every.items()}
            parts = {name: every[name] for name in self.parts}
            found.append(CandidateScores.of(queries.task, parts))
            asked.append(queries.task)
            fitted.append(every)
        chosen, again = choose(found, self.metric), Reranking()
        if self.rerank:
            best = [
                reranking.candidates(
                    task,
                    Fused({n: every[n] for n in chosen.weights}, chosen),
                    {name: every[name] for name in self.rerank},
                    self.top,
                )
                for task, every in zip(asked, fitted, strict=True)
            ]
            again = reranking.choose(best, self.metric)
        told = said(chosen, self.metric, self.choose_on, self.parts, again)
        log.info("%s", told)
        return chosen, again


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
      again: those of the parts that put the best in another order.
      top: how many they put in order.
    """

    parts: Mapping[str, Scores]
    chosen: Chosen
    again: Reranking = Reranking()
    top: int = 0

    def scores(self, start: int, stop: int) -> np.ndarray:
        """Returns float32 [stop - start, N]."""
        total: np.ndarray | None = None
        for name, weight in self.chosen.weights.items():
            found = np.asarray(self.parts[name].scores(start, stop))
            found = np.float32(weight) * shaped(found, self.chosen.shapes[name])
            total = found if total is None else total + found
        assert total is not None
        if not self.again.weights:
            return total.astype(np.float32)
        second = [
            (w, self.again.shapes[n], np.asarray(self.parts[n].scores(start, stop)))
            for n, w in self.again.weights.items()
        ]
        return rerank(total, second, self.top)


def _of(part: Scorer | None) -> Scorer:
    if part is None:
        raise ValueError("the model is a part of this fusion: see `bound`")
    return part
