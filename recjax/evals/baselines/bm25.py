"""BM25 over short texts: the baseline of product search.

S. Robertson, H. Zaragoza: "The Probabilistic Relevance Framework: BM25 and Beyond",
2009, eq. 3.15, with the idf that Lucene uses, ln(1 + (N - df + .5) / (df + .5)): it is
never negative. Every occurrence of a term in the query counts. Lengths count tokens.
Among short texts many scores are equal, so say which tie rule a figure follows.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy import sparse

_TOKEN = re.compile("[a-z0-9]+")


@dataclass(frozen=True)
class Bm25:
    """BM25 scores of `N` texts for `Q` queries.

    Attributes:
      weights: what one occurrence of a term in a query adds, sparse float32 [V, N].
      terms: term -> row of `weights`.
      stripped: whether plurals are stripped.
      counts: occurrences of terms in the queries, sparse float32 [Q, V].
    """

    weights: sparse.csr_array
    terms: dict[str, int] = field(repr=False)
    stripped: bool
    counts: sparse.csr_array

    @classmethod
    def fit(
        cls,
        titles: Sequence[str],
        queries: Sequence[str] = (),
        strip_plurals: bool = True,
        k1: float = 1.2,
        b: float = 0.75,
    ) -> Bm25:
        """Indexes texts.

        Args:
          titles: the corpus [N].
          queries: what `scores` answers [Q].
          strip_plurals: whether to drop a final s, see `tokens`.
          k1: how slowly repeated terms saturate.
          b: how much length counts, 0 to 1.

        Raises:
          ValueError: no text, or `k1` or `b` out of range.
        """
        if not len(titles) or k1 < 0 or not 0 <= b <= 1:
            raise ValueError(f"{len(titles)} texts, k1 {k1}, b {b}")
        terms: dict[str, int] = {}
        tf = _count(titles, terms, strip_plurals, grow=True)
        length = np.asarray(tf.sum(axis=1), np.float64)
        df = np.bincount(tf.indices, minlength=len(terms))
        idf = np.log1p((len(titles) - df + 0.5) / (df + 0.5))
        norm = k1 * (1 - b + b * length / max(length.mean(), 1e-9))
        row = np.repeat(np.arange(len(titles)), np.diff(tf.indptr))
        tf.data = (idf[tf.indices] * tf.data * (k1 + 1) / (tf.data + norm[row])).astype(
            np.float32
        )
        counts = _count(queries, terms, strip_plurals)
        return cls(tf.T.tocsr(), terms, strip_plurals, counts)

    def with_queries(self, queries: Sequence[str]) -> Bm25:
        """Returns the same index asked other queries."""
        return replace(self, counts=_count(queries, self.terms, self.stripped))

    def scores(self, start: int, stop: int) -> np.ndarray:
        """Returns float32 [stop - start, N]."""
        return (self.counts[start:stop] @ self.weights).toarray()


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
