"""Search in a catalogue: a query leads to pins, products and other queries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from recjax.data import fitted, pairs, pipeline, splits
from recjax.data.catalog import pairs as catalog_pairs
from recjax.data.catalog.cohorts import cohorts
from recjax.data.catalog.entities import Catalog, Entities
from recjax.data.catalog.entity_features import EntityFeatures, vector_columns
from recjax.data.catalog.entity_reader import EntityReader, column_reads
from recjax.data.catalog.pairs import Engagement
from recjax.data.catalog.read import load_catalog
from recjax.data.columns import Columns
from recjax.data.dataset import Corpus, CorpusColumn, Queries
from recjax.data.fitted import Fitted
from recjax.data.inputs import Input
from recjax.data.pairs import Candidates
from recjax.data.pipeline import Host, HostBatch
from recjax.data.prepared import prepared_path
from recjax.data.splits import TRAIN, ByQuery, Examples, FromTime, Split
from recjax.errors import UserError
from recjax.features import Sides
from recjax.text.features import NGrams, Pieces

QUERY = "query"


@dataclass(frozen=True)
class CatalogSearch:
    """Settings of search in a catalogue.

    A batch holds pairs of all tasks in the order of kinds, each kind in groups, so that
    every host and device has its share of each.

    Attributes:
      source: name or folder of a prepared catalogue.
      tasks: name -> what is trained on, and its share of a batch.
      asked: name -> what is evaluated.
      batch_size: pairs of the global batch.
      negatives: random negatives a pair, of those of its kind that there were before
        the test.
      fields: text fields that are read; () for none.
      dense: vectors that are read.
      legacy: frozen vectors that are read for compatibility.
      images: most vectors a feature and entity.
      ngrams: vocabulary of the entities' texts.
      field_length: n-grams of one field.
      length: n-grams of an entity.
      query: how queries are read.
      query_length: tokens of a query.
      caps: kind -> most training pairs of one candidate.
      known: known positives of a query that a batch names, for masks.
      split: how pairs are split; `FromTime` tests on the newest, among what is new.
      columns: of "query" and of each kind of entity; see `recjax.data.columns`.
    """

    source: str
    tasks: Mapping[str, Engagement]
    asked: Mapping[str, Engagement]
    batch_size: int = 1_024
    negatives: int = 4
    fields: tuple[str, ...] = ()
    dense: tuple[str, ...] = ()
    legacy: tuple[str, ...] = ()
    images: int = 4
    ngrams: NGrams = NGrams()
    field_length: int = 32
    length: int = 192
    query: NGrams | Pieces = Pieces()
    query_length: int = 64
    caps: Mapping[str, int] = field(default_factory=dict)
    known: int = 0
    split: Split = ByQuery()
    columns: Columns = field(default_factory=dict)

    @property
    def width(self) -> int:
        """Pairs of a group: the sum of the tasks' shares."""
        return sum(task.share for task in self.tasks.values())

    def open(self, seed: int) -> CatalogData:
        """Reads the prepared catalogue.

        Raises:
          UserError: it is not prepared.
        """
        return CatalogData(self, seed, load_catalog(prepared_path(self.source)))


