"""Baselines as evaluations: the cheap lines beside every model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from recjax.data.dataset import Queries
from recjax.data.events import Events
from recjax.errors import UserError
from recjax.evals.base import KS, queries_of
from recjax.evals.baselines.bm25 import Bm25
from recjax.evals.baselines.item_knn import ItemKnn, ItemKnnOptions
from recjax.evals.baselines.popularity import Popularity
from recjax.evals.scorer import Scorer, rank_scores
from recjax.metrics.ranking import ranking_metrics
from recjax.train.program import Program
from recjax.train.state import State


@dataclass(frozen=True)
class PopularityBaseline:
    """The same list for everybody, from the training events.

    Attributes:
      split: "validation" or "test".
      task: one of the data set's.
      ks: lengths of the lists that are judged.
      days: count the last days of training alone; None counts all.
    """

    split: str = "test"
    task: str = ""
    ks: tuple[int, ...] = KS
    days: float | None = None
    every = 0
    trained = False

    def run(self, program: Program, state: State | None) -> Mapping[str, float]:
        """Returns the ranking metrics."""
        del state
        queries = queries_of(program, self.split, self.task)
        events = training_events(program.dataset)
        return _judge(queries, Popularity.fit(events, self.days), self.ks)


@dataclass(frozen=True)
class ItemKnnBaseline:
    """Recency-weighted item-kNN over the histories of the queries.

    Attributes:
      split: "validation" or "test".
      task: one of the data set's.
      ks: lengths of the lists that are judged.
      options: its settings; `tools/tune_item_knn.py` finds them on validation queries.
    """

    split: str = "test"
    task: str = ""
    ks: tuple[int, ...] = KS
    options: ItemKnnOptions = field(default_factory=ItemKnnOptions)
    every = 0
    trained = False

    def run(self, program: Program, state: State | None) -> Mapping[str, float]:
        """Returns the ranking metrics."""
        del state
        queries = queries_of(program, self.split, self.task)
        if queries.history is None:
            raise UserError("item-kNN needs queries with histories; this data has none")
        events = training_events(program.dataset)
        model = ItemKnn.fit(events, queries.history, self.options)
        return _judge(queries, model, self.ks)


@dataclass(frozen=True)
class Bm25Baseline:
    """Words of the query in the titles.

    Attributes:
      split: "validation" or "test".
      task: one of the data set's.
      ks: lengths of the lists that are judged.
      strip_plurals: drop a final s of longer words.
      ties: titles of equal score share their "average" rank, or follow the "order" of
        the corpus, as in most published BM25 figures. Short titles tie often.
    """

    split: str = "test"
    task: str = ""
    ks: tuple[int, ...] = KS
    strip_plurals: bool = True
    ties: Literal["average", "order"] = "average"
    every = 0
    trained = False

    def run(self, program: Program, state: State | None) -> Mapping[str, float]:
        """Returns the ranking metrics."""
        del state
        queries = queries_of(program, self.split, self.task)
        if queries.texts is None:
            raise UserError("BM25 needs queries that are texts; this data has none")
        titles = program.dataset.corpora[queries.corpus].titles
        bm25 = Bm25.fit(titles, queries.texts, self.strip_plurals)
        return _judge(queries, bm25, self.ks, self.ties)


def training_events(dataset: Any) -> Events:
    """Returns the events that trained the model.

    Raises:
      UserError: the data set is not made of interactions.
    """
    events = getattr(dataset, "events", None)
    if events is None:
        raise UserError("this baseline needs interactions; this data has none")
    return events


def _judge(
    queries: Queries,
    scorer: Scorer,
    ks: tuple[int, ...],
    ties: Literal["average", "order"] = "average",
) -> Mapping[str, float]:
    ranks = rank_scores(queries.task, scorer, max(ks), ties=ties)
    return ranking_metrics(queries.task, ranks, ks)
