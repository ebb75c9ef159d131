"""Search data whose texts become n-grams and word pieces, on both sides."""

import numpy as np
import pytest
import tiny_search

from recjax.data.inputs import encode_all
from recjax.data.search import Search, SearchData
from recjax.data.search_pairs import SearchPairs
from recjax.text.features import NGrams, Pieces, TextInput
from recjax.text.wordpiece import WordPiece

TITLES = ("red shoe", "green hat", "blue lamp", "grey shoe")
QUERIES = ("shoe", "hat", "lamp for a desk")
LENGTHS = {"query": {"text": 5, "pieces": 6}, "candidate": {"text": 9, "pieces": 11}}


@pytest.fixture(scope="module")
def data():
    """Returns search data of every kind of split, small enough to count."""
    settings = Search(
        "memory",
        batch_size=4,
        negatives=2,
        ngrams=NGrams(50, 50, 50),
        query_length=5,
        title_length=9,
        pieces=Pieces(60),
        query_pieces=6,
        title_pieces=11,
        fit=("train", "validation", "test"),
    )
    known = SearchPairs(
        query=np.array([0, 0, 1, 2], np.int32),
        product=np.array([0, 3, 1, 2], np.int32),
        relevance=np.full(4, 3, np.float32),
        tables=tiny_search.tables(QUERIES, "abcd", TITLES),
    )
    return SearchData(settings, 0, known)


def test_both_sides_have_both_features_at_their_own_lengths(data):
    batch = data.batch(0)
    corpus = data.corpus.features
    for side, lengths in LENGTHS.items():
        assert {n: f.length for n, f in data.sides[side].items()} == lengths
        made = batch["query"] if side == "query" else corpus
        assert {n: np.shape(a)[1] for n, a in made.items()} == lengths
    for name, array in corpus.items():
        found = batch["positive"][name]
        np.testing.assert_array_equal(found, array[batch["positive_id"]])
    assert data.sides["query"]["pieces"].rows == data.inputs["pieces"].size


def test_pieces_spell_the_text(data):
    tokenizer = data.inputs["pieces"]._tokenizer
    for ids, title in zip(data.corpus.features["pieces"], TITLES, strict=True):
        assert tokenizer.decode(list(ids[ids > 0])).replace(" ##", "") == title


def test_all_kinds_of_text_are_made_of_the_one_that_is_asked(data):
    made = encode_all(data.inputs, {"text": list(QUERIES)}, len(QUERIES))
    assert {type(i) for i in data.inputs.values()} == {TextInput, WordPiece}
    for name, kind in data.inputs.items():
        np.testing.assert_array_equal(made[name], kind.encode(QUERIES))
