"""One evaluation for all rankings: queries of a split, a scorer, metrics."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from recjax import rng
from recjax.data.dataset import HasQueries, HasSessions, Queries
from recjax.errors import UserError, nearest
from recjax.evals.answers import sample_answers
from recjax.evals.embedding_map import corpus_map
from recjax.evals.evaluation import EXPOSURE_AT, INDEX, KS, MAIN, Evaluated
from recjax.evals.fusion import Fusion
from recjax.evals.fusion_choice import choice_of
from recjax.evals.model import Embeddings, SessionScores, model_scores, rank_all
from recjax.evals.score_distribution import score_histograms
from recjax.evals.scorer import Scorer, Scores, ScoresOf, check_needs
from recjax.evals.split_queries import SplitQueries
from recjax.evals.tuned import Tuned
from recjax.metrics.cohorts import cohort_recall, user_metrics
from recjax.metrics.exposure import Exposure
from recjax.metrics.mean import Mean
from recjax.metrics.ranking import of_queries, ranking_metrics
from recjax.metrics.ranks import Ranks, Ties
from recjax.metrics.sample import Sample
from recjax.metrics.task import RankingTask
from recjax.train.program import Program
from recjax.train.state import State

log = logging.getLogger(__name__)

SAMPLED = ("recall@", "ndcg@", "mrr", "condensed_ndcg@", "judged@")
"""Means of queries; coverage is of the whole."""


@dataclass(frozen=True)
class RandomIndex:
    """Items that judged items are ranked among, as OmniSearchSage is judged.

    Attributes:
      size: items, drawn uniformly from the corpus without replacement; a corpus that is
        smaller is the index.
      draw: number of the draw: another one is another index.
    """

    size: int = 1_500_000
    draw: int = 0

    def items(self, num_items: int) -> np.ndarray:
        """Returns the items of the index, in order."""
        if num_items <= self.size:
            return np.arange(num_items)
        generator = rng.host_stream(self.draw, "index", 0)
        drawn = generator.choice(num_items, self.size, replace=False, shuffle=False)
        return np.sort(drawn)

    def among(self, task: RankingTask) -> tuple[RankingTask, np.ndarray, int]:
        """Returns a task over the index and the judged items behind it.

        Returns:
          The task; the rows of the corpus that it is over; how many of them, the first
          ones, are ranked.
        """
        index = self.items(task.num_items)
        rows = np.concatenate([index, np.setdiff1d(task.items, index)])
        order = np.argsort(rows, kind="stable")

        def place(items: np.ndarray) -> np.ndarray:
            at = np.searchsorted(rows, items, sorter=order)
            return order[np.minimum(at, len(rows) - 1)].astype(np.int32)

        out = place(task.exclude)
        kept = (rows[out] == task.exclude) & (out < len(index))
        query = np.repeat(np.arange(len(task)), np.diff(task.exclude_offsets))
        counts = np.bincount(query[kept], minlength=len(task))
        over = replace(
            task,
            num_items=len(rows),
            items=place(task.items),
            exclude_offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            exclude=out[kept],
        )
        return over, rows, len(index)


@dataclass(frozen=True)
class Ranking:
    """Ranks a whole corpus, or a random index of it, for every query of a split.

    Figures are those of `ranking_metrics`, `cohort_recall` and `Exposure.figures`, of
    sessions those of `user_metrics` too; `pairs` is the number of positive pairs.
    Among a random index recall is called `index_recall@K` and stands alone: it depends
    on `index_size` (OmniSearchSage, Agarwal et al. 2024, takes 1.5 M).

    Attributes:
      split: "validation" or "test".
      scorer: what scores the items, such as `Popularity()`; None for the model.
      task: one of the data set's.
      tower: part of the model that embeds; see `model_scores`.
      ks: lengths of the lists that are judged.
      ties: how items of equal score are ranked; published figures of a random index
        are by "worst", most of BM25 by "order".
      coverage: also look at who is in the lists: `coverage@K` and the exposure of
        items. Baselines and models of sessions sort every row of scores for it.
      index: rank among these items only; None for the whole corpus.
      hide_seen: whether what a query's user met before is left out; None for what the
        data does: next items are new to their users, those of sessions need not be.
      nth: only every nth user, or query where users are not known: choosing settings
        needs no more.
      every: steps between evaluations in training; 0 for the end alone.

    Example:
      {"model": Ranking("test"), "item_knn": Ranking("test", ItemKnn())}
    """

    split: str = "test"
    scorer: Scorer | None = None
    task: str = ""
    tower: str = ""
    ks: tuple[int, ...] = KS
    ties: Ties = "average"
    coverage: bool = True
    index: RandomIndex | None = None
    hide_seen: bool | None = None
    nth: int = 1
    every: int = 0

    def __post_init__(self) -> None:
        """Checks what needs no data.

        Raises:
          ValueError: lists of no length, or a tower of something that has none.
        """
        if not self.ks or min(self.ks) < 1 or self.nth < 1:
            raise ValueError(f"ks {self.ks} and nth {self.nth} must be at least 1")
        if self.tower and self.scorer is not None:
            raise ValueError(f"tower {self.tower!r} is of the model, not of a scorer")

    @property
    def trained(self) -> bool:
        """Whether it looks at the state."""
        fused = isinstance(self.scorer, Fusion) and self.scorer.trained
        return self.scorer is None or fused

    def metrics(self, data: Any) -> Sequence[str]:
        """Returns the names of the figures that `run` will find.

        Raises:
          UserError: the data lacks the split, the task or what the scorer needs.
        """
        queries = self.queries(data)
        task, _, ranked = self._over(queries.task)
        if not task.positive.any():
            return ("pairs",)
        first, top = np.ones(len(task.items)), np.zeros((len(task), self._top_k), int)
        ranks = Ranks(task.query, first, top)
        return tuple(self._findings(queries, task, ranks, ranked).figures)

    def run(self, program: Program, state: State) -> Evaluated:
        """Returns the figures, retrieval frequencies and what a report shows."""
        queries = self.queries(program.dataset)
        task, rows, ranked = self._over(queries.task)
        if not task.positive.any():
            where = f"split {self.split!r} of task {self.task!r}"
            log.warning("no positive pair in %s: nothing to rank", where)
            return Evaluated({"pairs": 0.0})
        scores = self._scores(program, state, queries, rows)
        how = self._top_k, program, self.ties, ranked
        ranks, shares = rank_all(task, scores, *how), None
        if isinstance(scores, Embeddings):
            shares = score_histograms(scores.queries, scores.items, task, ranked)
        found = self._findings(queries, task, ranks, ranked)
        samples = self._samples(queries, task, ranks, found)
        found = replace(found, scores=shares, samples=samples)
        if ranked is not None or not (self.trained or isinstance(self.scorer, Fusion)):
            return found
        return self._shown(found, queries, ranks, program, scores)

    def _scores(
        self, program: Program, state: State, queries: Queries, rows: np.ndarray | None
    ) -> Embeddings | Scores:
        """Returns the scores of the queries for some rows of the corpus, or all."""
        if self.scorer is None:
            return model_scores(program, state, queries, self.tower, rows)
        data: Any = program.dataset
        asked, model = self._asked, partial(model_scores, program, state)
        scores: Scores
        if isinstance(self.scorer, Fusion):
            choice = choice_of(self.scorer, asked, program, state)
            scores = self.scorer.bound(asked, model).fit(data, queries, choice)
        elif isinstance(self.scorer, Tuned):
            scores = self.scorer.bound(asked, model).fit(data, queries)
        else:
            scores = self.scorer.fit(data, queries)
        return scores if rows is None else ScoresOf(scores, rows)

    def _shown(
        self,
        found: Evaluated,
        queries: Queries,
        ranks: Ranks,
        program: Program,
        scores: Scores,
    ) -> Evaluated:
        """Adds what a model answers in the whole corpus, and its embeddings."""
        data: Any = program.dataset
        corpus, seed = data.corpora[queries.corpus], program.experiment.seed
        score = lambda q: scores.scores(q, q + 1)[0]  # noqa: E731
        found = replace(
            found, answers=sample_answers(queries, ranks, corpus, seed, score)
        )
        if isinstance(scores, Embeddings | SessionScores):
            met = np.bincount(
                data.training_items(queries.corpus), minlength=len(corpus)
            )
            found = replace(found, embeddings=corpus_map(scores.items, corpus, met))
        return found

    def _samples(
        self, queries: Queries, task: RankingTask, ranks: Ranks, found: Evaluated
    ) -> dict[str, Sample]:
        """Returns the queries, or their users, that the main figures are means of."""
        made = {}
        for name in (m for m in (*MAIN, *INDEX) if m in found.figures):
            metric = name.removeprefix("index_")
            if metric.startswith(SAMPLED):
                values = of_queries(task, ranks, metric)
                made[name] = Sample.of(*values, queries.user)
        return made

    @property
    def _top_k(self) -> int:
        return max(*self.ks, EXPOSURE_AT) if self.coverage else 0

    def _over(
        self, task: RankingTask
    ) -> tuple[RankingTask, np.ndarray | None, int | None]:
        return (task, None, None) if self.index is None else self.index.among(task)

    def queries(self, data: Any) -> Queries:
        """Returns the queries of some data, or raises what it lacks of them."""
        if not isinstance(data, HasQueries):
            raise UserError("a ranking needs queries; this data has none")
        if self.task not in data.tasks:
            known = ", ".join(map(repr, data.tasks))
            raise UserError(
                f"no task {self.task!r}; the data has {known}."
                + nearest(self.task, data.tasks)
            )
        queries = self._asked.of(data, self.split).every(self.nth)
        if self.scorer is not None:
            check_needs(self.scorer, data, queries)
            if isinstance(self.scorer, Fusion | Tuned):
                self.scorer.bound(self._asked, None).check(data, queries)
        elif self.ties == "order" and not isinstance(data, HasSessions):
            raise UserError(
                "ties = 'order' is for baselines: take 'average' or 'worst'"
            )
        return queries

    @property
    def _asked(self) -> SplitQueries:
        return SplitQueries(self.task, self.hide_seen)

    def _findings(
        self, queries: Queries, task: RankingTask, ranks: Ranks, ranked: int | None
    ) -> Evaluated:
        """Returns the figures of ranks, over the first `ranked` items of the task."""
        figures, name = {"pairs": float(task.positive.sum())}, "recall"
        if ranked is None:
            figures |= ranking_metrics(task, ranks, self.ks)
        else:
            name, found = "index_recall", ranks.rank[task.positive]
            figures |= {f"{name}@{k}": Mean.of(found <= k).value for k in self.ks}
            figures["index_size"] = float(ranked)
        exposure = None
        if self.coverage:
            exposure = Exposure.of(ranked or task.num_items, ranks.top, EXPOSURE_AT)
            figures |= exposure.figures(EXPOSURE_AT)
        figures |= cohort_recall(task, ranks.rank, queries.cohorts, self.ks, name)
        if queries.user is not None and ranked is None:
            opening = None if queries.history is None else queries.history.opening
            user = queries.user
            figures |= user_metrics(task, ranks.rank, user, self.ks, opening)
        return Evaluated(figures, exposure)
