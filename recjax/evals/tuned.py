"""Settings of a scorer that are chosen on validation queries, for each data set."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

import numpy as np

from recjax.data.dataset import HasQueries, Queries
from recjax.evals.scorer import Need, Scorer, Scores, check_needs, rank_scores
from recjax.evals.split_queries import SplitQueries
from recjax.metrics.ranking import of_queries

log = logging.getLogger(__name__)
PASSES = 3


@dataclass(frozen=True)
class Tuned:
    """A scorer with the best of some settings, by coordinate ascent.

    One setting after the other takes the value that does best on validation queries, in
    passes, until none changes. The scorer begins with its own values.

    Attributes:
      scorer: begins with its own settings; whatever is not in `grid` stays.
      grid: setting -> values to try, in the order in which they are tried.
      metric: what is made best, such as "recall@10" or "mrr".
      split: on whose queries.
      queries: at most so many of them, evenly spread.
      asked: set by the evaluation that it is a scorer of.

    Example:
      {"history": Ranking("test", Tuned(History(), {"decay": (1.0, 0.99, 0.95, 0.9)}))}
    """

    scorer: Any
    grid: Mapping[str, Sequence[Any]]
    metric: str = "recall@10"
    split: str = "validation"
    queries: int = 2_000
    asked: SplitQueries = SplitQueries()
    needs: ClassVar[tuple[Need, ...]] = ()

    def __post_init__(self) -> None:
        """Checks what needs no data.

        Raises:
          ValueError: the scorer has no such setting, or refuses a value; nothing is
            tried, or it would be tuned on the test.
        """
        known = {one.name for one in fields(self.scorer)}
        unknown = [name for name in self.grid if name not in known]
        kind = type(self.scorer).__name__
        if unknown or not self.grid or self.split == "test" or self.queries < 1:
            raise ValueError(
                f"Tuned({kind}): grid names {list(self.grid)} of {sorted(known)}, "
                f"split {self.split!r} must not be the test, queries {self.queries} "
                "must be at least 1"
            )
        for name, values in self.grid.items():
            for value in values:
                replace(self.scorer, **{name: value})

    def check(self, data: Any, queries: Queries) -> None:
        """Checks that the scorer can work on the data, whatever is chosen.

        Raises:
          UserError: it cannot, there is no such metric, or nothing to tune on.
        """
        for name, values in self.grid.items():
            for value in values:
                check_needs(replace(self.scorer, **{name: value}), data, queries)
        self.asked.check_choice(data, (self.split,), self.metric)

    def bound(self, asked: SplitQueries, model: Any) -> Tuned:
        """Returns the same for some queries; of a model it needs none."""
        del model
        return replace(self, asked=asked)

    def fit(self, data: HasQueries, queries: Queries) -> Scores:
        """Chooses the settings, and returns the scores of the queries with them."""
        return self.choose(data).fit(data, queries)

    def choose(self, data: HasQueries) -> Scorer:
        """Returns the scorer with the settings that do best; tells them in the log."""
        asked = self.asked.of(data, self.split, self.queries)
        best, chosen = self._figure(data, asked, self.scorer), self.scorer
        first, tried = best, {repr(chosen)}
        for _ in range(PASSES):
            before = chosen
            for name, values in self.grid.items():
                for value in values:
                    other = replace(chosen, **{name: value})
                    if repr(other) in tried:
                        continue
                    tried.add(repr(other))
                    found = self._figure(data, asked, other)
                    if found > best:
                        best, chosen = found, other
            if chosen == before:
                break
        told = ", ".join(f"{name}={getattr(chosen, name)!r}" for name in self.grid)
        log.info(
            "%s: %s of %s %.4f -> %.4f with %s (%d tried)",
            *(type(chosen).__name__, self.metric, self.split, first, best, told),
            len(tried),
        )
        return chosen

    def _figure(self, data: HasQueries, asked: Queries, scorer: Scorer) -> float:
        ranks = rank_scores(asked.task, scorer.fit(data, asked))
        values, weights = of_queries(asked.task, ranks, self.metric)
        kept = weights > 0
        return float(np.average(values[kept], weights=weights[kept]))
