"""Splits by time and by query."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recjax.data.splits import TEST, TRAIN, VALIDATION, query_split, time_split
from recjax.errors import UserError


def test_time_split_of_distinct_times():
    timestamp = np.array([50, 10, 20, 90, 30, 100, 40, 60, 80, 70])
    expected = [0, 0, 0, 1, 0, 2, 0, 0, 0, 0]
    np.testing.assert_array_equal(time_split(timestamp), expected)


def test_equal_times_stay_together_and_go_to_the_later_part():
    timestamp = np.array([1, 2, 3, 3, 3, 3, 4, 5, 5, 6])
    parts = time_split(timestamp, (0.5, 0.5))
    np.testing.assert_array_equal(parts, [0, 0, 1, 1, 1, 1, 1, 1, 1, 1])


@given(
    st.lists(st.integers(0, 30), min_size=1, max_size=60),
    st.sampled_from([(0.8, 0.1, 0.1), (0.5, 0.5), (0.3, 0.3, 0.4), (1.0,)]),
)
def test_parts_follow_in_time_and_no_later_event_leaks(times, fractions):
    timestamp = np.array(times)
    parts = time_split(timestamp, fractions)
    for time in set(times):
        assert len(set(parts[timestamp == time])) == 1
    order = np.argsort(timestamp, kind="stable")
    assert (np.diff(parts[order]) >= 0).all()
    # Naive rule: a part starts at the first time of what is left over.
    for part in range(1, len(fractions)):
        before = (parts < part).sum()
        assert before <= sum(fractions[:part]) * len(times) + 1e-6


def test_no_events_have_no_parts():
    assert time_split(np.array([], np.int64)).shape == (0,)


@pytest.mark.parametrize("fractions", [(), (0.8, 0.1), (0.8, 0.3, -0.1), (1.0, 0.0)])
def test_odd_fractions_are_refused(fractions):
    with pytest.raises(UserError, match="sum to 1"):
        time_split(np.arange(5), fractions)


def test_query_split_by_known_digests():
    # `echo -n nine | md5sum` as a number ends in 0, "two" and "five" in 1, the
    # others in 8, 7 and 6.
    queries = ["zero", "two", "nine", "angle bracket", "", "five"]
    expected = [TRAIN, VALIDATION, TEST, TRAIN, TRAIN, VALIDATION]
    np.testing.assert_array_equal(query_split(queries), expected)


def test_query_split_shares():
    parts = query_split([f"query {i}" for i in range(20_000)])
    shares = np.bincount(parts, minlength=3) / len(parts)
    np.testing.assert_allclose(shares, [0.8, 0.1, 0.1], atol=0.01)
