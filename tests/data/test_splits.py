"""Splits of examples: who is in which part, and what is refused or warned of."""

import logging

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recjax.data import splits
from recjax.data.splits import (
    TEST,
    TRAIN,
    VALIDATION,
    ByColumn,
    ByQuery,
    ByTime,
    ByUser,
    Examples,
    FromTime,
    LastOut,
)
from recjax.errors import UserError

EVERY = (ByTime(), FromTime(5), LastOut(), ByUser(), ByQuery(), ByColumn())


def by_time(time, *fractions):
    split = ByTime(fractions) if fractions else ByTime()
    return split.parts(Examples("events", time=np.array(time)))


def by_user(split, counts):
    return split.parts(Examples("events", np.repeat(np.arange(len(counts)), counts)))


def test_distinct_times():
    parts = by_time([50, 10, 20, 90, 30, 100, 40, 60, 80, 70])
    np.testing.assert_array_equal(parts, [0, 0, 0, 1, 0, 2, 0, 0, 0, 0])


def test_equal_times_stay_together_and_go_to_the_later_part():
    parts = by_time([1, 2, 3, 3, 3, 3, 4, 5, 5, 6], 0.5, 0.3, 0.2)
    np.testing.assert_array_equal(parts, [0, 0, 1, 1, 1, 1, 1, 2, 2, 2])


@given(
    st.lists(st.integers(0, 30), min_size=1, max_size=60),
    st.sampled_from([(0.8, 0.1, 0.1), (0.3, 0.3, 0.4), (0.5, 0.25, 0.25)]),
)
def test_parts_follow_in_time_and_no_later_event_leaks(times, fractions):
    time = np.array(times)
    parts = by_time(times, *fractions)
    for one in set(times):
        assert len(set(parts[time == one])) == 1
    order = np.argsort(time, kind="stable")
    assert (np.diff(parts[order]) >= 0).all()
    # Naive rule: a part starts at the first time of what is left over.
    for part in range(1, len(fractions)):
        before = (parts < part).sum()
        assert before <= sum(fractions[:part]) * len(times) + 1e-6


def test_no_events_have_no_parts():
    assert by_time(np.array([], np.int64)).shape == (0,)


@pytest.mark.parametrize("split", [ByTime, ByUser])
@pytest.mark.parametrize("fractions", [(), (0.8, 0.1), (0.8, 0.3, -0.1), (1.0, 0.0)])
def test_odd_fractions_are_refused(split, fractions):
    with pytest.raises(ValueError, match="sum to 1"):
        split(fractions)


def test_from_a_moment_on():
    times = [5, 100, 1, 7, 2, 120, 3, 4, 6, 8]
    examples = Examples("pairs", time=np.array(times))
    parts = FromTime(100, validation=0.25).parts(examples)
    wanted = {5: TRAIN, 1: TRAIN, 2: TRAIN, 3: TRAIN, 4: TRAIN, 6: TRAIN}
    wanted |= {7: VALIDATION, 8: VALIDATION, 100: TEST, 120: TEST}
    assert dict(zip(times, parts.tolist(), strict=True)) == wanted
    for moment in (0, 1_000):
        with pytest.raises(UserError, match=r"split.start = .* 1 to 120; choose"):
            FromTime(moment).parts(examples)


def test_last_of_each_user_out():
    wanted = [TRAIN, TRAIN, TEST, TRAIN, TRAIN, VALIDATION, TEST]
    np.testing.assert_array_equal(by_user(LastOut(), [1, 2, 4]), wanted)


def test_users_stay_whole():
    counts = [3, 1, 2, 1, 1, 2, 1, 1, 1, 5]
    wanted = np.repeat([TRAIN] * 8 + [VALIDATION, TEST], counts)
    np.testing.assert_array_equal(by_user(ByUser((0.8, 0.1, 0.1)), counts), wanted)


def test_queries_by_known_digests():
    # `echo -n nine | md5sum` as a number ends in 0, "two" and "five" in 1, the
    # others in 8, 7 and 6.
    queries = ["zero", "two", "nine", "angle bracket", "", "five"]
    expected = [TRAIN, VALIDATION, TEST, TRAIN, TRAIN, VALIDATION]
    np.testing.assert_array_equal(ByQuery().of_texts(queries), expected)
    of = np.array([2, 2, 0, 1])
    parts = ByQuery().parts(Examples("pairs", query=(queries, of)))
    np.testing.assert_array_equal(parts, [TEST, TEST, TRAIN, VALIDATION])


def test_shares_of_queries():
    parts = ByQuery().of_texts([f"query {i}" for i in range(20_000)])
    shares = np.bincount(parts, minlength=3) / len(parts)
    np.testing.assert_allclose(shares, [0.8, 0.1, 0.1], atol=0.01)


def test_folds_test_each_query_once():
    queries = [f"query {i}" for i in range(500)]
    parts = np.array([ByQuery(5, fold).of_texts(queries) for fold in range(5)])
    assert ((parts == TEST).sum(0) == 1).all()
    assert ((parts == VALIDATION).sum(0) == 1).all()
    for odd in ((2, 0), (5, 5), (5, -1)):
        with pytest.raises(ValueError, match="three folds at least"):
            ByQuery(*odd)


def test_a_given_column():
    column = np.array([2, 0, 1, 0], np.int8)
    parts = ByColumn().parts(Examples("events", column=column))
    np.testing.assert_array_equal(parts, column)


@pytest.mark.parametrize("split", EVERY)
def test_what_a_split_needs_is_named(split):
    said = f"data.split = {type(split).__name__} needs .*, which these things do not"
    with pytest.raises(UserError, match=said):
        split.parts(Examples("things"))


@pytest.mark.parametrize("split", EVERY)
def test_an_empty_part_is_an_error_that_says_how_to_get_one(split):
    with pytest.raises(UserError) as error:
        splits.members(np.zeros(7, np.int8), "test", split, "events")
    assert "none of 7 events is in the split 'test'" in str(error.value)
    assert str(error.value).endswith(split.fix)
    with pytest.raises(UserError, match="no split 'tset'"):
        splits.members(np.zeros(7, np.int8), "tset", split)


def test_a_tiny_part_is_told_once(caplog):
    part = np.repeat(np.array([TRAIN, TEST], np.int8), [900, 3])
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            found = splits.members(part, "test", LastOut(), "made-up sessions")
    assert found.tolist() == [900, 901, 902]
    assert caplog.messages == [
        "only 3 of 903 made-up sessions are in test (split LastOut)"
    ]
    caplog.clear()
    splits.members(part, "train", LastOut(), "made-up sessions")
    assert not caplog.messages
