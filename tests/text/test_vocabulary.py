"""The vocabulary: choice of tokens, ids, padding and its file."""

import json
import math
import time

import numpy as np
import pytest

from recjax.errors import UserError
from recjax.text import Vocabulary

TEXTS = ["red bolt", "red nut nut", "Blue Bolt"]


@pytest.fixture
def vocabulary():
    return Vocabulary.build(TEXTS, unigrams=3, bigrams=1, trigrams=2)


def test_keeps_the_most_frequent_by_texts_ties_by_text(vocabulary):
    assert vocabulary.unigrams == ("bolt", "red", "blue")
    assert vocabulary.bigrams == ("blue#bolt",)
    assert vocabulary.trigrams == ("#bo", "#re")
    assert vocabulary.frequencies == (2, 2, 1, 1, 2, 2)
    assert (vocabulary.documents, vocabulary.size) == (3, 7)
    shuffled = Vocabulary.build(TEXTS[::-1], unigrams=3, bigrams=1, trigrams=2)
    assert shuffled == vocabulary


def test_min_count_counts_texts_not_occurrences():
    built = Vocabulary.build(TEXTS, unigrams=9, bigrams=9, trigrams=0, min_count=2)
    assert built.unigrams == ("bolt", "red")  # "nut" is twice in one text.
    assert built.bigrams == built.trigrams == ()


def test_encode_orders_by_kind_keeps_duplicates_and_drops_unknown(vocabulary):
    assert vocabulary.encode("red BOLT, red thing").tolist() == [2, 1, 2, 6, 5, 6]
    assert vocabulary.encode("blue bolt").tolist() == [3, 1, 4, 5]
    unknown = vocabulary.encode("zzz")
    assert unknown.shape == (0,)
    assert unknown.dtype == np.int32


def test_encode_padded_cuts_the_tail_and_fills_with_zeros(vocabulary):
    padded = vocabulary.encode_padded(["blue bolt", "", "red BOLT, red"], 5)
    assert padded.tolist() == [[3, 1, 4, 5, 0], [0] * 5, [2, 1, 2, 6, 5]]
    assert padded.dtype == np.int32


def test_a_unigram_and_a_trigram_of_the_same_text_are_two_tokens():
    built = Vocabulary(("bol",), (), ("bol",), (1, 1), 1)
    assert built.encode("bol abolish").tolist() == [1, 2, 2]


def test_idf_is_bm25s(vocabulary):
    idf = vocabulary.idf()
    assert idf.dtype == np.float32
    assert idf[0] == 0
    assert idf[1] == pytest.approx(math.log(1 + 1.5 / 2.5))
    assert idf[3] == pytest.approx(math.log(1 + 2.5 / 1.5))


def test_file_round_trip(tmp_path):
    texts = ["日本 𠀋\u2028x", 'quote " back\\slash', "\0 nul \x85 é"]
    built = Vocabulary.build(texts, unigrams=99, bigrams=99, trigrams=99)
    built.save(tmp_path / "v.jsonl")
    assert Vocabulary.load(tmp_path / "v.jsonl") == built


def broken(lines, row, text):
    return [*lines[:row], text, *lines[row + 1 :]]


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda lines: [], "line 1 must hold"),
        (lambda lines: ["{}", *lines[1:]], "line 1 must hold"),
        (lambda lines: ["[1]", *lines[1:]], "line 1 must hold"),
        (lambda lines: lines[:-1], "5 token lines, but line 1 promises 6"),
        (lambda lines: broken(lines, 2, '["unigram", "re'), "line 3: .* unigram"),
        (lambda lines: broken(lines, 2, '["bigram", "a", 1]'), "line 3"),
        (lambda lines: broken(lines, 6, '["trigram", "#re", "2"]'), "line 7"),
        (lambda lines: broken(lines, 6, "7"), "line 7"),
        (lambda lines: broken(lines, 6, '["trigram", "ab", 2]'), "'ab' is not three"),
        (lambda lines: broken(lines, 3, lines[2]), "'red' is listed twice"),
    ],
)
def test_broken_file(tmp_path, vocabulary, edit, message):
    path = tmp_path / "v.jsonl"
    vocabulary.save(path)
    path.write_text("\n".join(edit(path.read_text().splitlines())))
    with pytest.raises(UserError, match=message.replace(" unigram", '"unigram"')):
        Vocabulary.load(path)


def test_missing_and_binary_file(tmp_path):
    with pytest.raises(UserError, match="no.jsonl: cannot read"):
        Vocabulary.load(tmp_path / "no.jsonl")
    (tmp_path / "b.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="b.jsonl: cannot read"):
        Vocabulary.load(tmp_path / "b.jsonl")


def test_a_bare_header_promise_of_the_wrong_type(tmp_path, vocabulary):
    path = tmp_path / "v.jsonl"
    vocabulary.save(path)
    lines = path.read_text().splitlines()
    lines[0] = json.dumps(json.loads(lines[0]) | {"bigram": "many"})
    path.write_text("\n".join(lines))
    with pytest.raises(UserError, match="line 1"):
        Vocabulary.load(path)


def test_one_frequency_a_token():
    with pytest.raises(UserError, match="2 tokens but 1 document frequencies"):
        Vocabulary(("a", "b"), (), (), (1,), 1)


@pytest.mark.slow
def test_encodes_five_thousand_titles_in_half_a_second():
    rng = np.random.default_rng(0)
    words = ["".join(w) for w in rng.choice(list("abcdefghij"), (4_000, 5))]
    titles = [" ".join(rng.choice(words, 10)) for _ in range(5_000)]
    built = Vocabulary.build(titles, unigrams=9_999, bigrams=99_999, trigrams=9_999)
    start = time.process_time()
    encoded = built.encode_padded(titles, 128)
    assert time.process_time() - start < 0.5
    assert (encoded > 0).sum(1).mean() > 60
