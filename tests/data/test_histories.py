from itertools import pairwise

import numpy as np
import pytest

from recjax.data import pairs
from recjax.data.histories import history_bounds, newest, ragged, without

# Two users; user 0 has two events at time 5, which have no order.
USER = np.array([0, 0, 0, 0, 1, 1])
WHEN = np.array([1, 5, 5, 9, 2, 3])
ITEM = np.array([7, 3, 7, 4, 3, 3])


def test_a_history_is_what_happened_at_a_smaller_time():
    start, stop = history_bounds(USER, WHEN)
    found = [ITEM[a:b].tolist() for a, b in zip(start, stop, strict=True)]
    assert found == [[], [7], [7], [7, 3, 7], [], [3]]


def test_newest_and_ragged_are_slices():
    start, stop = history_bounds(USER, WHEN)
    padded = newest(ITEM, start, stop, 2)
    assert padded.tolist() == [[0, 0], [7, 0], [7, 0], [3, 7], [0, 0], [3, 0]]
    offsets, values = ragged(ITEM, start, stop)
    assert offsets.tolist() == [0, 0, 1, 2, 5, 5, 6]
    assert values.tolist() == [7, 7, 7, 3, 7, 3]


def test_what_is_sought_is_not_left_out():
    offsets, values = ragged(ITEM, *history_bounds(USER, WHEN))
    kept_offsets, kept = without(offsets, values, ITEM)
    slices = [kept[a:b].tolist() for a, b in pairwise(kept_offsets)]
    # Event 2 is item 7, met before; event 5 is item 3, met before.
    assert slices == [[], [7], [], [7, 3, 7], [], []]


def test_weight_halves_with_age_down_to_the_least():
    age = np.array([-5, 0, 30, 60, 10_000]) * 86_400.0
    found = pairs.recency_weight(age, half_life=30.0, least=0.2)
    assert found.tolist() == pytest.approx([1, 1, 0.6, 0.4, 0.2])
    assert found.dtype == np.float32
