"""Next-item retrieval: a user's history, or a text, leads to an item."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from recjax import rng
from recjax.data import fitted, pairs, pipeline, splits
from recjax.data.column_reader import corpus
from recjax.data.columns import Columns
from recjax.data.cooccurrence import Cooccurrence
from recjax.data.dataset import Corpus, Queries
from recjax.data.event_queries import EventQueries
from recjax.data.events import Events, hide_seen
from recjax.data.fitted import Fitted
from recjax.data.inputs import AgeListInput, IdListInput, Input, blanked
from recjax.data.interactions import TEXTS, Interactions, load_interactions
from recjax.data.long_columns import positions
from recjax.data.negatives import Negatives
from recjax.data.pairs import Candidates
from recjax.data.pipeline import Host, HostBatch
from recjax.data.prepared import prepared_path
from recjax.data.pseudo_queries import some_words
from recjax.data.splits import ByTime, Split
from recjax.features import DenseFeature, IdFeature, Sides
from recjax.metrics.task import RankingTask
from recjax.text.features import NGrams
from recjax.text.ngrams import words


@dataclass(frozen=True)
class NextItem:
    """Settings of a next-item data set.

    Queries have the features `history`, the newest items of the user, `history_age`,
    the seconds since each (a minute an event where only the order is known), and
    `text`. Most are histories in training; a share are words of an item's text.

    Attributes:
      source: name or folder of prepared interactions.
      batch_size: pairs of the global batch.
      negatives: uniform negatives of the global batch; None takes the whole corpus,
        which makes the softmax over random columns the full one.
      history: newest items of a query.
      ngrams: vocabulary of the items' texts.
      text_length: n-grams of a text query.
      title_length: n-grams of an item's text.
      text_share: share of training queries that are text.
      split: how events are split.
      fit: splits whose events train the model.
      half_life: days in which the weight of a training event halves, down to
        `oldest_weight`; None weighs all alike.
      oldest_weight: weight that no event falls below.
      neighbours: width of the vectors that stand for who follows whom in the training
        events (`Cooccurrence.vectors`), on `history` and `item`; 0 for none.
      cooccurrence: how that is counted.
      met_negatives: only items with training events are negatives: else the model
        learns that new items are unwanted.
      texts: columns whose texts, joined, are an item's `text`.
      columns: of "item" for candidates; of "user" and "events" (what is known when one
        asks, as the device) for queries: see `recjax.data.columns`.
    """

    source: str
    batch_size: int = 512
    negatives: int | None = 512
    history: int = 50
    ngrams: NGrams = NGrams()
    text_length: int = 32
    title_length: int = 64
    text_share: float = 0.1
    split: Split = ByTime()
    fit: tuple[str, ...] = ("train",)
    half_life: float | None = None
    oldest_weight: float = 0.2
    neighbours: int = 0
    cooccurrence: Cooccurrence = Cooccurrence()
    met_negatives: bool = False
    texts: tuple[str, ...] = TEXTS
    columns: Columns = field(default_factory=dict)

    def open(self, seed: int) -> NextItemData:
        """Reads the prepared interactions.

        Raises:
          UserError: they are not prepared.
        """
        return NextItemData(self, seed, load_interactions(prepared_path(self.source)))


@dataclass(frozen=True)
class NextItemData:
    """An opened next-item data set.

    Attributes:
      settings: the settings.
      seed: of the order, the negatives and the words of text queries.
      interactions: all events.
    """

    settings: NextItem
    seed: int
    interactions: Interactions
    tasks = ("",)

    @cached_property
    def part(self) -> np.ndarray:
        """The split of each event [E]."""
        return self.settings.split.parts(self.interactions.examples)

    @cached_property
    def training_events(self) -> np.ndarray:
        """Positions of the events that train the model."""
        return positions(self.train)

    @cached_property
    def inputs(self) -> Mapping[str, Input]:
        """How query features are made from raw values."""
        ngrams, length = self.settings.ngrams, self.settings.text_length
        history = IdListInput(self.interactions.item_ids, self.settings.history)
        own: dict[str, Input] = {
            "history": history,
            "history_age": AgeListInput("history", history),
            "text": ngrams.input(self._texts, length),
        }
        return fitted.joined(own, self.columns["user"], self.columns["events"])

    @cached_property
    def columns(self) -> Mapping[str, Fitted]:
        """The columns of users, items and events as features."""
        rows, known = {**self._met, "events": self.training_events}, self.interactions
        return fitted.fit(self.settings.columns, known.tables, rows)

    @cached_property
    def corpora(self) -> Mapping[str, Corpus]:
        """All items, also those that nobody met in training."""
        text = replace(self.inputs["text"], length=self.settings.title_length)
        own = {"item": IdListInput(self.interactions.item_ids, 1), "text": text}
        sources = {"item": ("id",), "text": self.settings.texts}
        titles, columns = self.interactions.titles, self.columns["item"]
        return {"item": corpus("item", titles, own, sources, columns)}

    @cached_property
    def sides(self) -> Sides:
        """The features of both sides."""
        items, (source, target) = self._size + 1, self._vectors
        text = self.settings.ngrams.feature(self.inputs["text"])
        return {
            "query": {
                "history": IdFeature(items, self.settings.history, vectors=source),
                "history_age": DenseFeature(self.settings.history),
                "text": text,
                **self.columns["user"].features,
                **self.columns["events"].features,
            },
            "candidate": {
                "item": IdFeature(items, 1, vectors=target),
                "text": replace(text, length=self.settings.title_length),
                **self.columns["item"].features,
            },
        }

    def batch(self, step: int, host: Host = (0, 1)) -> HostBatch:
        """Returns a host's part of the batch of a step."""
        rows = self._order(step)
        mine = pipeline.rows_of(host, len(rows))
        generator = rng.host_stream(self.seed, "text_queries", step)
        is_text = (generator.random(len(rows)) < self.settings.text_share)[mine]
        seeds = generator.integers(0, 2**31, len(rows))[mine]
        rows = rows[mine]
        events = self.training_events[rows]
        positive = self.interactions.item[events]
        query = blanked(self._queries.features(events), self.inputs, is_text)
        texts = [
            some_words(self._words[item], seed) if chosen else ""
            for item, chosen, seed in zip(positive, is_text, seeds, strict=True)
        ]
        query["text"] = self.inputs["text"].encode(texts)
        # Histories of one user at one time are one query; text queries stand alone.
        query_id = np.where(is_text, -1 - rows, self._queries.bounds(events)[1])
        weight = self._weight[events]
        return self._candidates.batch(step, host, query, query_id, positive, weight)

    def queries(self, split: str, task: str = "") -> Queries:
        """Returns one query for each event of a split: what comes next?

        The history is what the user did before, in any split, and is not ranked again.
        """
        events = splits.members(self.part, split, self.settings.split, "events")
        items, users = (c[events] for c in (self.log.item, self.log.user))
        history = self._queries.histories(events)
        task = hide_seen(RankingTask.of_one_each(self._size, items), history)
        text = np.zeros((len(events), self.settings.text_length), np.int32)
        return Queries(
            self._queries.features(events) | {"text": text},
            task,
            history=history,
            cohorts={
                "new item": ~np.isin(items, self._met["item"]),
                "new user": ~np.isin(users, self._met["user"]),
                "no history": history.start == history.stop,
            },
        )

    def raw_queries(self, split: str, count: int) -> dict[str, list]:
        """Returns the first queries of a split as raw values: ids and texts."""
        events = splits.members(self.part, split, self.settings.split)[:count]
        return self._queries.raw(events) | {"text": [""] * len(events)}

    def training_items(self, corpus: str = "item") -> np.ndarray:
        """Returns the item of each training event."""
        return self.interactions.item[self.training_events]

    def facts(self) -> Mapping[str, Any]:
        """Returns sizes and the limits of the splits in time."""
        return {
            "source": self.settings.source,
            "users": len(self.interactions.user_ids),
            "items": self._size,
            "events": len(self.part),
            **splits.counts(self.part, "events"),
            "vocabulary": self.inputs["text"].vocabulary.size,
        }

    @property
    def _size(self) -> int:
        return len(self.interactions.item_ids)

    @cached_property
    def _queries(self) -> EventQueries:
        both = self.columns["user"], self.columns["events"]
        return EventQueries(self.interactions, self.settings.history, *both)

    @cached_property
    def _order(self) -> pipeline.Order:
        size, batch = len(self.training_events), self.settings.batch_size
        return pipeline.order(size, batch, f"order/{self.seed}")

    @cached_property
    def _candidates(self) -> Candidates:
        share = pairs.log_share(self._counts["item"])
        met = self.settings.met_negatives
        pool = self._met["item"] if met else np.arange(self._size)
        drawn = Negatives(len(pool), self.settings.negatives, self.seed)
        return Candidates(self.corpora["item"], share, drawn, pool)

    @cached_property
    def log(self) -> Events:
        """All events."""
        return self.interactions.log

    @cached_property
    def train(self) -> np.ndarray:
        """Whether each event trains the model, bool[E]."""
        return splits.in_any(self.part, self.settings.fit)

    @cached_property
    def events(self) -> Events:
        """The training events."""
        return self.log.where(self.train)

    @cached_property
    def _met(self) -> Mapping[str, np.ndarray]:
        """Rows of the users and items that have training events, in order."""
        return {name: np.flatnonzero(known) for name, known in self._counts.items()}

    @cached_property
    def _counts(self) -> Mapping[str, np.ndarray]:
        return self.interactions.counts(self.training_events)

    @cached_property
    def _vectors(self) -> tuple[np.ndarray | None, np.ndarray | None]:
        """Vectors of history ids and of candidates; row 0 is padding."""
        if not self.settings.neighbours:
            return None, None
        both = self.settings.cooccurrence.vectors(self.events, self.settings.neighbours)
        return tuple(np.pad(vectors, ((1, 0), (0, 0))) for vectors in both)

    @cached_property
    def _weight(self) -> np.ndarray:
        """The weight of each event in training [E]."""
        half, least = self.settings.half_life, self.settings.oldest_weight
        if half is None:
            return np.broadcast_to(np.float32(1), len(self.part))
        age = self.interactions.age(self.training_events, "data.half_life")
        return pairs.recency_weight(age, half, least)

    @property
    def _texts(self) -> tuple[str, ...]:
        return self.interactions.texts(self.settings.texts)

    @cached_property
    def _words(self) -> list[list[str]]:
        return [words(text) for text in self._texts]
