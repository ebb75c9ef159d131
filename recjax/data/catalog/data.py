"""An opened catalogue: batches of several tasks, corpora of several kinds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np

from recjax.data import pairs, pipeline
from recjax.data.catalog import pairs as catalog_pairs
from recjax.data.catalog.cohorts import cohorts
from recjax.data.catalog.entities import Catalog, Entities
from recjax.data.catalog.entity_features import EntityFeatures, vector_columns
from recjax.data.catalog.entity_reader import EntityReader
from recjax.data.catalog.entity_text import FieldText, all_texts
from recjax.data.catalog.pairs import Engagement
from recjax.data.catalog.settings import CatalogSettings
from recjax.data.dataset import Corpus, Queries
from recjax.data.inputs import Input
from recjax.data.pipeline import HostBatch
from recjax.data.splits import SPLITS, TRAIN
from recjax.errors import UserError
from recjax.features import Sides
from recjax.metrics.task import RankingTask

QUERY = "query"


@dataclass(frozen=True)
class CatalogData:
    """An opened catalogue.

    Attributes:
      settings: the settings.
      seed: of the order and the negatives.
      catalog: the catalogue.
    """

    settings: CatalogSettings
    seed: int
    catalog: Catalog

    @cached_property
    def split(self) -> np.ndarray:
        """The split of each pair."""
        settings = self.settings
        return catalog_pairs.split_pairs(
            self.catalog, settings.test_from, settings.validation
        )

    @cached_property
    def training_pairs(self) -> Mapping[str, np.ndarray]:
        """Task -> positions of the pairs that train it."""
        found = {}
        for name, task in self.settings.tasks.items():
            if not task.share:
                continue
            own = catalog_pairs.engaged(self.catalog, task) & (self.split == TRAIN)
            chosen, most = np.flatnonzero(own), self.settings.caps.get(task.kind)
            if most is not None:
                pairs = self.catalog.pairs
                chosen = catalog_pairs.capped(pairs, chosen, most, self.seed)
            if not len(chosen):
                raise UserError(
                    f"data.tasks.{name}: no pair trains it; give it share=0"
                )
            found[name] = chosen
        return found

    @cached_property
    def kinds(self) -> Mapping[str, list[tuple[str, int]]]:
        """Kind of candidate -> (task, rows a group) of its tasks."""
        return catalog_pairs.shares(self.settings.tasks)

    @cached_property
    def inputs(self) -> Mapping[str, Input]:
        """How query features are made from raw values."""
        known = self.catalog.pairs.query[
            np.concatenate([*self.training_pairs.values()])
        ]
        texts = self.catalog.queries.take(np.unique(known))
        return {"text": self.settings.query.input(texts, self.settings.query_length)}

    @cached_property
    def reader(self) -> EntityFeatures:
        """How pins and products become features."""
        settings, tables = self.settings, self._tables
        text = start = None
        if settings.fields:
            texts = (
                text
                for entities in tables.values()
                for text in all_texts(entities.texts, settings.fields)
            )
            vocabulary = settings.ngrams.build(texts)
            start = settings.ngrams.importance(vocabulary)
            sizes = settings.field_length, settings.length
            text = FieldText(vocabulary, settings.fields, *sizes)
        names = (*settings.dense, *settings.legacy)
        vectors = vector_columns(tables, names, settings.images)
        return EntityFeatures(text, vectors, start)

    @cached_property
    def corpora(self) -> Mapping[str, Corpus]:
        """Kind -> everything of that kind that can be found."""
        return {kind: self._corpus(kind) for kind in self.kinds}

    @cached_property
    def sides(self) -> Sides:
        """The features of queries and of each kind of candidate."""
        query = {"text": self.settings.query.feature(self.inputs["text"])}
        return {QUERY: query, **{kind: self.reader.side() for kind in self._tables}}

    @property
    def tasks(self) -> tuple[str, ...]:
        """Names of what can be asked."""
        asked = self.settings.asked
        return tuple(name for name, task in asked.items() if task.kind in self.kinds)

    def batches(
        self, start: int, host: tuple[int, int], threads: int, prefetch: int
    ) -> Iterator[HostBatch]:
        """Yields this host's part of batch `start`, `start + 1`, ... without end."""
        width = sum(task.share for task in self.settings.tasks.values())
        groups, rest = divmod(self.settings.batch_size, width)
        if rest or groups % host[1] or not groups:
            raise UserError(
                f"data.batch_size = {self.settings.batch_size}: must be a multiple of "
                f"the tasks' shares, {width}, times {host[1]} hosts"
            )
        orders = {
            name: pipeline.order(len(chosen), groups * share, f"{name}/{self.seed}")
            for kind in self.kinds
            for name, share in self.kinds[kind]
            if len(chosen := self.training_pairs[name])
        }
        make = partial(self._batch, orders, groups, host)
        return pipeline.stream(make, start, threads, prefetch)

    def queries(self, split: str, task: str = "") -> Queries:
        """Returns the queries of a split that led to something of a task."""
        known, asked = self.catalog.pairs, self._asked(task)
        own = catalog_pairs.engaged(self.catalog, asked)
        chosen = np.flatnonzero(own & (self.split == SPLITS[split]))
        queries, offsets, items = catalog_pairs.judged_lists(known, chosen)
        # A query would find itself first.
        itself = queries if asked.kind == QUERY else queries[:0]
        out = np.arange(len(queries) + 1) * (asked.kind == QUERY)
        texts = tuple(self.catalog.queries.take(queries))
        groups = cohorts(
            np.repeat(queries, np.diff(offsets)),
            items,
            self._trained_queries,
            self.training_items(asked.kind),
            self._tables.get(asked.kind),
        )
        return Queries(
            {"text": self.inputs["text"].encode(texts)},
            RankingTask(
                num_items=len(self.corpora[asked.kind]),
                offsets=offsets,
                items=items,
                gains=np.ones(len(items), np.float32),
                exclude_offsets=out.astype(np.int64),
                exclude=itself.astype(np.int32),
            ),
            texts=texts,
            corpus=asked.kind,
            cohorts=groups,
        )

    def training_items(self, corpus: str = "item") -> np.ndarray:
        """Returns the candidate of each training pair of a kind."""
        own = [self.training_pairs[name] for name, _ in self.kinds[corpus]]
        return self.catalog.pairs.candidate[np.concatenate(own)]

    def raw_queries(self, split: str, count: int) -> dict[str, list]:
        """Returns the first queries of a split as raw values: their texts."""
        return {"text": list(self.queries(split, self.tasks[0]).texts[:count])}

    def facts(self) -> Mapping[str, Any]:
        """Returns sizes of the data and the splits."""
        text = self.reader.text
        return {
            "source": self.settings.source,
            "queries": len(self.catalog.queries),
            **{f"{k}s": len(v) for k, v in self.catalog.entities.items()},
            "pairs": len(self.split),
            **{f"{k} pairs": int((self.split == v).sum()) for k, v in SPLITS.items()},
            **{f"training {k}": len(v) for k, v in self.training_pairs.items()},
            "n-grams": 0 if text is None else text.vocabulary.size,
        }

    def _asked(self, task: str) -> Engagement:
        if task not in self.settings.asked:
            raise UserError(f"no task {task!r}; the data has {', '.join(self.tasks)}")
        return self.settings.asked[task]

    def _corpus(self, kind: str) -> Corpus:
        if kind == QUERY:
            texts = tuple(self.catalog.queries)
            return Corpus(texts, texts, {"text": self._all_queries}, QUERY)
        entities = self.catalog.entities[kind]
        titles = entities.texts.get("title", entities.ids)
        features, reader = self.reader.read(entities), EntityReader(kind, self.reader)
        return Corpus(tuple(entities.ids), titles, features, kind, reader)

    @cached_property
    def _trained_queries(self) -> np.ndarray:
        chosen = np.concatenate([*self.training_pairs.values()])
        return self.catalog.pairs.query[chosen]

    @cached_property
    def _all_queries(self) -> np.ndarray:
        return self.inputs["text"].encode(list(self.catalog.queries))

    @property
    def _tables(self) -> dict[str, Entities]:
        return {k: v for k, v in self.catalog.entities.items() if k in self.kinds}

    @cached_property
    def _log_share(self) -> Mapping[str, np.ndarray]:
        """Kind -> log share of each candidate in the pairs of a batch."""
        found = {}
        for kind, tasks in self.kinds.items():
            total = sum(share for _, share in tasks)
            size, parts = len(self.corpora[kind]), np.zeros(len(self.corpora[kind]))
            for name, share in tasks:
                chosen = self.catalog.pairs.candidate[self.training_pairs[name]]
                parts += share / total * np.exp(pairs.log_share(chosen, size))
            found[kind] = np.log(parts).astype(np.float32)
        return found

    @cached_property
    def _there(self) -> Mapping[str, np.ndarray]:
        """Kind -> what negatives are drawn from; else new items would be unwanted."""
        catalog, moment = self.catalog, self.settings.test_from
        return {k: catalog_pairs.there_before(catalog, k, moment) for k in self.kinds}

    @cached_property
    def _known(self) -> Mapping[str, np.ndarray]:
        """Kind -> known positives of each query."""
        catalog, most = self.catalog, self.settings.known
        return {
            kind: catalog_pairs.known_positives(
                catalog.pairs,
                np.concatenate([self.training_pairs[name] for name, _ in tasks]),
                len(catalog.queries),
                most,
            )
            for kind, tasks in self.kinds.items()
        }

    def _batch(
        self,
        orders: Mapping[str, pipeline.Order],
        groups: int,
        host: tuple[int, int],
        step: int,
    ) -> HostBatch:
        return {
            kind: self._part(kind, orders, groups, host, step) for kind in self.kinds
        }

    def _part(
        self,
        kind: str,
        orders: Mapping[str, pipeline.Order],
        groups: int,
        host: tuple[int, int],
        step: int,
    ) -> HostBatch:
        """Returns this host's pairs of a kind, and their negatives."""
        rows = [self.training_pairs[n][orders[n](step)] for n, _ in self.kinds[kind]]
        chosen = catalog_pairs.interleaved(rows, groups)
        share = len(chosen) // host[1]
        mine = slice(host[0] * share, (host[0] + 1) * share)
        known, corpus = self.catalog.pairs, self.corpora[kind]
        query, positive = known.query[chosen][mine], known.candidate[chosen][mine]
        count, there = self.settings.negatives * len(chosen), self._there[kind]
        drawn = pairs.draw_negatives(
            self.seed, step, len(there), count, mine, len(chosen), f"negatives/{kind}"
        )
        batch = pairs.pair_batch(
            {"text": self._all_queries[query]},
            query,
            positive,
            there[drawn],
            np.ones(len(query), np.float32),
            corpus.features,
            self._log_share[kind],
            pool=len(there),
        )
        if self.settings.known:
            batch["known_id"] = self._known[kind][query]
        return batch
