from hypothesis import given
from hypothesis import strategies as st

from recjax.data.pseudo_queries import some_words, span

WORDS = st.lists(st.text("abc", min_size=1, max_size=3), max_size=9)
UNIT = st.floats(0, 1, exclude_max=True)


@given(words=WORDS, seed=st.integers(0, 2**31 - 1))
def test_some_words_keep_their_order(words, seed):
    chosen = some_words(words, seed).split()
    assert bool(words) <= len(chosen) <= min(len(words), 4)
    rest = iter(words)
    assert all(word in rest for word in chosen)
    assert some_words(words, seed).split() == chosen


@given(words=WORDS, draw=st.tuples(UNIT, UNIT))
def test_a_span_is_a_run_of_the_title(words, draw):
    chosen = span(words, draw, (2, 5)).split()
    assert len(chosen) <= 5
    assert len(chosen) >= min(2, len(words))
    starts = range(len(words) - len(chosen) + 1)
    assert any(words[at : at + len(chosen)] == chosen for at in starts)


def test_every_length_and_every_place_occurs():
    words = [str(n) for n in range(8)]
    draws = [(a / 10, b / 10) for a in range(10) for b in range(10)]
    spans = [span(words, draw, (1, 3)).split() for draw in draws]
    assert {len(s) for s in spans} == {1, 2, 3}
    assert {s[0] for s in spans if len(s) == 3} == set("012345")
    assert {len(some_words(words, seed).split()) for seed in range(60)} == {1, 2, 3, 4}
