"""A kept answer is that of the same question, asked of the same model, not long ago."""

import asyncio
import time
from dataclasses import dataclass

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recjax.bundle.contract import Signature, Spec
from recjax.serve.http.batcher import Answer
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


@dataclass
class Asking:
    """Answers rows with their number, and counts how often it is asked."""

    asked: int = 0

    async def __call__(self, rows, fails=False):
        self.asked += 1
        await asyncio.sleep(0.05)
        if fails:
            raise ValueError("no")
        return Answer({"x": list(range(rows))}, ())


def test_one_asks_and_the_others_wait():
    cache, asking = Cache(10_000, 9.0), Asking()

    async def one(fails=False):
        rows, waits, mine = cache.sort([b"a", b"b"])
        if mine:
            await cache.fly(list(mine), asking(len(mine), fails))
            rows = {key: cache.held.get(key) for key in mine}
        return [*rows.values()] or [await flight for flight in waits.values()]

    async def scenario():
        first = await asyncio.gather(
            *(one(True) for _ in range(3)), return_exceptions=True
        )
        assert [type(error) for error in first] == [ValueError] * 3
        assert asking.asked == 1 and not cache.flying
        return await asyncio.gather(*(one() for _ in range(5)))

    assert asyncio.run(scenario()) == [[{"x": 0}, {"x": 1}]] * 5
    assert asking.asked == 2


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
