"""Product search: a query text leads to a product's title."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from recjax import rng
from recjax.data import fitted, pairs, pipeline, splits
from recjax.data.column_reader import corpus
from recjax.data.columns import Columns
from recjax.data.dataset import Corpus, Queries
from recjax.data.fitted import Fitted
from recjax.data.inputs import Input, blanked
from recjax.data.negatives import Negatives
from recjax.data.pairs import Candidates
from recjax.data.pipeline import Host, HostBatch
from recjax.data.prepared import prepared_path
from recjax.data.pseudo_queries import span
from recjax.data.search_pairs import SearchPairs, load_search_pairs
from recjax.data.splits import ByQuery, Split
from recjax.errors import UserError
from recjax.features import Sides
from recjax.text.features import NGrams, Pieces, TextInput
from recjax.text.ngrams import words


@dataclass(frozen=True)
class Search:
    """Settings of a search data set.

    A batch holds labelled pairs and, in the share `title_share`, spans of titles that
    stand for queries (so that every product is met, labelled or not).

    Attributes:
      source: name or folder of prepared search pairs.
      batch_size: pairs of the global batch.
      negatives: uniform negatives of the global batch.
      ngrams: vocabulary of training queries and all titles.
      query_length: n-grams of a query.
      title_length: n-grams of a title.
      pieces: word pieces of the same texts, as the feature "pieces" of both sides;
        None for none.
      query_pieces: word pieces of a query.
      title_pieces: word pieces of a title.
      title_share: share of a batch whose query is a span of a title.
      span: fewest and most words of such a span.
      min_relevance: pairs below are no positives in training.
      positive_relevance: what evaluation takes for a positive.
      lowest_relevance: the scale's lower end: gains are relevance minus this.
      split: how pairs are split.
      fit: splits whose pairs train the model.
      columns: of products for candidates, of "query" for queries; see
        `recjax.data.columns`. Spans of titles have none of a query's.
    """

    source: str
    batch_size: int = 1_024
    negatives: int = 1_024
    ngrams: NGrams = NGrams(min_count=2)
    query_length: int = 64
    title_length: int = 160
    pieces: Pieces | None = None
    query_pieces: int = 24
    title_pieces: int = 32
    title_share: float = 0.5
    span: tuple[int, int] = (1, 5)
    min_relevance: float = 2.0
    positive_relevance: float = 3.0
    lowest_relevance: float = 1.0
    split: Split = ByQuery()
    fit: tuple[str, ...] = ("train",)
    columns: Columns = field(default_factory=dict)

    def open(self, seed: int) -> SearchData:
        """Reads the prepared pairs.

        Raises:
          UserError: they are not prepared.
        """
        return SearchData(self, seed, load_search_pairs(prepared_path(self.source)))


@dataclass(frozen=True)
class SearchData:
    """An opened search data set.

    Attributes:
      settings: the settings.
      seed: of the order, the negatives and the spans.
      pairs: all judged pairs.
    """

    settings: Search
    seed: int
    pairs: SearchPairs
    tasks = ("",)

    @property
    def unjudged(self) -> str:
        """Says that no query is judged, where that is so; else ""."""
        known = self.pairs
        none = f"no queries are judged of the {len(known.product_ids)} products"
        return "" if len(known.query) else none

    @cached_property
    def part(self) -> np.ndarray:
        """The split of each pair."""
        return self.settings.split.parts(self.pairs.examples)

    @cached_property
    def training_pairs(self) -> np.ndarray:
        """Positions of the pairs that train the model."""
        good = self.pairs.relevance >= self.settings.min_relevance
        return np.flatnonzero(good & splits.in_any(self.part, self.settings.fit))

    @cached_property
    def inputs(self) -> Mapping[str, Input]:
        """How query features are made from raw values."""
        return fitted.joined(self.text_inputs, self.columns["query"])

    @cached_property
    def text_inputs(self) -> Mapping[str, Any]:
        """How features are made of the text of a query."""
        queries = np.unique(self.pairs.query[self.training_pairs])
        texts = [*self.pairs.titles, *(self.pairs.queries[q] for q in queries)]
        vocabulary = self.settings.ngrams.build(texts)
        length = self.settings.query_length
        inputs: dict[str, Input] = {"text": TextInput(vocabulary, length)}
        if (pieces := self.settings.pieces) is not None:
            made = pieces.input(texts, self.settings.query_pieces)
            inputs["pieces"] = replace(made, column="text")
        return inputs

    @cached_property
    def columns(self) -> Mapping[str, Fitted]:
        """The columns of queries and products as features."""
        known, chosen = self.pairs, self.training_pairs
        met = {"query": known.query[chosen], known.kind: known.product[chosen]}
        rows = {name: np.unique(of) for name, of in met.items()}
        return fitted.fit(self.settings.columns, known.tables, rows)

    @cached_property
    def title_inputs(self) -> Mapping[str, Input]:
        """How product features are made from titles: as those of queries, longer."""
        lengths = {
            "text": self.settings.title_length,
            "pieces": self.settings.title_pieces,
        }
        return {n: replace(i, length=lengths[n]) for n, i in self.text_inputs.items()}

    @cached_property
    def corpus(self) -> Corpus:
        """All products."""
        known, made = self.pairs, self.title_inputs
        sources = {name: ("title",) for name in made}
        return corpus(known.kind, known.titles, made, sources, self.columns[known.kind])

    @property
    def corpora(self) -> Mapping[str, Corpus]:
        """The one corpus."""
        return {"item": self.corpus}

    @cached_property
    def sides(self) -> Sides:
        """The features of both sides."""
        kinds = {"text": self.settings.ngrams, "pieces": self.settings.pieces}
        made = {"query": self.text_inputs, "candidate": self.title_inputs}
        tables = {"query": "query", "candidate": self.pairs.kind}
        return {
            side: {name: kinds[name].feature(input) for name, input in inputs.items()}
            | {**self.columns[tables[side]].features}
            for side, inputs in made.items()
        }

    def batch(self, step: int, host: Host = (0, 1)) -> HostBatch:
        """Returns a host's part of the batch of a step."""
        settings, known = self.settings, self.pairs
        if not len(self.training_pairs) and not self.unjudged:
            raise UserError(f"no pair of {settings.source} trains the model")
        rows = self._order(step)
        mine = pipeline.rows_of(host, len(rows))
        generator = rng.host_stream(self.seed, "spans", step)
        spans = (generator.random(len(rows)) < self._share)[mine]
        titles = generator.integers(0, len(self.corpus), len(rows))[mine]
        draws = generator.random((len(rows), 2))[mine]
        number = np.arange(len(rows))[mine]
        asked, product, relevance = self._pairs_of(rows[mine])
        positive = np.where(spans, titles, product).astype(np.int32)
        texts = [
            span(self._words[item], draw, settings.span) if chosen else known.queries[q]
            for item, draw, chosen, q in zip(positive, draws, spans, asked, strict=True)
        ]
        top = max(settings.positive_relevance, known.relevance.max(initial=0))
        weight = np.where(spans, 1.0, relevance / top)
        own = {} if self.unjudged else self.columns["query"].take(asked)
        query = {**self._encode(texts), **blanked(own, self.inputs, spans)}
        query_id = np.where(spans, -1 - number, asked)
        return self._candidates.batch(step, host, query, query_id, positive, weight)

    def queries(self, split: str, task: str = "") -> Queries:
        """Returns the queries of a split that have at least one positive."""
        known, settings = self.pairs, self.settings
        asked = self._judged(split)
        wanted, task = pairs.judged(
            self.corpus,
            known.query[asked],
            known.product[asked],
            known.relevance[asked] - settings.lowest_relevance,
            settings.positive_relevance - settings.lowest_relevance,
        )
        texts = tuple(known.queries[q] for q in wanted)
        own = self.columns["query"].take(wanted)
        return Queries({**self._encode(texts), **own}, task, texts=texts)

    def training_items(self, corpus: str = "item") -> np.ndarray:
        """Returns the product of each training pair."""
        return self.pairs.product[self.training_pairs]

    def raw_queries(self, split: str, count: int) -> dict[str, list]:
        """Returns the first queries of a split as raw values: their texts.

        Titles stand for them where none is judged.
        """
        if self.unjudged:
            return {"text": list(self.pairs.titles[:count])}
        asked = np.unique(self.pairs.query[self._judged(split)])[:count]
        texts = [self.pairs.queries[q] for q in asked]
        return {"text": texts, **self.columns["query"].raw(asked)}

    def _judged(self, split: str) -> np.ndarray:
        """Returns the pairs of a split whose query has a positive."""
        known, settings = self.pairs, self.settings
        asked = splits.members(self.part, split, settings.split, "pairs")
        positive = known.relevance[asked] >= settings.positive_relevance
        return asked[np.isin(known.query[asked], known.query[asked][positive])]

    def facts(self) -> Mapping[str, Any]:
        """Returns sizes of the data and the splits."""
        _, first = np.unique(self.pairs.query, return_index=True)
        return {
            "source": self.settings.source,
            "queries": len(self.pairs.queries),
            "products": len(self.pairs.product_ids),
            "pairs": len(self.pairs.query),
            "training pairs": len(self.training_pairs),
            **splits.counts(self.part[first], "queries"),
            "vocabulary": self.inputs["text"].vocabulary.size,
        }

    @cached_property
    def _order(self) -> pipeline.Order:
        size, name = len(self.training_pairs), f"order/{self.seed}"
        size = size or len(self.corpus)
        return pipeline.order(size, self.settings.batch_size, name)

    @property
    def _share(self) -> float:
        """The share of a batch that is spans of titles: all, where none is judged."""
        return 1.0 if self.unjudged else self.settings.title_share

    def _pairs_of(self, rows: np.ndarray) -> tuple[np.ndarray, ...]:
        """Returns query, product and relevance of training pairs."""
        if self.unjudged:
            return (np.zeros(len(rows), int),) * 3
        pair, known = self.training_pairs[rows], self.pairs
        return known.query[pair], known.product[pair], known.relevance[pair]

    @cached_property
    def _candidates(self) -> Candidates:
        size, share = len(self.corpus), self._share
        # Labelled products and, by their share, titles drawn uniformly.
        labelled = pairs.log_share(np.bincount(self.training_items(), minlength=size))
        mixed = np.log((1 - share) * np.exp(labelled) + share / size)
        drawn = Negatives(size, self.settings.negatives, self.seed)
        return Candidates(self.corpus, mixed.astype(np.float32), drawn)

    def _encode(self, texts: Sequence[str]) -> dict[str, np.ndarray]:
        return {name: input.encode(texts) for name, input in self.text_inputs.items()}

    @cached_property
    def _words(self) -> list[list[str]]:
        return [words(title) for title in self.pairs.titles]
