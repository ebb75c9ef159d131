"""Encoders: no user's vectors depend on lanes, batch size, padding or row ends."""

import jax
import numpy as np
import pytest
import sessions as support
from hypothesis import given, settings
from hypothesis import strategies as st

from recjax.data.sessions.packing import Packed, Queue, make_plan
from recjax.data.sessions.runs import Runs
from recjax.nn.session import Pool, Row, pool_sessions, session_rows

QUICK = support.by_encoder("hiertcn")
PACKED = ("gated", "hstu", "sasrec", "tcn")
"""Encoders that want no padding inside their rows."""
WHOLE = Packed(1, 120, 30)
"""One row for all: the rows that few shapes are compiled for are cut from it."""


def everyone(data):
    start = data.sessions.user_start
    return Runs(start[:-1], np.diff(start))


def vectors(name, data, layout, seed=None):
    encoder = support.ENCODERS[name]
    params, table = support.started(encoder, data)
    plan = make_plan(layout, data.sessions.session_start, everyone(data), seed)
    return support.streamed(encoder, params, table, data, plan)


@QUICK
def test_vectors_do_not_depend_on_lanes_rows_or_order(name):
    data = support.opened(support.sessions(users=4))
    whole = vectors(name, data, WHOLE)
    assert np.isfinite(whole).all() and np.std(whole, 0).min() > 1e-3
    cut = vectors(name, data, Packed(3, 5, 2), 1)
    np.testing.assert_allclose(cut, whole, rtol=1e-6, atol=2e-6)
    if name not in PACKED:
        queued = vectors(name, data, Queue(3, 2, 7), 2)
        np.testing.assert_allclose(queued, whole, atol=2e-6)


@QUICK
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 999))
def test_vectors_of_random_users(name, seed):
    # Shapes stay the same, so that each encoder is compiled once.
    data = support.opened(support.sessions(seed, users=4))
    whole = vectors(name, data, WHOLE)
    cut = vectors(name, data, Packed(3, 5, 2), seed)
    # Sums in another order differ by what the largest number of a vector rounds to.
    atol = 1e-6 * max(2.0, np.abs(whole).max())
    np.testing.assert_allclose(cut, whole, rtol=1e-6, atol=atol)


@QUICK
def test_one_event_at_a_time_gives_the_same_vectors(name):
    data = support.opened(support.sessions(3, users=2))
    encoder, known = support.ENCODERS[name], data.sessions
    whole = vectors(name, data, WHOLE)
    params, table = support.started(encoder, data)
    for user in range(known.users):
        memory, age = encoder.start(1, support.WIDTH), 0
        for session in range(*known.user_start[user : user + 2]):
            start, stop = known.session_start[session : session + 2]
            gap = known.timestamp[start] - known.timestamp[max(start - 1, 0)]
            for event in range(start, stop):
                at = [np.array([[v]], np.int32) for v in (event - start, age)]
                item = np.array([[known.item[event] + 1]], np.int32)
                gaps = np.array([[gap if age > event - start else 0]], np.float32)
                batch = session_rows(item, *at, gaps)
                got, memory = support.advance(encoder, params, table, batch, memory)
                np.testing.assert_allclose(got[0, 0], whole[event], atol=2e-6)
                age += 1


@QUICK
def test_no_vector_sees_its_own_or_a_later_event(name):
    data = support.opened(support.sessions(5, users=1, most=5))
    encoder = support.ENCODERS[name]
    params, table = support.started(encoder, data)
    plan = make_plan(Packed(1, 30, 8), data.sessions.session_start, everyone(data))
    batch = data.packed_arrays(plan.grid(0))
    memory = encoder.start(1, support.WIDTH)

    def run(event):
        return encoder.apply(params, Row.of(batch, event), memory, False)[0][0]

    events = table[batch["item"]]
    change = np.asarray(jax.jit(jax.jacobian(run))(events))[:, :, 0]  # [L, D, L, D]
    moved = np.abs(change).sum((1, 3))
    size = len(data.sessions.item)
    assert not np.triu(moved[:size, :size]).any()
    # ReLUs may be off here or there, but not at most positions.
    sees = np.diagonal(moved[:size, :size], -1) > 0
    position = data.sessions.position[1:size]
    assert sees[position > 0].mean() > 0.6
    if name == "gru4rec":  # a session's first event knows nothing
        assert not sees[position == 0].any()


