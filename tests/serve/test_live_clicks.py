"""Clicks of everybody online: those of the data, saved, and guarded."""

import numpy as np
import pytest
import sessions as support

from recjax.data.sessions.pair_features import PAD, PairContext
from recjax.data.sessions.recent_popularity import RecentPopularity, Window
from recjax.errors import UserError
from recjax.serve.live_clicks import NEVER, LiveClicks

SETTINGS = RecentPopularity((Window(7_200, 1_800), Window(50_000, 5_000)), scale=0.5)


def at(when):
    none = np.full((1, 0), PAD, np.int32)
    return PairContext(none, np.array([when]), np.array([PAD]))


def empty(items=20):
    return LiveClicks(SETTINGS, np.full(items, NEVER))


def test_online_clicks_are_those_of_the_data():
    known = support.sessions(2, users=40)
    offline = SETTINGS.open(known, np.ones(len(known.item), bool))
    online = empty()
    for item, when in zip(known.item, known.timestamp, strict=True):
        wanted = [one.toarray() for one in offline.at(at(when))]
        got = [one.toarray() for one in online.at(at(when))]
        np.testing.assert_allclose(got, wanted, rtol=1e-5)
        online.feed(int(item), int(when))
    assert len(online._when) < len(known.item)  # what no window holds is forgotten


def test_a_late_click_counts_at_the_newest_time():
    one, two = empty(), empty()
    for clicks, late in ((one, 40_000), (two, 10)):
        clicks.feed(3, 40_000)
        clicks.feed(5, late)
    for got, wanted in zip(two.at(at(50_000)), one.at(at(50_000)), strict=True):
        np.testing.assert_array_equal(got.toarray(), wanted.toarray())


def test_saved_and_loaded():
    online, again = empty(), empty()
    for item in range(20):
        online.feed(item, 1_000 * item)
    again.restore(online.arrays)
    again.feed(1, 30_000)
    online.feed(1, 30_000)
    for got, wanted in zip(again.at(at(40_000)), online.at(at(40_000)), strict=True):
        np.testing.assert_array_equal(got.toarray(), wanted.toarray())
    with pytest.raises(UserError, match="20 items, this model has 7"):
        empty(7).restore(online.arrays)


def test_without_a_time_it_is_the_newest_click():
    online = empty()
    assert not any(one.nnz for one in online.at(at(PAD)))
    for when in (10, 4_000):
        online.feed(2, when)
    for got, wanted in zip(online.at(at(PAD)), online.at(at(4_000)), strict=True):
        np.testing.assert_array_equal(got.toarray(), wanted.toarray())
    assert online.at(at(4_000))[0].nnz == 1
    with pytest.raises(UserError, match="give events a timestamp"):
        online.feed(0, None)
