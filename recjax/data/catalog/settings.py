"""Settings of search in a catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from recjax.data.catalog.pairs import Engagement
from recjax.text.features import NGrams, Pieces

TASKS = {
    "pin_onsite": Engagement("pin", ("save", "long_click"), 8),
    "product_onsite": Engagement("product", ("save", "long_click"), 4),
    "query_click": Engagement("query", ("click",), 2),
    "product_offsite": Engagement("product", ("add_to_cart", "checkout"), 2),
}
"""The published mix. (The public code leads offsite queries to pins, a slip.)"""
ASKED = {
    "pin_save": Engagement("pin", ("save",)),
    "pin_long_click": Engagement("pin", ("long_click",)),
    "pin_relevance": Engagement("pin", ("relevance",)),
    "product_save": Engagement("product", ("save",)),
    "product_long_click": Engagement("product", ("long_click",)),
    "product_offsite": Engagement("product", ("add_to_cart", "checkout")),
    "query_click": Engagement("query", ("click",)),
}
"""The published evaluation sets."""


@dataclass(frozen=True)
class CatalogSettings:
    """Settings of search in a catalogue.

    A batch holds pairs of all tasks in the order of kinds, each kind in groups, so that
    every host and device has its share of each.

    Attributes:
      source: name or folder of a prepared catalogue.
      batch_size: pairs of the global batch.
      negatives: random negatives a pair, of those of its kind that there were before
        the test.
      tasks: name -> what is trained on, and its share of a batch.
      asked: name -> what is evaluated.
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
      test_from: first moment of the test, unix seconds; None parts queries by text.
      validation: share of earlier pairs, the latest, that validate.
    """

    source: str
    batch_size: int = 1_024
    negatives: int = 4
    tasks: Mapping[str, Engagement] = field(default_factory=lambda: TASKS)
    asked: Mapping[str, Engagement] = field(default_factory=lambda: ASKED)
    fields: tuple[str, ...] = ()
    dense: tuple[str, ...] = ()
    legacy: tuple[str, ...] = ()
    images: int = 4
    ngrams: NGrams = NGrams()
    field_length: int = 32
    length: int = 192
    query: NGrams | Pieces = Pieces()
    query_length: int = 64
    caps: Mapping[str, int] = field(default_factory=lambda: {"pin": 50, "product": 200})
    known: int = 0
    test_from: int | None = None
    validation: float = 0.05
