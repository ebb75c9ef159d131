"""Which events are held out, and what is asked of whom."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recjax.errors import UserError
from recjax.users.held_out import Parting, hold_out

DAY = 86_400.0


@given(st.sampled_from([None, 40.0]), st.booleans(), st.sampled_from([20.0, 90.0]))
@settings(max_examples=8, deadline=None)
def test_what_is_found_came_later_and_is_new(events, items, now, days, known, window):
    after = None if days is None else now - days * DAY
    parting = Parting(after, 0.3, window, 5, known=known)
    data = hold_out(events, items, parting)
    met = 0
    for split in ("validation", "test"):
        queries = data.queries(split)
        task, past = queries.task, queries.history
        for q, user in enumerate(queries.user):
            own = events.filter(user=data.names[user]).unique().sort("timestamp")
            times = own["timestamp"].to_list()
            when = after
            if when is None:
                when = times[int(0.7 * len(times) + 1e-9)]
            before = own.filter(pl.col("timestamp") < when)
            later = set(own.filter(pl.col("timestamp") >= when)["item"])
            seen = set() if known else set(before["item"])
            found = task.items[task.offsets[q] : task.offsets[q + 1]]
            assert {items.ids[row] for row in found} == later - seen
            out = task.exclude[task.exclude_offsets[q] : task.exclude_offsets[q + 1]]
            assert {items.ids[row] for row in out} == seen
            recent = before.filter(pl.col("timestamp") >= when - window * DAY)
            log = past.items[past.start[q] : past.stop[q]]
            assert sorted(items.ids[row] for row in log) == sorted(recent["item"][-5:])
            assert past.when[q] == when
            met += 1
    assert met > 20
    user_when = {user: np.inf for user in range(len(data.names))}
    for one in (*data.asked["validation"], *data.asked["test"]):
        user_when[one.user] = one.when
    for user, time, train in zip(
        data.log.user, data.log.timestamp, data.train, strict=True
    ):
        assert not (train and time >= user_when[user])
    both = [{one.user for one in data.asked[s]} for s in ("validation", "test")]
    assert not both[0] & both[1]


def test_made_vectors_know_nothing_of_what_is_held_out(events, now):
    parting = Parting(now - 20 * DAY)
    before = events.filter(pl.col("timestamp") < now - 20 * DAY)
    later = events.filter(pl.col("timestamp") >= now - 20 * DAY)
    turned = later.with_columns(item=pl.col("item").reverse())
    made = [
        hold_out(pl.concat([before, rest]), None, parting, 8)
        for rest in (later, turned)
    ]
    left, right = (one.items for one in made)
    assert left.ids == right.ids and left.vectors.any()
    np.testing.assert_array_equal(left.vectors, right.vectors)


def test_nobody_to_ask(events, items, now):
    with pytest.raises(UserError, match="no user for validation.*--after"):
        hold_out(events, items, Parting(now + DAY))
    with pytest.raises(UserError, match="--share 2"):
        Parting(share=2.0)
