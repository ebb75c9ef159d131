"""A kept answer is that of the same question, asked of the same model, not long ago."""

import time

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recjax.bundle.contract import Signature, Spec
from recjax.serve.http.cache import Cache, Kept, normalised, row_keys
from recjax.text import Vocabulary

TEXTS = ["red lamp a b A1 x-y é", "it's 3 big"]
WORDS = Vocabulary.build(TEXTS, unigrams=90, bigrams=90, trigrams=900)


@given(st.text(st.sampled_from(" \t\nabABrRlampeEDé1x-y'_\x1f"), max_size=30))
def test_texts_of_one_key_are_one_text(text):
    one, other = WORDS.encode_padded([text, normalised(text)], 64)
    np.testing.assert_array_equal(one, other)


def test_keys_tell_rows_apart():
    text, number = Spec("DT_STRING"), Spec("DT_INT32")
    made = Signature({"text": text, "k": number}, {}, *[None] * 4, texts=("text",))
    columns = {"text": ["Red  lamp", "red lamp ", "red lamp", "lamp", None]}
    keys = row_keys("m 1", "s", made, {**columns, "k": [1, 1, 2, 1, 1]})
    assert keys[0] == keys[1] and len(set(keys)) == 4
    again = row_keys("m 2", "s", made, {**columns, "k": [1, 1, 2, 1, 1]})
    assert not set(keys) & set(again)


def test_the_least_used_makes_room_and_the_old_is_forgotten():
    kept = Kept(2_500, 0.2)
    for key in (b"a", b"b", b"c"):
        kept.put(key, key * 2, 400)
    assert kept.get(b"a") == b"aa"
    kept.put(b"d", b"dd", 400)
    assert kept.get(b"b") is None and kept.get(b"a") == b"aa"
    assert 0 < kept.size <= 2_500
    time.sleep(0.25)
    assert kept.get(b"a") is None


def test_one_asks_and_the_others_are_told():
    cache, told = Cache(10_000, 9.0), []
    rows, awaited, mine = cache.sort([b"a", b"b", b"a"])
    assert (rows, awaited, mine) == ({}, [], {b"a": 0, b"b": 1})
    cache.fly(mine)
    for key in mine:
        cache.wait(key, told.append)
    # Another asks for one of them: it waits with the first.
    assert cache.sort([b"c", b"b", b"b"]) == ({}, [b"b"], {b"c": 0})
    cache.wait(b"b", told.append)
    error = ValueError("no")
    cache.land([b"a", b"b"], [{"x": 1}, error])
    assert told == [{"x": 1}, error, error] and not cache.flying
    # What has failed is asked for again.
    assert cache.sort([b"a", b"b"]) == ({b"a": {"x": 1}}, [], {b"b": 1})


def test_a_server_answers_from_it(server):
    ask = {"history": [], "history_age": [], "k": 4}
    rows = [{"text": "blue thing", **ask}, {"text": " Blue   THING", **ask}]
    one = server.predict("films", instances=rows[:1])["predictions"]
    both = server.predict("films", instances=rows)["predictions"]
    assert both == one * 2
    other = server.predict("films", instances=[{**rows[0], "k": 3}])["predictions"][0]
    assert other["ids"] == one[0]["ids"][:3]
    text = server.ask("/metrics")[1]
    (hits,) = [x for x in text.splitlines() if 'cache="hit"' in x and "_total" in x]
    assert float(hits.split()[-1]) >= 1
