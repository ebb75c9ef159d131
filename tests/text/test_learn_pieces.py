"""Word pieces that are learned: by hand, and the same in every process."""

import json
import os
import random
import subprocess
import sys

import pytest

from recjax.text.learn_pieces import INSIDE, learn_pieces
from recjax.text.wordpiece import WordPiece

WORDS = {"hug": 10, "pug": 5, "pun": 12, "bun": 4, "hugs": 5}
"""The example of the Hugging Face course: u g (20), u n (16), h ug (15), ..."""


def test_pairs_are_merged_by_how_often_they_stand():
    letters = sorted([*"bhp", *(INSIDE + c for c in "gnsu")])
    found = learn_pieces(WORDS, 7 + 6)
    merged = ["##ug", "##un", "hug", "pun", "hugs", "pug"]
    assert found == [*letters, *merged]


def test_rare_characters_go_first():
    assert learn_pieces({"aab": 3, "ac": 1}, 2) == sorted(["a", "##a"])


def test_every_word_can_be_spelled():
    pieces = WordPiece.learn(["hug pug", "pun bun hugs"], 40)
    ids = pieces.encode(["hugs", "gun", "pugs bug"])
    unknown = json.loads(pieces.definition)["model"]["vocab"]["[UNK]"]
    assert (ids[0] != unknown).all() and (ids[2] != unknown).all()
    assert unknown in ids[1]  # No word began with g.


def naive(words, size):
    """Counts all pairs anew for each merge."""
    spelled = {w: [w[0], *(INSIDE + c for c in w[1:])] for w in words}
    found = sorted({part for parts in spelled.values() for part in parts})
    while len(found) < size:
        pairs = {}
        for word, parts in spelled.items():
            for pair in zip(parts, parts[1:], strict=False):
                pairs[pair] = pairs.get(pair, 0) + words[word]
        if not pairs:
            break
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merged = best[0] + best[1].removeprefix(INSIDE)
        for parts in spelled.values():
            i = 0
            while i + 1 < len(parts):
                if (parts[i], parts[i + 1]) == best:
                    parts[i : i + 2] = [merged]
                i += 1
        if merged not in found:
            found.append(merged)
    return found


@pytest.mark.parametrize("seed", range(8))
def test_as_by_counting_anew(seed):
    draw = random.Random(seed)
    words = {
        "".join(draw.choices("abc", k=draw.randint(1, 7))): draw.randint(1, 9)
        for _ in range(60)
    }
    assert learn_pieces(words, 60) == naive(words, 60)


def test_every_process_learns_the_same():
    program = (
        "import random; from recjax.text.wordpiece import WordPiece\n"
        "draw = random.Random(0)\n"
        "texts = [''.join(draw.choices('abcde ', k=30)) for _ in range(200)]\n"
        "print(WordPiece.learn(texts, 100).definition)"
    )
    told = [sys.executable, "-c", program]
    found = {
        subprocess.run(
            told,
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in range(3)
    }
    assert len(found) == 1
