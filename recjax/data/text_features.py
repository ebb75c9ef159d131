"""Settings of text features, and the vocabulary that they build."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from recjax.data.text.ngrams import PUBLISHED, TextRules
from recjax.data.text.vocabulary import Vocabulary


@dataclass(frozen=True)
class NGrams:
    """How many n-grams of each kind the vocabulary holds.

    Attributes:
      unigrams: words.
      bigrams: pairs of words.
      trigrams: runs of three characters.
      min_count: a kept n-gram stands in at least this many texts.
      rules: how texts become n-grams.
      kind_weights: starting importance of a unigram, a bigram, a trigram.
      idf_power: power of the inverse document frequency in that importance.
    """

    unigrams: int = 200_000
    bigrams: int = 1_000_000
    trigrams: int = 64_000
    min_count: int = 1
    rules: TextRules = PUBLISHED
    kind_weights: tuple[float, float, float] = (1.0, 1.0, 1.0)
    idf_power: float = 1.0

    def build(self, texts: Iterable[str]) -> Vocabulary:
        """Returns the vocabulary of a corpus of texts."""
        return Vocabulary.build(
            texts,
            unigrams=self.unigrams,
            bigrams=self.bigrams,
            trigrams=self.trigrams,
            min_count=self.min_count,
            rules=self.rules,
        )

    def importance(self, vocabulary: Vocabulary) -> np.ndarray:
        """Returns the starting importance of each id, f32[V]; padding has 0."""
        sizes = [1, *map(len, vocabulary.tokens)]
        kinds = np.repeat(np.float32([0.0, *self.kind_weights]), sizes)
        return kinds * vocabulary.idf() ** np.float32(self.idf_power)
