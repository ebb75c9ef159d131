"""N-grams against the published tokenizer's outputs and a naive state machine."""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from recjax.text import ngrams
from recjax.text.normalize import normalize

TRICKY = st.text(st.sampled_from("aB1$#.-_ \t\n\u3000é日本𠀋😀\u00ad´½"), max_size=20)
# Which unassigned code points will be ideographs, unicodedata's names cannot tell.
ASSIGNED = st.text(st.characters(exclude_categories=["Cn", "Cs"]))
IDEOGRAPHS = ("CJK UNIFIED IDEOGRAPH", "CJK COMPATIBILITY IDEOGRAPH")


def naive_words(text):
    words, open_word = [], False
    for char in normalize(text):
        if char.isspace() or unicodedata.category(char).startswith("P"):
            open_word = False
        elif unicodedata.name(char, "").startswith(IDEOGRAPHS):
            words.append(char)
            open_word = False
        elif open_word:
            words[-1] += char
        else:
            words.append(char)
            open_word = True
    return words


def naive_trigrams(text):
    chars = ["#"]
    for char in normalize(text):
        if not char.isspace():
            chars.append(char)
            space = False
        elif len(chars) > 1 and not space:
            chars.append("#")
            space = True
    if len(chars) > 1 and space:
        chars.pop()
    chars.append("#")
    return ["".join(three) for three in zip(chars, chars[1:], chars[2:], strict=False)]


def naive_rules(words):
    """Applies the rules of product search one character at a time."""
    refined = []
    for word in words:
        parts = [word[0]]
        for char in word[1:]:
            if (char in "0123456789") == (parts[-1][-1] in "0123456789"):
                parts[-1] += char
            else:
                parts.append(char)
        refined += parts
    plural = [len(w) > 3 and w[-1] == "s" and w[-2] != "s" for w in refined]
    return [w[:-1] if s else w for w, s in zip(refined, plural, strict=True)]


@given(text=st.text(st.sampled_from("asS12$-. é日𠀋"), max_size=20))
def test_word_rules_of_product_search(text):
    rules = ngrams.TextRules(split_digits=True, strip_plurals=True)
    assert ngrams.words(text, rules) == naive_rules(naive_words(text))
    unigrams, bigrams, trigrams = ngrams.all_ngrams(text, rules)
    assert unigrams == ngrams.words(text, rules)
    pairs = zip(unigrams, unigrams[1:], strict=False)
    assert bigrams == [f"{a}#{b}" for a, b in pairs]
    assert trigrams == ngrams.trigrams(text)


def test_published_outputs():
    assert ngrams.trigrams("Hello  World") == (
        "#he hel ell llo lo# o#w #wo wor orl rld ld#".split()
    )
    assert ngrams.bigrams("Hello World, goes . Railway-station") == (
        "hello#world world#goes goes#railway railway#station".split()
    )


def test_ideographs_are_the_named_blocks():
    kinds = ngrams.classes()
    for code in range(0x110000):
        if unicodedata.category(chr(code)) not in ("Cn", "Cs"):
            named = unicodedata.name(chr(code), "").startswith(IDEOGRAPHS)
            assert (kinds[code] == ngrams.IDEOGRAPH) == named, hex(code)


@pytest.mark.parametrize(
    ("text", "words", "trigrams"),
    [
        ("", [], []),
        (" \n", [], []),
        ("...", [], ["#..", "...", "..#"]),
        (" a ", ["a"], ["#a#"]),
        (
            "3/4 in.",
            ["3", "4", "in"],
            ["#3/", "3/4", "/4#", "4#i", "#in", "in.", "n.#"],
        ),
        ("東京 tower", ["東", "京", "tower"], None),
        ("x東y", ["x", "東", "y"], ["#x東", "x東y", "東y#"]),
        ("𠀋", ["𠀋"], ["#𠀋#"]),
        ("😀😀", ["😀😀"], ["#😀😀", "😀😀#"]),
        ("$5 a_b", ["$5", "a", "b"], None),
    ],
)
def test_hand_worked(text, words, trigrams):
    assert ngrams.words(text) == words == ngrams.unigrams(text)
    if trigrams is not None:
        assert ngrams.trigrams(text) == trigrams


@given(st.one_of(TRICKY, ASSIGNED))
@example("".join(f"a{chr(code)}b {chr(code)}" for code in range(128)))
def test_equals_the_naive_state_machine(text):
    words = naive_words(text)
    pairs = [f"{a}#{b}" for a, b in zip(words, words[1:], strict=False)]
    assert ngrams.words(text) == words
    assert ngrams.bigrams(text) == pairs
    assert ngrams.trigrams(text) == naive_trigrams(text)
    assert ngrams.all_ngrams(text) == (words, pairs, naive_trigrams(text))
