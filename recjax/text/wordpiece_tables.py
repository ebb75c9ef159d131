"""A word-piece tokenizer as finite tables, so that a graph can repeat it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from recjax.errors import UserError
from recjax.text.ngrams import LETTER, PUNCTUATION, SPACE
from recjax.text.normalize import CODE_POINTS
from recjax.text.wordpiece import END, START, WordPiece

_BETWEEN = "|"
"""Joins code points that are normalised apart; BERT's normaliser keeps it."""
_AT_ONCE = 1 << 16


@dataclass(frozen=True)
class WordPieceTables:
    """What BERT's tokenizer does to code points and words.

    One thing is not in the tables: where accents are stripped, Unicode reorders two
    spacing marks (category Mc, as U+302E) in a row, here their order stays.

    Attributes:
      folding: code point -> what the normaliser makes of it, where it changes.
      kinds: LETTER, SPACE or PUNCTUATION of each code point, u8[CODE_POINTS].
      pieces: word piece -> id.
      prefix: stands before a piece that does not start its word.
      longest: characters of the longest word that is cut into pieces.
      unknown: id of a word that no pieces spell.
      start: id before a text.
      end: id behind it.
    """

    folding: Mapping[int, str] = field(repr=False)
    kinds: np.ndarray = field(repr=False)
    pieces: Mapping[str, int] = field(repr=False)
    prefix: str
    longest: int
    unknown: int
    start: int
    end: int

    @classmethod
    def of(cls, tokenizer: WordPiece) -> WordPieceTables:
        """Reads the tables off a tokenizer.

        Raises:
          UserError: it normalises or splits texts in another way than BERT, or has
            words of its own beside the pieces.
        """
        about = json.loads(tokenizer.definition)
        for part, wanted in (
            ("normalizer", "BertNormalizer"),
            ("pre_tokenizer", "BertPreTokenizer"),
        ):
            found = (about.get(part) or {}).get("type")
            if found != wanted:
                raise UserError(
                    f"the tokenizer's {part} is {found}; a graph can repeat {wanted}"
                )
        for token in about.get("added_tokens", ()):
            if not token.get("special"):
                raise UserError(
                    f"the tokenizer adds the word {token.get('content')!r}, which a "
                    "graph cannot repeat; make it a word piece"
                )
        model = about["model"]
        pieces = {piece: id for piece, id in model["vocab"].items() if id}
        return cls(
            folding=_folding(tokenizer),
            kinds=_kinds(tokenizer),
            pieces=pieces,
            prefix=model["continuing_subword_prefix"],
            longest=model["max_input_chars_per_word"],
            unknown=pieces[model["unk_token"]],
            start=pieces[START],
            end=pieces[END],
        )


def _folding(tokenizer: WordPiece) -> dict[int, str]:
    table: dict[int, str] = {}
    for first in range(0, CODE_POINTS, _AT_ONCE):
        # Lone surrogates are read as U+FFFD, and so is what cannot be decoded.
        chars = [
            "\ufffd" if 0xD800 <= code < 0xE000 or chr(code) == _BETWEEN else chr(code)
            for code in range(first, first + _AT_ONCE)
        ]
        made = tokenizer.normalized(_BETWEEN.join(chars)).split(_BETWEEN)
        table |= {first + i: new for i, new in enumerate(made) if new != chr(first + i)}
    del table[ord(_BETWEEN)]
    return table


def _kinds(tokenizer: WordPiece) -> np.ndarray:
    kinds = np.full(CODE_POINTS, SPACE, np.uint8)
    for first in range(0, CODE_POINTS, _AT_ONCE):
        if first <= 0xD800 < first + _AT_ONCE:
            codes = [c for c in range(first, first + _AT_ONCE) if not _surrogate(c)]
        else:
            codes = list(range(first, first + _AT_ONCE))
        # Between two letters: it joins them, stands alone, or vanishes.
        text = "a" + "a".join(map(chr, codes)) + "a"
        for start, end in tokenizer.words(text):
            inside = codes[start // 2 : end // 2]
            alone = end - start == 1 and start % 2
            kinds[inside] = LETTER
            if alone:
                kinds[codes[start // 2]] = PUNCTUATION
    return kinds


def _surrogate(code: int) -> bool:
    return 0xD800 <= code < 0xE000