@pytest.mark.parametrize(
    "name", ["hiertcn", pytest.param("hiergru", marks=pytest.mark.slow)]
)
def test_the_past_reaches_a_session_by_the_state_alone(name):
    # The order inside an earlier session must not matter, its items must.
    data = support.opened(support.sessions(8, users=1, most=6))
    encoder, known = support.ENCODERS[name], data.sessions
    params, table = support.started(encoder, data)
    plan = make_plan(Packed(1, 40, 8), known.session_start, everyone(data))
    batch = data.packed_arrays(plan.grid(0))
    first = known.session_start[1]
    assert first > 1 and known.user_start[1] > 2

    @jax.jit
    def run(events):
        memory = encoder.start(1, support.WIDTH)
        return encoder.apply(params, Row.of(batch, events), memory, False)[0]

    events = table[batch["item"]]
    turned, other = events.copy(), events.copy()
    turned[0, :first] = events[0, :first][::-1]
    other[0, 0] += 1
    later = slice(first, len(known.item))
    np.testing.assert_allclose(run(turned)[0, later], run(events)[0, later], atol=2e-6)
    assert (np.abs(np.asarray(run(other)) - run(events))[0, later].max(1) > 1e-5).all()


def test_no_gradient_reaches_frozen_items_by_the_state():
    data = support.opened(support.sessions(8, users=1, most=6))
    known, learned = data.sessions, support.ENCODERS["hiertcn"]
    frozen = learned.clone(high=learned.high.clone(frozen_items=True))
    params, table = support.started(learned, data)
    plan = make_plan(Packed(1, 40, 8), known.session_start, everyone(data))
    batch = data.packed_arrays(plan.grid(0))
    events, second = table[batch["item"]], slice(*known.session_start[1:3])

    def run(encoder, events):
        memory = encoder.start(1, support.WIDTH)
        out = encoder.apply(params, Row.of(batch, events), memory, False)[0]
        return out[0, second].sum()

    ask = jax.jit(jax.value_and_grad(run, 1), static_argnums=0)
    (value, grad), (same, kept) = (ask(one, events) for one in (learned, frozen))
    assert value == same
    assert np.abs(grad[0, : second.start]).max() > 1e-5
    assert not kept[0, : second.start].any()
    # By way of its own session an item learns as before.
    np.testing.assert_allclose(kept[0, second], grad[0, second], atol=1e-6)
    assert kept[0, second].any()


def test_sessions_are_pooled_as_their_means():
    data = support.opened(support.sessions(2))
    known = data.sessions
    plan = make_plan(Packed(2, 9, 3), known.session_start, everyone(data))
    vectors = np.random.default_rng(0).normal(size=(len(known.item), 4))
    pool, pooled = Pool.start(2, 4), jax.jit(pool_sessions)
    for number in range(plan.steps):
        grid = plan.grid(number)
        events = vectors[np.maximum(grid.event, 0)].astype(np.float32)
        row = Row.of(data.packed_arrays(grid), events)
        mean, there, pool = pooled(row, pool)
        for lane, slot in zip(*np.nonzero(grid.session >= 0), strict=True):
            session = grid.session[lane, slot]
            if grid.fresh[lane, slot]:
                continue
            own = vectors[slice(*known.session_start[session - 1 : session + 1])]
            assert there[lane, slot]
            np.testing.assert_allclose(mean[lane, slot], own.mean(0), atol=1e-6)
