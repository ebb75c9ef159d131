"""BM25 over short texts: the baseline of product search.

S. Robertson, H. Zaragoza: "The Probabilistic Relevance Framework: BM25 and Beyond",
2009, eq. 3.15, with the idf that Lucene uses, ln(1 + (N - df + .5) / (df + .5)): it is
never negative. Every occurrence of a term in the query counts. Lengths count tokens.
Among short texts many scores are equal, so say which tie rule a figure follows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, ClassVar, Literal, get_args

import numpy as np
from scipy import sparse

from recjax.data.dataset import Corpus
from recjax.data.prepared import as_texts
from recjax.errors import UserError, nearest
from recjax.evals.linear_scorer import Asked, Learned, LinearScorer, LinearScores
from recjax.evals.scorer import Need
from recjax.extras import require
from recjax.text.ngrams import trigrams

Stem = Literal["none", "plural", "english", "trigrams"]
_TOKEN = re.compile(r"[^\W_]+")


@dataclass(frozen=True)
class Bm25(LinearScorer):
    """Words of a query in the texts of a corpus.

    Attributes:
      stem: "plural" drops a final s, see `tokens`; "english" is the Snowball stemmer;
        "none" leaves words as they are; "trigrams" takes runs of three characters
        in their place, which a misspelt word and a compound have in common with others.
      k1: how slowly repeated terms saturate.
      b: how much length counts, 0 to 1.
      fields: column of the items -> its weight, each with its own lengths and idf;
        none: the titles.

    Example:
      >>> words = Bm25(fields={"title": 1.0, "description": 0.3})
    """

    stem: Stem = "plural"
    k1: float = 1.2
    b: float = 0.75
    fields: Mapping[str, float] = field(default_factory=dict, hash=False)
    needs: ClassVar[tuple[Need, ...]] = ("texts",)

    def __post_init__(self) -> None:
        """Checks the settings.

        Raises:
          ValueError: a setting is out of range.
          UserError: the stemmer is not installed.
        """
        if self.k1 < 0 or not 0 <= self.b <= 1:
            raise ValueError(f"k1 {self.k1} must be at least 0, b {self.b} in 0..1")
        if not all(weight > 0 for weight in self.fields.values()):
            raise ValueError(f"fields {dict(self.fields)}: weights must be above 0")
        stemmer(self.stem)

    def learn(self, data: Any, corpus: str) -> Learned:
        """Indexes the texts of a corpus.

        Raises:
          UserError: the items have no such column, or no title has a word.
        """
        known: Corpus = data.corpora[corpus]
        if not self.fields:
            return self.indexed({"title": known.titles}, {"title": 1.0})
        return self.indexed(
            {name: _column(known, name) for name in self.fields}, self.fields
        )

    def ask(self, learned: Learned, queries: Asked) -> tuple[sparse.csr_array, None]:
        """Counts the words of queries."""
        return _count(queries.texts or (), learned.rows, self.stem), None

    def index(self, titles: Sequence[str], queries: Sequence[str]) -> LinearScores:
        """Returns the scores of `N` titles for `Q` queries.

        Raises:
          ValueError: no title.
        """
        learned = self.indexed({"title": titles}, {"title": 1.0})
        return LinearScores(_count(queries, learned.rows, self.stem), learned.weights)

    def indexed(
        self, texts: Mapping[str, Sequence[str]], weights: Mapping[str, float]
    ) -> Learned:
        """Returns what each word says of `N` items.

        Args:
          texts: field -> a text an item [N].
          weights: field -> its weight.

        Raises:
          ValueError: no items.
        """
        if not len(next(iter(texts.values()))):
            raise ValueError("0 titles to index")
        terms: dict[str, int] = {}
        counts = {n: _count(t, terms, self.stem, grow=True) for n, t in texts.items()}
        total = None
        for name, tf in counts.items():
            tf.resize((len(texts[name]), len(terms)))
            tf.data = np.float32(weights[name]) * self._weigh(tf)
            total = tf if total is None else total + tf
        assert total is not None
        return Learned(sparse.csr_array(total.T), words=tuple(terms))

    def _weigh(self, tf: sparse.csr_array) -> np.ndarray:
        """Returns the score of each term in each text."""
        shape: Any = tf.shape
        texts, terms = shape
        length = np.asarray(tf.sum(axis=1), np.float64)
        df = np.bincount(tf.indices, minlength=terms)
        idf = np.log1p((texts - df + 0.5) / (df + 0.5))
        norm = self.k1 * (1 - self.b + self.b * length / max(length.mean(), 1e-9))
        row = np.repeat(np.arange(texts), np.diff(tf.indptr))
        weight = idf[tf.indices] * tf.data * (self.k1 + 1) / (tf.data + norm[row])
        return weight.astype(np.float32)


def tokens(text: str, stem: Stem = "plural") -> list[str]:
    """Returns the runs of letters and digits, of any script, of the lower-cased text.

    Args:
      text: any text.
      stem: see `Bm25`; "plural" drops a final s of words over 3 letters not ending in
        ss.
    """
    if stem == "trigrams":
        return trigrams(text)
    of = stemmer(stem)
    return [of(word) for word in _TOKEN.findall(text.lower())]


@lru_cache
def stemmer(stem: Stem) -> Callable[[str], str]:
    """Returns what a word becomes.

    Raises:
      ValueError: there is no such kind.
      UserError: the stemmer is not installed.
    """
    if stem in ("none", "trigrams"):
        return str
    if stem == "plural":
        return _singular
    if stem != "english":
        known = ", ".join(map(repr, get_args(Stem)))
        raise ValueError(f"stem {stem!r}: take one of {known}")
    require("snowballstemmer", "text", "stem='english'")
    import snowballstemmer

    return lru_cache(1 << 20)(snowballstemmer.stemmer("english").stemWord)


def _singular(word: str) -> str:
    cut = len(word) > 3 and word[-1] == "s" and word[-2] != "s"
    return word[:-1] if cut else word


def _column(corpus: Corpus, name: str) -> Sequence[str]:
    if name == "title":
        return corpus.titles
    known = corpus.table
    if known is None or name not in known:
        has = [] if known is None else list(known.columns)
        raise UserError(
            f"Bm25.fields: the items have no column {name!r}, but {', '.join(has)}."
            + nearest(name, has)
        )
    return list(as_texts(known[name]))


def _count(
    texts: Sequence[str], terms: dict[str, int], stem: Stem, grow: bool = False
) -> sparse.csr_array:
    """Counts terms [len(texts), V]; unknown ones are added to `terms` or left out."""
    offsets, ids = [0], []
    for text in texts:
        words = tokens(text, stem)
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
