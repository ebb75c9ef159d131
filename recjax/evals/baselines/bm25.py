"""BM25 over short texts: the baseline of product search.

S. Robertson, H. Zaragoza: "The Probabilistic Relevance Framework: BM25 and Beyond",
2009, eq. 3.15, with the idf that Lucene uses, ln(1 + (N - df + .5) / (df + .5)): it is
never negative. Every occurrence of a term in the query counts. Lengths count tokens.
Among short texts many scores are equal, so say which tie rule a figure follows.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy import sparse

from recjax.data.dataset import HasQueries, Queries
from recjax.evals.scorer import LinearScores, Need

_TOKEN = re.compile("[a-z0-9]+")


@dataclass(frozen=True)
class Bm25:
    """Words of a query in the titles of a corpus.

    Attributes:
      strip_plurals: whether to drop a final s, see `tokens`.
      k1: how slowly repeated terms saturate.
      b: how much length counts, 0 to 1.
    """

    strip_plurals: bool = True
    k1: float = 1.2
    b: float = 0.75
    needs: ClassVar[tuple[Need, ...]] = ("texts",)

    def __post_init__(self) -> None:
        """Checks the ranges.

        Raises:
          ValueError: a setting is out of range.
        """
        if self.k1 < 0 or not 0 <= self.b <= 1:
            raise ValueError(f"k1 {self.k1} must be at least 0, b {self.b} in 0..1")

    def fit(self, data: HasQueries, queries: Queries) -> LinearScores:
        """Indexes the titles of the queries' corpus."""
        return self.index(data.corpora[queries.corpus].titles, queries.texts or ())

    def index(self, titles: Sequence[str], queries: Sequence[str]) -> LinearScores:
        """Returns the scores of `N` titles for `Q` queries.

        Raises:
          ValueError: no title.
        """
        if not len(titles):
            raise ValueError("0 titles to index")
        terms: dict[str, int] = {}
        tf = _count(titles, terms, self.strip_plurals, grow=True)
        length = np.asarray(tf.sum(axis=1), np.float64)
        df = np.bincount(tf.indices, minlength=len(terms))
        idf = np.log1p((len(titles) - df + 0.5) / (df + 0.5))
        norm = self.k1 * (1 - self.b + self.b * length / max(length.mean(), 1e-9))
        row = np.repeat(np.arange(len(titles)), np.diff(tf.indptr))
        weight = idf[tf.indices] * tf.data * (self.k1 + 1) / (tf.data + norm[row])
        tf.data = weight.astype(np.float32)
        return LinearScores(_count(queries, terms, self.strip_plurals), tf.T.tocsr())


def tokens(text: str, strip_plurals: bool = True) -> list[str]:
    """Returns runs of `[a-z0-9]` of the lower-cased text.

    Args:
      text: any text.
      strip_plurals: whether to drop a final s of words over 3 letters not ending in ss.
    """
    found = _TOKEN.findall(text.lower())
    if not strip_plurals:
        return found
    return [
        word[:-1] if len(word) > 3 and word[-1] == "s" and word[-2] != "s" else word
        for word in found
    ]


def _count(
    texts: Sequence[str], terms: dict[str, int], strip: bool, grow: bool = False
) -> sparse.csr_array:
    """Counts terms [len(texts), V]; unknown ones are added to `terms` or left out."""
    offsets, ids = [0], []
    for text in texts:
        words = tokens(text, strip)
        if grow:
            ids += [terms.setdefault(word, len(terms)) for word in words]
        else:
            ids += [terms[word] for word in words if word in terms]
        offsets.append(len(ids))
    counts = sparse.csr_array(
        (np.ones(len(ids), np.float32), np.array(ids, np.int32), offsets),
        shape=(len(texts), len(terms)),
    )
    counts.sum_duplicates()
    return counts
