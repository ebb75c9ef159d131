"""The next event of a session: rows for training, targets for evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from recjax.data import pipeline, splits
from recjax.data.columns import Columns
from recjax.data.dataset import Corpus, Queries
from recjax.data.events import Events
from recjax.data.negatives import Negatives, by_popularity
from recjax.data.pipeline import Host, HostBatch
from recjax.data.prepared import prepared_path
from recjax.data.sessions.arrays import impressions_of, packed_arrays
from recjax.data.sessions.columns import SessionColumns, target_weights
from recjax.data.sessions.fixed import FixedVectors, VectorSource
from recjax.data.sessions.packing import (
    EpochPlan,
    Epochs,
    Grid,
    Packed,
    Queue,
    make_plan,
)
from recjax.data.sessions.pair_features import LEAST, PairSource, SessionPairs
from recjax.data.sessions.read import Sessions, load_sessions
from recjax.data.sessions.runs import scoring_runs, training_runs
from recjax.data.splits import Split
from recjax.errors import UserError
from recjax.features import DenseFeature, IdFeature, Sides
from recjax.metrics.task import RankingTask

FIRST = 4
"""Batches whose features of pairs say how much room these take."""


@dataclass(frozen=True)
class NextInSession:
    """Settings of a next-in-session data set.

    Attributes:
      source: name or folder of prepared sessions.
      split: how sessions are split.
      layout: how sessions lie in a batch.
      negatives: items drawn for a batch, with replacement; None takes all of them,
        which makes the softmax over drawn items the full one.
      popularity: items are drawn in proportion to (training events + 1) to this power;
        0 draws uniformly.
      impressions: most items shown at an event that a batch carries; 0 for none.
      fit: splits whose sessions train the model.
      pairs: features of an item for a user at a moment, which join the score.
      vectors: where fixed vectors of items come from; None: items are learned.
      actions: action -> what its events count as targets, others 0; {}: all count 1.
      columns: of "item", of "user" and of "events" (met once an event is over, as its
        action or device); see `recjax.data.columns`.
      sequences: each event is a session of its own: `LastOut` then leaves out events.
    """

    source: str
    split: Split
    layout: Packed | Queue = Packed()
    negatives: int | None = 2_048
    popularity: float = 0.5
    impressions: int = 0
    fit: tuple[str, ...] = ("train",)
    pairs: tuple[PairSource, ...] = ()
    vectors: VectorSource | None = None
    actions: Mapping[str, float] = field(default_factory=dict)
    columns: Columns = field(default_factory=dict)
    sequences: bool = False

    @property
    def batch_size(self) -> int:
        """Lanes of the global batch."""
        return self.layout.rows

    def open(self, seed: int) -> NextInSessionData:
        """Opens the prepared sessions.

        Raises:
          UserError: they are not prepared, or the settings do not fit them.
        """
        known = load_sessions(prepared_path(self.source), self.sequences)
        return NextInSessionData(self, seed, known)


@dataclass(frozen=True)
class NextInSessionData:
    """An opened next-in-session data set.

    Attributes:
      settings: the settings.
      seed: of the order of users and of the negatives.
      sessions: all sessions.
    """

    settings: NextInSession
    seed: int
    sessions: Sessions
    tasks = ("",)

    def __post_init__(self) -> None:
        """Checks that the settings fit the data.

        Raises:
          UserError: impressions are wanted and there are none.
        """
        if self.settings.impressions and self.sessions.shown is None:
            raise UserError(
                f"impressions = {self.settings.impressions}, but "
                f"{self.settings.source} was prepared without a column `impressions`"
            )

    @cached_property
    def part(self) -> np.ndarray:
        """The split of each session, i8[S]."""
        return self.settings.split.parts(self.sessions.examples)

    @cached_property
    def train(self) -> np.ndarray:
        """Whether each event trains the model, bool[E]."""
        return splits.in_any(self.part, self.settings.fit)[self.log.session]

    @cached_property
    def sides(self) -> Sides:
        """The features: ids of items, 0 for none, fixed vectors, and columns."""
        features = {"item": IdFeature(len(self.sessions.item_ids) + 1, 1)}
        if self.fixed is not None:
            features["vector"] = DenseFeature(
                self.fixed.width, fitted=self.fixed.fitted
            )
        return {
            "query": {**features, **self.columns.event.features},
            "user": self.columns.user.features,
            "candidate": {**features, **self.columns.item.features},
        }

    @cached_property
    def corpora(self) -> Mapping[str, Corpus]:
        """All items, also those that nobody met in training."""
        ids = self.sessions.item_ids
        features = {"item": np.arange(1, len(ids) + 1, dtype=np.int32)[:, None]}
        if self.fixed is not None:
            features["vector"] = self.fixed
        features |= self.columns.item.arrays
        titles = self.sessions.titles or ("",) * len(ids)
        known = self.sessions.tables.get("item")
        return {"item": Corpus(ids, titles, features, table=known)}

    @cached_property
    def fixed(self) -> FixedVectors | None:
        """The vectors of items that are not learned."""
        source = self.settings.vectors
        return None if source is None else source.open(self.sessions, self.train)

    @cached_property
    def columns(self) -> SessionColumns:
        """The columns of items, users and events as features."""
        return SessionColumns.open(self.settings.columns, self.sessions, self.train)

    @cached_property
    def target(self) -> np.ndarray:
        """What each event counts, f32[E]."""
        return target_weights(self.sessions, self.settings.actions)

    @cached_property
    def pairs(self) -> SessionPairs:
        """The features of pairs of a moment and an item."""
        return SessionPairs.open(self.settings.pairs, self.sessions, self.train)

    @cached_property
    def negatives(self) -> Negatives:
        """The negatives of every step."""
        size, settings = len(self.sessions.item_ids), self.settings
        counts = np.bincount(self.training_items(), minlength=size)
        share = by_popularity(counts, settings.popularity)
        return Negatives(size, settings.negatives, self.seed, share)

    @cached_property
    def epochs(self) -> Epochs:
        """The plans of training."""
        runs = training_runs(self.sessions, self.part, self.settings.fit)
        start = np.asarray(self.sessions.session_start)
        return Epochs(self.settings.layout, start, runs, self.seed)

    def batch(self, step: int, host: Host = (0, 1)) -> HostBatch:
        """Returns a host's rows of the batch of a step, and its negatives.

        Keys, all with rows first: see `packed_arrays`, the negatives, and the features
        of pairs, as `SessionPairs.of_batch` gives them.

        Raises:
          UserError: rows or negatives that the hosts do not divide.
        """
        rows = pipeline.rows_of(host, self.settings.layout.rows, "rows:")
        mine = pipeline.rows_of(host, self.negatives.columns, "negatives:")
        plan, position = self.epochs.at(step)
        grid, negative = plan.grid(position, rows), self.negatives.at(step)
        arrays = self.packed_arrays(grid)
        if self.settings.pairs:
            # Every host makes those of all rows: how many they are decides the shape.
            whole = self._pairs_of(plan.grid(position), negative, self._room)
            arrays |= {
                name: array[pipeline.rows_of(host, len(array), "features of pairs:")]
                for name, array in whole.items()
            }
        negative = negative[mine]
        if self.fixed is not None:
            arrays["negative_vector"] = self.fixed.of_ids(negative + 1)
        if self.columns.item.inputs:
            arrays["drawn_columns"] = self.columns.of_items(negative + 1)
        draw, item = self.negatives.log_share, np.maximum(arrays["item"] - 1, 0)
        return {
            **arrays,
            "weight": self.target[np.maximum(grid.event, 0)] * (arrays["item"] > 0),
            "negative_id": negative,
            "positive_draw_logq": draw[item],
            "negative_draw_logq": draw[np.maximum(negative, 0)],
        }

    def packed_arrays(self, grid: Grid) -> dict[str, np.ndarray]:
        """Returns what a model reads of some rows.

        Returns:
          What `arrays.packed_arrays` does, and where they are wanted:
          shown: ids of items shown at an event, i32[B, T, I].
          item_vector, shown_vector: the fixed vectors of these items, f32[..., D].
          own_columns, shown_columns, event_columns: features of columns [..., L].
          user_columns: of the user of each slot [B, S, L].
        """
        known, settings = self.sessions, self.settings
        out = packed_arrays(known, grid)
        if settings.impressions:
            out["impressions"] = impressions_of(known, grid, settings.impressions)
        if self.fixed is not None:
            held = {name: out[name] for name in ("item", "impressions") if name in out}
            out |= {f"{k}_vector": self.fixed.of_ids(v) for k, v in held.items()}
        return out | self.columns.packed(grid, out)

    def stream(self, event: np.ndarray) -> EpochPlan:
        """Returns the plan in which a model meets events [Q] and all before them."""
        runs = scoring_runs(self.sessions, np.unique(self.log.session[event]))
        start = np.asarray(self.sessions.session_start)
        return make_plan(self.settings.layout, start, runs)

    def queries(self, split: str, task: str = "") -> Queries:
        """Returns one query for each event of a split: what comes next?

        Earlier events of the user are the history, in any split; items that the user
        met before are ranked again.
        """
        session = splits.members(self.part, split, self.settings.split, "sessions")
        event = np.flatnonzero(np.isin(self.log.session, session) & (self.target > 0))
        ranked = RankingTask.of_one_each(self.log.num_items, self.log.item[event])
        history = self.sessions.histories(self.log, event)
        return Queries({}, ranked, history=history, user=self.log.user[event])

    def training_items(self, corpus: str = "item") -> np.ndarray:
        """Returns the item of each training event."""
        return self.log.item[self.train]

    @cached_property
    def log(self) -> Events:
        """All events."""
        return self.sessions.log()

    def facts(self) -> Mapping[str, Any]:
        """Returns sizes and the fill of the batches."""
        known = self.sessions
        return {
            "source": self.settings.source,
            "users": known.users,
            "items": len(known.item_ids),
            "sessions": len(self.part),
            "events": len(known.item),
            **splits.counts(self.part, "sessions"),
            "batches of an epoch": self.epochs.at(0)[0].steps,
            "batches filled with events": f"{self.epochs.at(0)[0].fill:.1%}",
        }

    @cached_property
    def _room(self) -> int:
        """Room for features of pairs: half as much again as the first batches need."""
        # With its own, a batch at the end of a pass would be compiled for once more.
        steps = [(*self.epochs.at(i), self.negatives.at(i)) for i in range(FIRST)]
        held = [self._pairs_of(p.grid(at), draw, LEAST) for p, at, draw in steps]
        need = max(np.count_nonzero(one["pair_value"]) for one in held)
        return LEAST * -(-3 * need // (2 * LEAST)) or LEAST

    def _pairs_of(
        self, grid: Grid, drawn: np.ndarray, room: int
    ) -> dict[str, np.ndarray]:
        item = np.asarray(self.sessions.item)[np.maximum(grid.event, 0)]
        return self.pairs.of_batch(grid.event, item, np.maximum(drawn, 0), room)
