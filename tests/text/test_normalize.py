"""Normalisation against unicodedata, code point by code point."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recjax.text.normalize import CODE_POINTS, folding, normalize


def nfkc(text):
    return unicodedata.normalize("NFKC", text)


def oracle(char):
    """The definition, repeated until nothing changes."""
    before, after = None, char
    while after != before:
        before = after
        after = "".join(nfkc(nfkc(c).casefold()) for c in before)
    return after


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Straße ÉCOLE", "strasse école"),
        ("ﬁt ①② Ｘ½", "fit 12 x1⁄2"),
        ("co\u00adop\u200b \ufeffa\ufe0f", "coop a"),
        ("e\u0301 vs \u00e9", "e\u0301 vs \u00e9"),
        ("İ", "i\u0307"),
        ("㎏ Å", "kg å"),
        ("\ud800", "\ufffd"),
        ("", ""),
    ],
)
def test_hand_worked(text, expected):
    assert normalize(text) == expected


def test_every_code_point_follows_the_definition():
    ignorable = {code for code, new in folding().items() if new == ""}
    assert {0xAD, 0x200D, 0xFE0F, 0xE0020} < ignorable
    for code in range(CODE_POINTS):
        if code in ignorable or 0xD800 <= code < 0xE000:
            continue
        char = chr(code)
        if code in folding() or code < 0x30000:
            want = "".join(c for c in oracle(char) if ord(c) not in ignorable)
            assert normalize(char) == want, hex(code)
        else:
            assert nfkc(char).casefold() == char, hex(code)


@given(st.text())
def test_is_a_fixpoint_and_works_code_point_by_code_point(text):
    once = normalize(text)
    assert normalize(once) == once
    assert once == "".join(normalize(char) for char in text)
