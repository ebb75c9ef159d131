"""A vocabulary of n-grams: three token lists laid end to end in one id space."""

from __future__ import annotations

import functools
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recjax.errors import UserError
from recjax.text.ngrams import PUBLISHED, TextRules, all_ngrams

KINDS = ("unigram", "bigram", "trigram")
_FORMAT = "recjax vocabulary 2"


@dataclass(frozen=True)
class Vocabulary:
    """Ids of the known n-grams: 0 is padding, then unigrams, bigrams and trigrams.

    An unknown n-gram has no id and is dropped. The same characters may be a unigram
    and a trigram at once; they are different tokens.

    Attributes:
      unigrams: the words; the first has id 1.
      bigrams: pairs of words joined by "#"; ids follow the unigrams.
      trigrams: runs of three characters; ids follow the bigrams.
      frequencies: for each token in id order (without padding), how many texts of the
        corpus hold it.
      documents: number of texts of the corpus.
      rules: how texts become n-grams.
    """

    unigrams: tuple[str, ...]
    bigrams: tuple[str, ...]
    trigrams: tuple[str, ...]
    frequencies: tuple[int, ...]
    documents: int
    rules: TextRules = PUBLISHED

    def __post_init__(self) -> None:
        """Checks the lists against each other.

        Raises:
          UserError: a list repeats a token, a trigram has not three characters, or
            there is not one frequency a token.
        """
        for kind, tokens in zip(KINDS, self.tokens, strict=True):
            if len(set(tokens)) < len(tokens):
                token = Counter(tokens).most_common(1)[0][0]
                raise UserError(f"vocabulary: {kind} {token!r} is listed twice")
        for token in self.trigrams:
            if len(token) != 3:
                raise UserError(
                    f"vocabulary: trigram {token!r} is not three characters long"
                )
        if len(self.frequencies) != self.size - 1:
            raise UserError(
                f"vocabulary: {self.size - 1} tokens but {len(self.frequencies)} "
                "document frequencies; give one a token"
            )

    @classmethod
    def build(
        cls,
        texts: Iterable[str],
        *,
        unigrams: int,
        bigrams: int,
        trigrams: int,
        min_count: int = 1,
        rules: TextRules = PUBLISHED,
    ) -> Vocabulary:
        """Returns the n-grams that most texts hold.

        Ties are broken by the token's text, so the order of `texts` does not matter.

        Args:
          texts: the corpus, read once.
          unigrams: how many unigrams to keep at most; 0 for none.
          bigrams: how many bigrams to keep at most.
          trigrams: how many trigrams to keep at most.
          min_count: a kept token is in at least this many texts.
          rules: how texts become n-grams.
        """
        counts: tuple[Counter[str], ...] = (Counter(), Counter(), Counter())
        documents = 0
        for text in texts:
            documents += 1
            if not text:
                continue
            for count, grams in zip(counts, all_ngrams(text, rules), strict=True):
                count.update(set(grams))
        kept = [
            sorted(
                (item for item in count.items() if item[1] >= min_count),
                key=lambda item: (-item[1], item[0]),
            )[:limit]
            for count, limit in zip(counts, (unigrams, bigrams, trigrams), strict=True)
        ]
        return cls(
            *(tuple(token for token, _ in items) for items in kept),
            frequencies=tuple(n for items in kept for _, n in items),
            documents=documents,
            rules=rules,
        )

    @property
    def tokens(self) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
        """The three token lists in id order."""
        return self.unigrams, self.bigrams, self.trigrams

    def names(self) -> list[str]:
        """Returns what each id from 1 on stands for: kind and token."""
        pairs = zip(KINDS, self.tokens, strict=True)
        return [f"{kind} {token}" for kind, tokens in pairs for token in tokens]

    @property
    def size(self) -> int:
        """V: number of ids, padding included."""
        return 1 + sum(map(len, self.tokens))

    @property
    def offsets(self) -> tuple[int, int, int]:
        """The first id of each token list."""
        second = 1 + len(self.unigrams)
        return 1, second, second + len(self.bigrams)

    def idf(self) -> np.ndarray:
        """Returns each id's inverse document frequency, f32[V], padding 0.

        log(1 + (n - f + 1/2) / (f + 1/2)) for f of n texts: BM25's weight with Lucene's
        "1 +", which keeps it positive for tokens of more than half of the texts.
        """
        weights = np.zeros(self.size, np.float32)
        held = np.asarray(self.frequencies, np.float64)
        weights[1:] = np.log1p((self.documents - held + 0.5) / (held + 0.5))
        return weights

    def encode(self, text: str) -> np.ndarray:
        """Returns the ids of the n-grams of `text`, i32[n].

        Duplicates are kept unless the rules say `once`. Unigrams come first, then
        bigrams, then trigrams, each in text order.
        """
        return np.asarray(self._ids(text), np.int32)

    def encode_padded(self, texts: Sequence[str], length: int) -> np.ndarray:
        """Returns the ids of every text, i32[B, length], zeros at the end.

        Of a text with more than `length` ids the first `length` are kept, so trigrams
        are lost first, those at the end of the text before the others.
        """
        padded = np.zeros((len(texts), length), np.int32)
        for row, text in zip(padded, texts, strict=True):
            ids = self._ids(text)[:length]
            row[: len(ids)] = ids
        return padded

    def save(self, path: str | Path) -> None:
        """Writes the vocabulary as JSON lines: a header, then one token a line."""
        header: dict[str, Any] = {"format": _FORMAT, "documents": self.documents}
        header["rules"] = asdict(self.rules)
        header |= dict(zip(KINDS, map(len, self.tokens), strict=True))
        frequency = iter(self.frequencies)
        with open(path, "w", encoding="utf-8", newline="\n") as file:
            file.write(json.dumps(header) + "\n")
            for kind, tokens in zip(KINDS, self.tokens, strict=True):
                for token in tokens:
                    file.write(json.dumps([kind, token, next(frequency)]) + "\n")

    @classmethod
    def load(cls, path: str | Path) -> Vocabulary:
        """Reads what `save` wrote.

        Raises:
          UserError: the file is missing, truncated or no vocabulary.
        """
        try:
            lines = Path(path).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"{path}: cannot read the vocabulary: {error}") from error
        try:
            header = json.loads(lines[0])
            if header["format"] != _FORMAT:
                raise ValueError(header["format"])
            sizes = [int(header[kind]) for kind in KINDS]
            documents = int(header["documents"])
            rules = TextRules(**header["rules"])
        except (ValueError, LookupError, TypeError) as error:
            raise UserError(
                f"{path}: not a vocabulary file (line 1 must hold "
                f'"format": "{_FORMAT}"); build it anew'
            ) from error
        if len(lines) - 1 != sum(sizes):
            raise UserError(
                f"{path}: {len(lines) - 1} token lines, but line 1 promises "
                f"{sum(sizes)}; the file is truncated or edited, build it anew"
            )
        expected = [k for k, n in zip(KINDS, sizes, strict=True) for _ in range(n)]
        tokens, frequencies = [], []
        for number, (line, kind) in enumerate(zip(lines[1:], expected, strict=True), 2):
            try:
                found, token, frequency = json.loads(line)
                if (found, type(token), type(frequency)) != (kind, str, int):
                    raise ValueError(line)
            except (ValueError, TypeError) as error:
                raise UserError(
                    f"{path} line {number}: {line[:60]!r} must be "
                    f'["{kind}", token, number of texts]; build the file anew'
                ) from error
            tokens.append(token)
            frequencies.append(frequency)
        first, second = sizes[0], sizes[0] + sizes[1]
        return cls(
            tuple(tokens[:first]),
            tuple(tokens[first:second]),
            tuple(tokens[second:]),
            tuple(frequencies),
            documents,
            rules,
        )

    @functools.cached_property
    def _lookups(self) -> tuple[dict[str, int], ...]:
        return tuple(
            {token: first + i for i, token in enumerate(tokens)}
            for first, tokens in zip(self.offsets, self.tokens, strict=True)
        )

    def _ids(self, text: str) -> list[int]:
        ids = [
            known
            for lookup, grams in zip(
                self._lookups, all_ngrams(text, self.rules), strict=True
            )
            for gram in grams
            if (known := lookup.get(gram))
        ]
        return list(dict.fromkeys(ids)) if self.rules.once else ids
