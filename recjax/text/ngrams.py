"""Word unigrams, word bigrams and character trigrams of a text.

The rules are OmniSearchSage's (arXiv 2404.16260, published code):
* words: ideographs stand alone; split on whitespace or punctuation, which vanish;
* bigrams: neighbouring words joined by "#" (itself punctuation, hence never in a word);
* trigrams: "#" at both ends and for each run of whitespace, punctuation kept, running
  across words; whitespace at an end is one with that end's "#".
Code points beyond U+FFFF are visited once (the published code visits them twice).
Every function normalises its input; normalised input is left as it is. `TextRules` adds
what product search profits from; the defaults are the published rules.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from dataclasses import dataclass

import numpy as np

from recjax.text.normalize import CODE_POINTS, LAST_USED, normalize

LETTER, SPACE, PUNCTUATION, IDEOGRAPH = 0, 1, 2, 3
JOINER = "#"
PLURAL = "^(.{2,}[^s])s$"
"""A word that loses its final s; read alike by Python and TensorFlow."""

_RUNS = re.compile("[0-9]+|[^0-9]+")
_PLURAL = re.compile(PLURAL)

# The CJK Unified and Compatibility Ideograph blocks.
_IDEOGRAPHS = (
    (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x2EE5D),
    (0x2F800, 0x2FA1F), (0x30000, 0x323AF),
)  # fmt: skip


@dataclass(frozen=True)
class TextRules:
    """What product search profits from, beyond the published rules.

    Attributes:
      split_digits: "4in" is two words, "4" and "in" (digits 0 to 9).
      strip_plurals: a final s of words over 3 letters goes, unless it is one of two.
      once: an n-gram that a text repeats gets one id, that of its first occurrence.
    """

    split_digits: bool = False
    strip_plurals: bool = False
    once: bool = False


PUBLISHED = TextRules()


def words(text: str, rules: TextRules = PUBLISHED) -> list[str]:
    """Returns the words of `text` in order, duplicates kept.

    >>> words("2x4 Angle-Brackets", TextRules(True, True))
    ['2', 'x', '4', 'angle', 'bracket']
    """
    return _words(normalize(text), rules)


def unigrams(text: str) -> list[str]:
    """Returns the word unigrams of `text`: its words."""
    return words(text)


def bigrams(text: str) -> list[str]:
    """Returns the word bigrams of `text`.

    >>> bigrams("Hello World, goes . Railway-station")
    ['hello#world', 'world#goes', 'goes#railway', 'railway#station']
    """
    return _bigrams(words(text))


def trigrams(text: str) -> list[str]:
    """Returns the character trigrams of `text`.

    >>> " ".join(trigrams("Hello  World"))
    '#he hel ell llo lo# o#w #wo wor orl rld ld#'
    """
    return _trigrams(normalize(text))


def all_ngrams(
    text: str, rules: TextRules = PUBLISHED
) -> tuple[list[str], list[str], list[str]]:
    """Returns (unigrams, bigrams, trigrams), normalising `text` once."""
    if not text:  # Millions of items without a title should cost nothing.
        return [], [], []
    text = normalize(text)
    tokens = _words(text, rules)
    return tokens, _bigrams(tokens), _trigrams(text)


@functools.cache
def classes() -> np.ndarray:
    """Returns the class of every code point, u8[0x110000].

    LETTER is everything that is not whitespace (str.isspace), punctuation (category P*)
    or an ideograph: digits and symbols such as "$" count as letters.
    """
    kinds = np.zeros(CODE_POINTS, np.uint8)
    for code in range(LAST_USED + 1):
        char = chr(code)
        if char.isspace():
            kinds[code] = SPACE
        elif unicodedata.category(char)[0] == "P":
            kinds[code] = PUNCTUATION
    for first, last in _IDEOGRAPHS:
        kinds[first : last + 1] = IDEOGRAPH
    kinds.flags.writeable = False
    return kinds


@functools.cache
def _pattern() -> re.Pattern[str]:
    kinds = classes()
    ideographs = _character_class(kinds == IDEOGRAPH)
    return re.compile(f"[{ideographs}]|[^{_character_class(kinds != LETTER)}]+")


def _character_class(members: np.ndarray) -> str:
    edges = np.flatnonzero(np.diff(members, prepend=False, append=False))
    return "".join(
        f"\\U{first:08x}-\\U{stop - 1:08x}"
        for first, stop in zip(edges[::2], edges[1::2], strict=True)
    )


@functools.cache
def _ascii() -> dict[int, str]:
    return {code: " " for code in range(128) if classes()[code] == PUNCTUATION}


def _words(text: str, rules: TextRules) -> list[str]:
    # The pattern has thousands of ranges: most texts need none of them.
    if text.isascii():
        found = text.translate(_ascii()).split()
    else:
        found = _pattern().findall(text)
    if rules.split_digits:
        found = [run for word in found for run in _RUNS.findall(word)]
    if rules.strip_plurals:
        found = [_PLURAL.sub(r"\1", word) for word in found]
    return found


def _bigrams(tokens: list[str]) -> list[str]:
    return [a + JOINER + b for a, b in zip(tokens, tokens[1:], strict=False)]


def _trigrams(text: str) -> list[str]:
    chars = f"#{JOINER.join(text.split())}#"
    return [chars[i : i + 3] for i in range(len(chars) - 2)]
