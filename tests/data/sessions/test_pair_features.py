"""Features of pairs: what counts, what may be seen, and what a batch is given."""

from dataclasses import replace

import numpy as np
import pytest
import sessions as support
from hypothesis import given, settings
from hypothesis import strategies as st

from recjax.data.sessions.habits import Habits
from recjax.data.sessions.packing import Packed
from recjax.data.sessions.pair_features import PAD, PairContext, SessionPairs
from recjax.data.sessions.recent_popularity import RecentPopularity, Window
from recjax.data.sessions.repeats import Repeats
from recjax.data.sessions.transitions import Transitions
from recjax.errors import UserError

WINDOWS = Window(7_200, 1_800), Window(50_000, 5_000)


def of_user(known, event):
    """Returns the events of a user before one, newest first."""
    user = known.session_user[known.event_session[event]]
    first = known.session_start[known.user_start[user]]
    return np.arange(event - 1, first - 1, -1)


def everything(known, source, train=None):
    """Returns each feature as a whole array [E, N]."""
    train = np.ones(len(known.item), bool) if train is None else train
    pairs = SessionPairs.open([source], known, train)
    return [one.toarray() for one in pairs.at(np.arange(len(known.item)))]


@given(st.integers(0, 30), st.integers(1, 8))
@settings(max_examples=8)
def test_what_a_user_met_is_dated_by_the_newest_meeting(seed, reach):
    known = support.sessions(seed, items=6)
    met, age = everything(known, Repeats(reach))
    for event in range(len(known.item)):
        past = known.item[of_user(known, event)[:reach]]
        for item in range(6):
            positions = np.flatnonzero(past == item)
            assert met[event, item] == bool(len(positions))
            expected = np.log1p(positions[0]) if len(positions) else 0
            assert age[event, item] == pytest.approx(expected)


@given(st.integers(0, 30), st.integers(1, 9))
@settings(max_examples=8)
def test_habits_weigh_each_earlier_event(seed, reach):
    known = support.sessions(seed, items=6)
    source = Habits(0.9, half_life=0.1, hours=1.5, away=0.2, weekday=0.5, reach=reach)
    total, share = everything(known, source)
    when, day = known.timestamp, 86_400
    for event in range(len(known.item)):
        weights = np.zeros(6)
        for back, at in enumerate(of_user(known, event)[:reach]):
            age = float(when[event] - when[at])
            apart = abs(age % day) if age % day <= day / 2 else day - age % day
            bell = 0.2 + 0.8 * np.exp(-((apart / (1.5 * 3_600)) ** 2) / 2)
            weekday = 1.0 if round(age / day) % 7 == 0 else 0.5
            weights[known.item[at]] += (
                0.9**back * 0.5 ** (age / (0.1 * day)) * bell * weekday
            )
        np.testing.assert_allclose(
            total[event], np.log1p(weights), rtol=1e-5, atol=1e-7
        )
        expected = np.log1p(weights / max(weights.sum(), 1e-9) / source.scale)
        np.testing.assert_allclose(share[event], expected, rtol=1e-4, atol=1e-7)


def test_habits_need_times_only_where_they_ask_for_them():
    known = support.sessions(3)
    untimed = replace(known, timestamp=np.zeros_like(known.timestamp))
    train = np.ones(len(known.item), bool)
    with pytest.raises(UserError, match="Habits by hour.*need times"):
        Habits(hours=2.0).open(untimed, train)
    (total, _) = everything(untimed, Habits(decay=0.5))
    assert total.any()
    values = Habits(hours=2.0).open(known, train)
    recent, age = np.array([[3, 1]], np.int32), np.array([[np.nan, 60.0]])
    here = PairContext(recent, np.array([0]), np.array([PAD]), age)
    total, share = (one.toarray()[0] for one in values.at(here))
    assert not total[3] and share[1] == pytest.approx(np.log1p(1 / Habits().scale))


@given(st.integers(0, 30), st.integers(1, 3), st.integers(1, 3))
@settings(max_examples=8, deadline=None)
def test_transitions_are_counted_as_defined(seed, steps, last):
    known = support.sessions(seed, users=4, items=5)
    train = np.random.default_rng(seed).random(len(known.item)) < 0.7
    source = Transitions(steps, last, decay=0.5, shrink=0.7, scale=0.01)
    (got,) = everything(known, source, train)
    session, user = known.event_session, known.session_user[known.event_session]
    for event in range(len(known.item)):
        counts = np.zeros((5, 5))
        for later in np.flatnonzero(train):
            # The session that is predicted, and what its user did then, is unknown.
            if user[later] == user[event] and session[later] >= session[event]:
                continue
            for gap, at in enumerate(of_user(known, later)[:steps], 1):
                counts[known.item[at], known.item[later]] += 1 / gap
        share = np.zeros(5)
        for back, at in enumerate(of_user(known, event)[:last]):
            row = counts[known.item[at]]
            share += 0.5**back * row / (row.sum() + 0.7)
        np.testing.assert_allclose(got[event], np.log1p(share / 0.01), atol=1e-4)


