"""Which embeddings a map shows, and in what colours."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from recjax.data.dataset import Corpus
from recjax.evals.answers import categories_of, title_of
from recjax.evals.evaluation import EmbeddingMap
from recjax.tables.typed import Table

SHOWN, LEAST, GROUPS = 400, 10, 9
WORDS = ("tags", "genres", "categories", "category")
"""Columns of texts whose words say of what kind an item is."""


def corpus_map(
    vectors: np.ndarray, corpus: Corpus, met: np.ndarray
) -> EmbeddingMap | None:
    """Returns the items that were met most, with their titles and kinds.

    Args:
      vectors: of the corpus [N, D].
      corpus: its items.
      met: how often each was met in training [N].

    Returns:
      None where there are too few items, or one has no finite vector.
    """
    chosen = np.argsort(-met, kind="stable")[:SHOWN]
    picked = np.asarray(vectors[chosen], np.float32)
    if len(chosen) < LEAST or not np.isfinite(picked).all():
        return None
    titles = [title_of(corpus, int(i)) for i in chosen]
    return EmbeddingMap(picked, titles, main_tags(_kinds(corpus.table, chosen)))


def main_tags(tags: Sequence[Sequence[str]], most: int = GROUPS) -> list[str]:
    """Returns each item's rarest tag among the `most` commonest, or "".

    Args:
      tags: of each item.
      most: different ones that are left.
    """
    counts = Counter(tag for own in tags for tag in set(own) if tag)
    common = dict(counts.most_common(most))
    return [
        min((t for t in own if t in common), key=lambda t: (common[t], t), default="")
        for own in tags
    ]


def _kinds(table: Table | None, rows: np.ndarray) -> list[list[str]]:
    """Returns what a table says of the kind of some items: its first such column."""
    for name, column in ({} if table is None else table.columns).items():
        if column.type in ("category", "categories"):
            return [categories_of(column, int(row)) for row in rows]
        if column.type == "text" and name in WORDS:
            texts = column.texts
            return [re.findall(r"[^\s,|]*[^\W\d][^\s,|]*", texts[int(r)]) for r in rows]
    return [[] for _ in rows]
