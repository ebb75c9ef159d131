"""Scores of several parts added up, as a TensorFlow graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from recjax.bundle import tf_ops
from recjax.bundle.saved_model import utf8
from recjax.bundle.tf_item_knn import ItemKnnGraph
from recjax.bundle.tf_text import trigram_key, trigram_keys
from recjax.errors import UserError
from recjax.evals.baselines.bm25 import Bm25
from recjax.evals.baselines.item_knn import ItemKnn
from recjax.evals.baselines.popularity import Popularity
from recjax.evals.fused import FusedParts, Part
from recjax.evals.fusion_weights import RANK_CONSTANT, Shape
from recjax.text import ngrams
from recjax.text.normalize import folding

HOLDS_NO = "a SavedModel cannot hold"
INSTEAD = (
    "the bundle answers in Python, by `recjax query` and `recjax serve`: "
    "--set export.saved_model=false"
)
Scored = Callable[[Any, dict[str, Any]], Any]
"""(vectors of queries f32[B, D], raw columns) -> scores f32[B, N]."""


def check(fused: FusedParts) -> None:
    """Checks that the parts have a form in TensorFlow.

    Raises:
      UserError: one has none.
    """
    if fused.rerank:
        raise UserError(f"export.fusion.rerank: {HOLDS_NO} a second stage; {INSTEAD}")
    for name, part in fused.parts.items():
        scorer = part.scorer
        words = isinstance(scorer, Bm25) and scorer.stem != "english"
        if not (scorer is None or words or isinstance(scorer, Popularity | ItemKnn)):
            kind = type(scorer).__name__
            kind += "(stem='english')" if isinstance(scorer, Bm25) else ""
            raise UserError(f"export.fusion.parts.{name}: {HOLDS_NO} {kind}; {INSTEAD}")


def scores(tf: Any, module: Any, fused: FusedParts, item_ids: Sequence[str]) -> Scored:
    """Returns what scores all items [N], of which `module.vectors` are the vectors."""
    check(fused)
    calls = []
    for number, part in enumerate(fused.parts.values()):
        calls.append((part, _call(tf, module, part, number, item_ids)))

    def scored(embedding: Any, raw: dict[str, Any]) -> Any:
        found = [
            np.float32(part.weight) * _shaped(tf, call(embedding, raw), part.shape)
            for part, call in calls
        ]
        return tf.add_n(found)

    return scored


def _call(
    tf: Any, module: Any, part: Part, number: int, item_ids: Sequence[str]
) -> Scored:
    if part.scorer is None or part.learned is None:
        return lambda embedding, _: tf.matmul(
            embedding, module.vectors, transpose_b=True
        )
    if isinstance(part.scorer, Popularity):
        same = tf.constant(part.learned.same, tf.float32)
        return lambda embedding, _: tf.repeat(same[None], tf.shape(embedding)[0], 0)
    if isinstance(part.scorer, ItemKnn):
        neighbours = ItemKnnGraph(tf, part, item_ids)
        setattr(module, f"fusion_{number}", neighbours.held)
        return lambda _, raw: neighbours(raw)
    words = _Words(tf, part, number)
    setattr(module, f"fusion_{number}", words.held)
    return lambda _, raw: words(raw["text"])


class _Words:
    """Matching words: see `Bm25`."""

    def __init__(self, tf: Any, part: Part, number: int) -> None:
        assert isinstance(part.scorer, Bm25) and part.learned is not None
        self.tf, self.stem = tf, part.scorer.stem
        self.letters = self.stem == "trigrams"
        self.size = len(part.learned.words)
        self.held = tf.Module(name=f"words_{number}")
        self.held.table = self._table(part.learned.words)
        self.weighed = tf_ops.weighed(tf, self.held, part.learned.weights)

    def __call__(self, text: Any) -> Any:
        tf = self.tf
        known, row = self._trigrams(text) if self.letters else self._words(text)
        counts = tf.tensor_scatter_nd_add(
            tf.zeros([self.size + 1, tf.size(text)]),
            tf.stack([tf.cast(known, tf.int64), row], 1),
            tf.ones_like(known, tf.float32),
        )
        return self.weighed(counts[1:])

    def _table(self, words: Sequence[str]) -> Any:
        if not self.letters:
            return tf_ops.hash_table(self.tf, utf8(words), 1)
        self.held.folded = tf_ops.code_point_folder(self.tf, folding())
        self.held.classes = tf_ops.pages(self.tf, ngrams.classes().astype(np.int32))
        keys = [trigram_key(*map(ord, word)) for word in words]
        return tf_ops.hash_table(self.tf, keys, 1, self.tf.int64)

    def _words(self, text: Any) -> tuple[Any, Any]:
        """Returns ids of words, 0 for those that no title has, and their rows."""
        tf = self.tf
        lower = tf.strings.lower(text, encoding="utf-8")
        spaced = tf.strings.regex_replace(lower, r"[^\pL\pN]+", " ")
        words = tf.strings.split(tf.strings.strip(spaced), " ")
        flat = words.values
        if self.stem == "plural":
            flat = tf.strings.regex_replace(flat, r"^(.{2,}[^s])s$", r"\1")
        return self.held.table.lookup(flat), words.value_rowids()

    def _trigrams(self, text: Any) -> tuple[Any, Any]:
        codes, row = self.held.folded(text)
        kinds = tf_ops.lookup(self.tf, self.held.classes, codes)
        keys, row = trigram_keys(self.tf, codes, kinds, row)
        return self.held.table.lookup(keys), row


def _shaped(tf: Any, found: Any, shape: Shape) -> Any:
    """Returns the same as `fusion_weights.shaped`."""
    top = tf.reduce_max(found, 1, keepdims=True)
    if shape == "max":
        return tf.where(top > 0, found / tf.where(top > 0, top, 1.0), 0.0)
    if shape == "rank":
        order = tf.argsort(-found, 1, stable=True)
        place = tf.cast(tf.argsort(order, 1), tf.float32)
        best = (1 + RANK_CONSTANT) / (1 + RANK_CONSTANT + place)
        low = tf.reduce_min(found, 1, keepdims=True)
        return tf.where(top > low, best, tf.zeros_like(best))
    spread = tf.math.reduce_std(found, 1, keepdims=True)
    centred = found - tf.reduce_mean(found, 1, keepdims=True)
    some = spread > 0
    return tf.where(some, centred / tf.where(some, spread, 1.0), 0.0)
