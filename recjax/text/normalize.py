"""Text normalisation one code point at a time, so that a graph can repeat it exactly.

Every code point is replaced by NFKC(casefold(NFKC(c))), repeated until nothing
changes; default-ignorable code points (soft hyphen, zero-width joiners, variation
selectors) vanish, as in Unicode's NFKC_Casefold. The one deviation from NFKC_Casefold
is that nothing is composed or reordered *across* code points: "e" followed by a
combining acute accent stays two code points, while the single letter "é" stays one.
In return the whole rule is a finite table, and the TensorFlow tokenizer built from the
same table agrees with Python by construction.
"""

from __future__ import annotations

import functools
import unicodedata

CODE_POINTS = 0x110000

# Unicode property Default_Ignorable_Code_Point (UAX 44): unicodedata lacks it.
_IGNORABLE = (
    (0x00AD, 0x00AD), (0x034F, 0x034F), (0x061C, 0x061C), (0x115F, 0x1160),
    (0x17B4, 0x17B5), (0x180B, 0x180F), (0x200B, 0x200F), (0x202A, 0x202E),
    (0x2060, 0x206F), (0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF),
    (0xFFA0, 0xFFA0), (0xFFF0, 0xFFF8), (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A),
    (0xE0000, 0xE0FFF),
)  # fmt: skip

LAST_USED = 0x3FFFF
"""Planes 4 to 16 hold no cased or composed character, space or punctuation: only the
tags listed above, and what is private."""


def normalize(text: str) -> str:
    """Returns `text` case-folded and compatibility-composed per code point.

    The result is a fixpoint: normalising it again changes nothing. Lone surrogates,
    which no UTF-8 string can hold, become U+FFFD.
    """
    return text.translate(folding())


@functools.cache
def folding() -> dict[int, str]:
    """Returns code point -> replacement, for the code points that change."""
    # All at once: nothing composes, or changes places, across a NUL.
    chars = [chr(code) for code in range(1, LAST_USED + 1)]
    folded = _fold("\0".join(chars)).split("\0")
    both = zip(chars, folded, strict=True)
    table = {ord(char): new for char, new in both if new != char}
    table.update(dict.fromkeys(range(0xD800, 0xE000), "\N{REPLACEMENT CHARACTER}"))
    for first, last in _IGNORABLE:
        table.update(dict.fromkeys(range(first, last + 1), ""))
    # Folding two code points together may compose what one alone would not become.
    pending = table
    while pending:
        again = {code: new.translate(table) for code, new in pending.items()}
        pending = {code: new for code, new in again.items() if new != table[code]}
        table.update(pending)
    return table


def _fold(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold()
    return unicodedata.normalize("NFKC", folded)
