from itertools import pairwise

import numpy as np
import pytest

from recjax.data import pairs
from recjax.data.events import Histories, hide_seen, history_bounds, newest
from recjax.metrics.task import RankingTask

# Two users; user 0 has two events at time 5, which have no order.
USER = np.array([0, 0, 0, 0, 1, 1])
WHEN = np.array([1, 5, 5, 9, 2, 3])
ITEM = np.array([7, 3, 7, 4, 3, 3])
ALL = np.arange(6)


def test_a_history_is_what_happened_at_a_smaller_time():
    start, stop = history_bounds(USER, WHEN, ALL)
    found = [ITEM[a:b].tolist() for a, b in zip(start, stop, strict=True)]
    assert found == [[], [7], [7], [7, 3, 7], [], [3]]


def test_newest_are_slices():
    start, stop = history_bounds(USER, WHEN, ALL)
    padded = newest(ITEM, start, stop, 2)
    assert padded.tolist() == [[0, 0], [7, 0], [7, 0], [3, 7], [0, 0], [3, 0]]
    query, position, back = Histories(ITEM, start, stop).newest(2)
    assert query.tolist() == [1, 2, 3, 3, 5]
    assert ITEM[position].tolist() == [7, 7, 7, 3, 3] and back.tolist() == [
        0,
        0,
        0,
        1,
        0,
    ]
    assert len(Histories(ITEM, start, stop).newest()[0]) == 6


def test_what_is_sought_is_not_left_out():
    history = Histories(ITEM, *history_bounds(USER, WHEN, ALL))
    task = hide_seen(RankingTask.of_one_each(8, ITEM), history)
    slices = [task.exclude[a:b].tolist() for a, b in pairwise(task.exclude_offsets)]
    # Event 2 is item 7, met before; event 5 is item 3, met before.
    assert slices == [[], [7], [], [7, 3, 7], [], []]
    assert task.items.tolist() == ITEM.tolist()


def test_the_session_that_goes_on():
    log = np.arange(6)
    start, stop, session = np.array([0, 0, 4]), np.array([3, 4, 6]), [1, 4, 5]
    known = Histories(log, start, stop, session=np.array(session))
    query, position, back = known.newest(of_session=True)
    assert query.tolist() == [0, 0, 2] and position.tolist() == [2, 1, 5]
    assert back.tolist() == [0, 1, 0]
    some = known.take(np.array([2, 0]))
    assert some.newest(1)[1].tolist() == [5, 2]


def test_weights_add_up_by_item():
    known = Histories(
        np.array([1, 0, 1]),
        np.array([0, 0]),
        np.array([3, 1]),
        np.array([10, 20, 25]),
        np.array([30, 40]),
    )
    got = known.weights(lambda back, age: 100.0 * back + age, 4)
    assert got.toarray().tolist() == [[110, 225, 0, 0], [0, 30, 0, 0]]


def test_weight_halves_with_age_down_to_the_least():
    age = np.array([-5, 0, 30, 60, 10_000]) * 86_400.0
    found = pairs.recency_weight(age, half_life=30.0, least=0.2)
    assert found.tolist() == pytest.approx([1, 1, 0.6, 0.4, 0.2])
    assert found.dtype == np.float32
