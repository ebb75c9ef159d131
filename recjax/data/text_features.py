"""Settings of text features, and the vocabulary that they build."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from recjax.data.text.vocabulary import Vocabulary


@dataclass(frozen=True)
class NGrams:
    """How many n-grams of each kind the vocabulary holds.

    Attributes:
      unigrams: words.
      bigrams: pairs of words.
      trigrams: runs of three characters.
      min_count: a kept n-gram stands in at least this many texts.
    """

    unigrams: int = 200_000
    bigrams: int = 1_000_000
    trigrams: int = 64_000
    min_count: int = 1

    def build(self, texts: Iterable[str]) -> Vocabulary:
        """Returns the vocabulary of a corpus of texts."""
        return Vocabulary.build(
            texts,
            unigrams=self.unigrams,
            bigrams=self.bigrams,
            trigrams=self.trigrams,
            min_count=self.min_count,
        )
