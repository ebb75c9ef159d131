"""Settings of text features, and what they make of a corpus of texts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from recjax.features import IdFeature
from recjax.text import minilm
from recjax.text.ngrams import PUBLISHED, TextRules
from recjax.text.vocabulary import Vocabulary
from recjax.text.wordpiece import WordPiece


@dataclass(frozen=True)
class TextInput:
    """A text per example, as the ids of its n-grams.

    Attributes:
      vocabulary: of the n-grams.
      length: most ids of one text.
      column: whose texts they are; "" for that of the feature's name.
    """

    vocabulary: Vocabulary = field(repr=False)
    length: int
    column: str = ""

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Returns padded ids, i32[B, length]."""
        return self.vocabulary.encode_padded(texts, self.length)


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

    def input(self, texts: Iterable[str], length: int) -> TextInput:
        """Returns how a text becomes at most `length` ids of this vocabulary."""
        return TextInput(self.build(texts), length)

    def feature(self, made: TextInput) -> IdFeature:
        """Returns what a model must know of such texts."""
        start = self.importance(made.vocabulary)
        names = made.vocabulary.names
        return IdFeature(made.vocabulary.size, made.length, start, names=names)

    def importance(self, vocabulary: Vocabulary) -> np.ndarray:
        """Returns the starting importance of each id, f32[V]; padding has 0."""
        sizes = [1, *map(len, vocabulary.tokens)]
        kinds = np.repeat(np.array([0.0, *self.kind_weights], np.float32), sizes)
        return kinds * vocabulary.idf() ** np.float32(self.idf_power)


@dataclass(frozen=True)
class Pieces:
    """Word pieces for encoders of the BERT family.

    Attributes:
      size: most of them, where they are learned from the training queries.
      folder: a model's folder, whose tokenizer is taken instead; "minilm_l6" is
        fetched if need be.
    """

    size: int = 16_000
    folder: str | None = None

    def input(self, texts: Iterable[str], length: int) -> WordPiece:
        """Returns how a text becomes at most `length` word pieces.

        Raises:
          UserError: the folder holds no tokenizer.
        """
        if self.folder is None:
            return WordPiece.learn(texts, self.size, length)
        return WordPiece.read(minilm.find(self.folder), length)

    def feature(self, made: WordPiece) -> IdFeature:
        """Returns what a model must know of such texts: all pieces start alike."""
        ones = np.ones(made.size, np.float32)
        return IdFeature(made.size, made.length, ones, names=made.names, cut=True)