@given(st.integers(0, 30))
@settings(max_examples=8)
def test_clicks_are_those_of_whole_steps_before_the_moment(seed):
    known = support.sessions(seed, users=5, items=6)
    got = everything(known, RecentPopularity(WINDOWS, scale=2.0))
    when = known.timestamp
    for event in range(len(known.item)):
        for number, window in enumerate(WINDOWS):
            end = when[event] // window.step * window.step
            inside = (when >= end - window.seconds) & (when < end)
            count = np.bincount(known.item[inside], minlength=6)
            np.testing.assert_allclose(
                got[number][event], np.log1p(count / 2), rtol=1e-5
            )
        for item in range(6):
            age = (when[event] - when[known.item == item].min(initial=2**60)) / 3600
            expected = np.log1p(age) if count[item] else 0
            assert got[2][event, item] == pytest.approx(expected, rel=1e-5)


def test_clicks_need_times():
    known = support.sessions(0)
    known.timestamp[:] = 0
    with pytest.raises(UserError, match="needs timestamps"):
        everything(known, RecentPopularity())


@pytest.mark.parametrize("lengths", [(10, 3), (10, 0), (0, 1)])
def test_a_window_is_made_of_whole_steps(lengths):
    with pytest.raises(ValueError, match="step must divide"):
        Window(*lengths)


def test_a_batch_holds_the_features_of_all_it_scores():
    known = support.sessions(3, users=9)
    sources = Repeats(5), Transitions(3, 2)
    data = support.opened(known, Packed(4, 16, 6), pairs=sources)
    batch, (plan, step) = data.batch(1), data.epochs.at(1)
    grid = plan.grid(step)
    drawn, lanes, positions = batch["negative_id"], 4, 16
    dense = np.zeros((lanes * positions, len(drawn), 3))
    row, column = np.divmod(batch["pair_at"], len(drawn))
    np.add.at(dense, (row, column, batch["pair_feature"]), batch["pair_value"])
    dense = dense.reshape(lanes, positions, len(drawn), 3)
    size = len(batch["pair_value"])
    assert size % 64 == 0 and size >= np.count_nonzero(batch["pair_value"]) > 0
    for lane, position in np.ndindex(lanes, positions):
        event = grid.event[lane, position]
        if event == PAD:
            assert not dense[lane, position].any()
            assert not batch["pair_own"][lane, position].any()
            continue
        whole = [one.toarray()[0] for one in data.pairs.at(np.array([event]))]
        whole = np.stack(whole, -1)
        np.testing.assert_allclose(dense[lane, position], whole[drawn], rtol=1e-6)
        own = whole[known.item[event]]
        np.testing.assert_allclose(batch["pair_own"][lane, position], own, rtol=1e-6)


def test_batches_at_the_end_of_a_pass_have_the_shapes_of_the_others():
    known = support.sessions(3, users=40)
    sources = Repeats(5), Transitions(3, 2)
    data = support.opened(known, Packed(4, 16, 6), pairs=sources)
    batches = [data.batch(step) for step in range(2 * data.epochs.at(0)[0].steps + 1)]
    events = [batch["weight"].sum() for batch in batches]
    assert min(events) < max(events) / 4
    for name in batches[0]:
        assert len({batch[name].shape for batch in batches}) == 1, name


def test_a_batch_with_more_features_than_room_takes_twice_as_much():
    known = support.sessions(3, users=9)
    pairs = support.opened(known, Packed(4, 16, 6), pairs=(Repeats(5),)).pairs
    event = np.arange(32)[None]
    own, drawn = np.zeros((1, 32), np.int32), np.arange(6)
    tight, ample = (pairs.of_batch(event, own, drawn, room) for room in (1, 4096))
    count = np.count_nonzero(ample["pair_value"])
    assert len(ample["pair_value"]) == 4096
    assert len(tight["pair_value"]) == 2 ** int(np.ceil(np.log2(count))) < 4096
    for name in ("pair_value", "pair_feature", "pair_at"):
        np.testing.assert_array_equal(tight[name][:count], ample[name][:count])


def test_a_moment_online_sees_all_counts():
    known = support.sessions(5, users=6, items=8)
    values = Transitions(2, 2).open(known, np.ones(len(known.item), bool))
    recent = np.array([[3, PAD]], np.int32)
    here = PairContext(recent, np.array([0]), np.array([PAD]))
    got = values.at(here)[0].toarray()[0]
    counts = values.counts.toarray()[3]
    share = counts / (counts.sum() + 1)
    np.testing.assert_allclose(got, np.log1p(share / 1e-3), rtol=1e-4)


def test_hosts_hold_parts_of_the_whole_batch():
    data = support.opened(support.sessions(3, users=9), pairs=(Repeats(5),))
    whole = data.batch(2)
    parts = [data.batch(2, (host, 2)) for host in range(2)]
    for name, array in whole.items():
        joined = np.concatenate([part[name] for part in parts])
        np.testing.assert_array_equal(joined, array, err_msg=name)
    with pytest.raises(UserError, match="rows: 4 is not divisible by 3"):
        data.batch(0, (0, 3))
