"""Lanes: every session once and in order, state flags, fill, and resume by step."""

import numpy as np
import pytest
import sessions as support
from hypothesis import given, settings
from hypothesis import strategies as st

from recjax.data import pipeline
from recjax.data.sessions.packing import (
    PAD,
    Epochs,
    Packed,
    Queue,
    make_plan,
    paper_slots,
)
from recjax.data.sessions.runs import Runs
from recjax.errors import UserError

LAYOUTS = st.one_of(
    st.builds(Packed, st.integers(1, 5), st.integers(5, 12), st.integers(1, 6)),
    st.builds(Queue, st.integers(1, 5), st.integers(1, 4), st.just(5)),
)


def everyone(known):
    return Runs(known.user_start[:-1], np.diff(known.user_start))


@given(st.integers(0, 50), LAYOUTS, st.integers(0, 3))
@settings(max_examples=60)
def test_a_pass_holds_every_event_once_and_in_order(seed, layout, epoch):
    known = support.sessions(seed)
    runs = everyone(known)
    plan = make_plan(layout, known.session_start, runs, seed, epoch)
    grids = [plan.grid(step) for step in range(plan.steps)]
    shape = plan.steps, layout.rows, layout.events
    events = np.stack([grid.event for grid in grids])
    assert events.shape == shape
    order = np.sort(events[events != PAD])
    np.testing.assert_array_equal(order, np.arange(len(known.item)))
    assert plan.fill == pytest.approx(len(known.item) / events.size)
    session = known.event_session
    for lane in range(layout.rows):
        # A user's events follow each other, from the first to the last.
        flat = np.concatenate([grid.event[lane] for grid in grids])
        flat = flat[flat != PAD]
        user = known.session_user[session[flat]]
        jump = np.flatnonzero(np.diff(flat) != 1)
        assert (user[jump] != user[jump + 1]).all()
        for grid in grids:
            there = grid.event[lane] != PAD
            held, slot = grid.event[lane][there], grid.slot[lane][there]
            np.testing.assert_array_equal(grid.session[lane][slot], session[held])
            # A session stands in one piece.
            columns = np.flatnonzero(there)
            same = np.diff(session[held]) == 0
            assert (np.diff(columns)[same] == 1).all()
    fresh = np.concatenate([grid.session[grid.fresh] for grid in grids])
    np.testing.assert_array_equal(np.sort(fresh), known.user_start[:-1])


@given(st.integers(0, 99), st.integers(1, 6))
def test_users_go_to_the_shortest_queue(seed, lanes):
    known = support.sessions(seed, users=12)
    plan = make_plan(Queue(lanes, 1, 5), known.session_start, everyone(known))
    queues = [[] for _ in range(lanes)]
    for user in range(known.users):
        shortest = min(queues, key=len)
        shortest += range(*known.user_start[user : user + 2])
    for lane, queue in enumerate(queues):
        own = [plan.grid(step).session[lane, 0] for step in range(plan.steps)]
        assert own == queue + [PAD] * (plan.steps - len(queue))


def test_a_step_is_found_again_without_the_steps_before_it():
    known = support.sessions(4, users=20)
    one, other = (
        Epochs(Packed(3, 6, 3), known.session_start, everyone(known), 7)
        for _ in range(2)
    )
    steps = 3 * one.at(0)[0].steps
    there = [one.at(step)[0].grid(one.at(step)[1]) for step in range(steps)]
    for step in (steps - 1, 0, steps // 2):
        plan, position = other.at(step)
        np.testing.assert_array_equal(plan.grid(position).event, there[step].event)
    first = one.at(0)[0].steps
    assert not np.array_equal(there[0].event, there[first].event)  # shuffled anew


def test_hosts_make_their_own_lanes():
    data = support.opened(support.sessions(2, users=30))
    whole = data.batch(3)
    halves = [data.batch(3, (host, 2)) for host in range(2)]
    for name, array in whole.items():
        joined = np.concatenate([half[name] for half in halves])
        np.testing.assert_array_equal(joined, array)


@pytest.mark.parametrize("start", [5, 300])  # of the first pass, and far behind it
def test_batches_start_anywhere(start):
    known = support.sessions(2, users=30)
    data = support.opened(known)
    # Threads that plan the passes before at the same time must agree.
    ahead = pipeline.stream(support.opened(known).batch, start, threads=4, prefetch=4)
    for step in range(start, start + 4):
        batch, wanted = next(ahead), data.batch(step)
        for name in wanted:
            np.testing.assert_array_equal(batch[name], wanted[name])


def test_a_batch_tells_places_ages_and_gaps():
    known = support.sessions(6)
    data = support.opened(known)
    plan, position = data.epochs.at(0)
    grid, batch = plan.grid(position), data.batch(0)
    session = known.event_session
    for lane, column in np.argwhere(grid.event != PAD):
        event = grid.event[lane, column]
        assert batch["item"][lane, column] == known.item[event] + 1
        assert batch["position"][lane, column] == known.position[event]
        user = known.session_user[session[event]]
        first = known.session_start[known.user_start[user]]
        assert batch["age"][lane, column] == event - first
        slot = batch["slot"][lane, column]
        start = known.session_start[session[event]]
        gap = 0 if start == first else np.diff(known.timestamp[start - 1 : start + 1])
        assert batch["gap"][lane, slot] == gap
    empty = grid.event == PAD
    assert empty.any() and not batch["weight"][empty].any()


def test_packed_rows_are_fuller_than_the_papers():
    known = support.sessions(0, users=400, longest=12)
    start, runs = known.session_start, everyone(known)
    packed = make_plan(Packed(8, 48, 24), start, runs, 0)
    assert packed.fill > 0.85
    queue = make_plan(Queue(8, 10, 12), start, runs, 0)
    positions = 0
    for step in range(queue.steps):
        session = queue.grid(step).session
        held = np.where(session == PAD, 0, start[session + 1] - start[session])
        positions += paper_slots(held)
    assert queue.fill < len(known.item) / positions < 0.7


def test_a_session_that_fits_no_row_is_named():
    known = support.sessions(0)
    with pytest.raises(UserError, match=r"session \d+ has 5 events.*room for 4"):
        make_plan(Packed(2, 4, 3), known.session_start, everyone(known))


def test_negatives_follow_their_distribution():
    data = support.opened(
        support.sessions(3, users=40), negatives=4_000, popularity=0.7
    )
    drawn = np.concatenate([data.batch(s)["negative_id"] for s in range(5)])
    share = np.bincount(drawn, minlength=20) / len(drawn)
    count = np.bincount(data.sessions.item[data.train], minlength=20) + 1.0
    wanted = count**0.7 / (count**0.7).sum()
    np.testing.assert_allclose(share, wanted, atol=0.01)
    batch = data.batch(0)
    logq = np.log(wanted)[batch["negative_id"]]
    np.testing.assert_allclose(batch["negative_draw_logq"], logq, rtol=1e-5)


def test_all_items_as_negatives():
    data = support.opened(support.sessions(3), negatives=None)
    drawn = data.batch(0)["negative_id"]
    assert len(drawn) == 64 and sorted(drawn[drawn >= 0]) == list(range(20))