@dataclass(frozen=True)
class CatalogData:
    """An opened catalogue.

    Attributes:
      settings: the settings.
      seed: of the order and the negatives.
      catalog: the catalogue.
    """

    settings: CatalogSearch
    seed: int
    catalog: Catalog

    @cached_property
    def part(self) -> np.ndarray:
        """The split of each pair."""
        known = self.catalog.pairs
        query = tuple(self.catalog.queries), known.query
        time = known.timestamp if known.timestamp.any() else None
        examples = Examples("pairs", time=time, query=query, column=known.split)
        return self.settings.split.parts(examples)

    @cached_property
    def training_pairs(self) -> Mapping[str, np.ndarray]:
        """Task -> positions of the pairs that train it."""
        rules = self.settings.tasks, self.settings.caps, self.seed
        return catalog_pairs.training_pairs(self.catalog, self.part == TRAIN, *rules)

    @cached_property
    def kinds(self) -> Mapping[str, list[tuple[str, int]]]:
        """Kind of candidate -> (task, rows in a group) of its tasks."""
        return catalog_pairs.shares(self.settings.tasks)

    @cached_property
    def inputs(self) -> Mapping[str, Input]:
        """How query features are made from raw values."""
        texts = self.catalog.queries.take(np.unique(self._trained_queries))
        own = {"text": self.settings.query.input(texts, self.settings.query_length)}
        return fitted.joined(own, self.columns[QUERY])

    @cached_property
    def columns(self) -> Mapping[str, Fitted]:
        """The columns of queries and of each kind of entity as features."""
        rows = {kind: np.unique(self.training_items(kind)) for kind in self._tables}
        rows[QUERY] = np.unique(self._trained_queries)
        tables = {name: self.catalog.tables[name] for name in rows}
        return fitted.fit(self.settings.columns, tables, rows)

    @cached_property
    def reader(self) -> EntityFeatures:
        """How pins and products become features."""
        settings, tables = self.settings, self._tables
        names = settings.dense + settings.legacy
        vectors = vector_columns(tables, names, settings.images)
        lengths = settings.field_length, settings.length
        return EntityFeatures.of(
            tables, vectors, settings.ngrams, settings.fields, lengths
        )

    @cached_property
    def corpora(self) -> Mapping[str, Corpus]:
        """Kind -> everything of that kind that can be found."""
        return {kind: self._corpus(kind) for kind in self.kinds}

    @cached_property
    def sides(self) -> Sides:
        """The features of queries and of each kind of candidate."""
        text = {"text": self.settings.query.feature(self.inputs["text"])}
        sides = {QUERY: text, **{kind: self.reader.side() for kind in self._tables}}
        return {
            kind: {**own, **self.columns[kind].features} for kind, own in sides.items()
        }

    @property
    def tasks(self) -> tuple[str, ...]:
        """Names of what can be asked."""
        asked = self.settings.asked
        return tuple(name for name, task in asked.items() if task.kind in self.kinds)

    def batch(self, step: int, host: Host = (0, 1)) -> HostBatch:
        """Returns a host's part of the batch of a step, by kind of candidate.

        Raises:
          UserError: a batch size that the tasks' shares and the hosts do not divide.
        """
        size, rows = self.settings.batch_size, self.settings.width * host[1]
        if size % rows or not size:
            fix = f"must be a multiple of {rows}, the tasks' shares times the hosts"
            raise UserError(f"data.batch_size = {size}: {fix}")
        return {kind: self._part(kind, host, step) for kind in self.kinds}

    def queries(self, split: str, task: str = "") -> Queries:
        """Returns the queries of a split that led to something of a task."""
        if task not in self.settings.asked:
            raise UserError(f"no task {task!r}; the data has {', '.join(self.tasks)}")
        query, item = self._judged(split, asked := self.settings.asked[task])
        queries, ranked = pairs.judged(self.corpora[asked.kind], query, item)
        if asked.kind == QUERY:  # A query would find itself first.
            out = np.arange(len(queries) + 1, dtype=np.int64)
            ranked = replace(ranked, exclude_offsets=out, exclude=queries)
        trained = self._trained_queries, self.training_items(asked.kind)
        texts = tuple(self.catalog.queries.take(queries))
        return Queries(
            {name: column[queries] for name, column in self._all_queries.items()},
            ranked,
            texts=texts,
            corpus=asked.kind,
            cohorts=cohorts(query, item, *trained, self._tables.get(asked.kind)),
        )

    def _judged(self, split: str, asked: Engagement) -> np.ndarray:
        """Returns query and candidate of the distinct pairs of a split, i32[2, P]."""
        known = self.catalog.pairs
        part = splits.members(self.part, split, self.settings.split, "pairs")
        own = part[catalog_pairs.engaged(self.catalog, asked)[part]]
        both = np.stack([known.query[own], known.candidate[own]], 1)
        return np.unique(both, axis=0).T

    def training_items(self, corpus: str = "item") -> np.ndarray:
        """Returns the candidate of each training pair of a kind."""
        return self.catalog.pairs.candidate[self._trained(corpus)]

    def raw_queries(self, split: str, count: int) -> dict[str, list]:
        """Returns the first queries of a split as raw values: their texts."""
        asked = self.settings.asked[self.tasks[0]]
        rows = np.unique(self._judged(split, asked)[0])[:count]
        texts = self.catalog.queries.take(rows)
        return {"text": texts, **self.columns[QUERY].raw(rows)}

    def facts(self) -> Mapping[str, Any]:
        """Returns sizes of the data and the splits."""
        text, known = self.reader.text, self.catalog
        return {
            "source": self.settings.source,
            "queries": len(known.queries),
            **{f"{k}s": len(v) for k, v in known.entities.items()},
            "pairs": len(self.part),
            **splits.counts(self.part, "pairs"),
            **{f"training {k}": len(v) for k, v in self.training_pairs.items()},
            "n-grams": 0 if text is None else text.vocabulary.size,
        }

    def _corpus(self, kind: str) -> Corpus:
        if kind == QUERY:
            texts = tuple(self.catalog.queries)
            return Corpus(texts, texts, self._all_queries, QUERY)
        entities = self.catalog.entities[kind]
        titles = entities.texts.get("title", entities.ids)
        reader = EntityReader(kind, self.reader, *column_reads(self.columns[kind]))
        table, ids = self.catalog.tables[kind], tuple(entities.ids)
        return Corpus(ids, titles, reader.features_of(table), kind, reader, table)

    def _trained(self, kind: str) -> np.ndarray:
        return np.concatenate([self.training_pairs[n] for n, _ in self.kinds[kind]])

    @cached_property
    def _trained_queries(self) -> np.ndarray:
        chosen = np.concatenate([*self.training_pairs.values()])
        return self.catalog.pairs.query[chosen]

    @cached_property
    def _all_queries(self) -> Mapping[str, CorpusColumn]:
        text = self.inputs["text"].encode(list(self.catalog.queries))
        return {"text": text, **self.columns[QUERY].arrays}

    @cached_property
    def _tables(self) -> dict[str, Entities]:
        return {k: v for k, v in self.catalog.entities.items() if k in self.kinds}

    @cached_property
    def _orders(self) -> Mapping[str, pipeline.Order]:
        found = {}
        for name, rows in self.training_pairs.items():
            count = self._groups * self.settings.tasks[name].share
            found[name] = pipeline.order(len(rows), count, f"{name}/{self.seed}")
        return found

    @property
    def _groups(self) -> int:
        return self.settings.batch_size // self.settings.width

    @cached_property
    def _candidates(self) -> Mapping[str, Candidates]:
        settings, found = self.settings, {}
        split, count = settings.split, settings.negatives * self._groups
        moment = split.start if isinstance(split, FromTime) else None
        for kind, tasks in self.kinds.items():
            chosen = [(self.training_pairs[name], share) for name, share in tasks]
            of = self.catalog, kind, self.corpora[kind], chosen, moment, count
            found[kind] = catalog_pairs.candidates(*of, settings.known, self.seed)
        return found

    def _part(self, kind: str, host: Host, step: int) -> HostBatch:
        """Returns this host's pairs of a kind, and their negatives."""
        names = [name for name, _ in self.kinds[kind]]
        rows = [self.training_pairs[n][self._orders[n](step)] for n in names]
        chosen = catalog_pairs.interleaved(rows, self._groups)
        chosen = chosen[pipeline.rows_of(host, len(chosen))]
        known = self.catalog.pairs
        query, weight = known.query[chosen], np.ones(len(chosen), np.float32)
        own = {name: column[query] for name, column in self._all_queries.items()}
        of = own, query, known.candidate[chosen], weight
        return self._candidates[kind].batch(step, host, *of)
