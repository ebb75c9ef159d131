import logging

import numpy as np
import pytest
from triplet_oracle import p_value, probabilities, relevance_matrix

from recjax.data.triplets.exact import TripletRules
from recjax.data.triplets.online import FromReservoirs, OnlineTriplets, ShareWatch
from recjax.data.triplets.relevance import from_blocks
from recjax.errors import UserError


def many(copies, images, seed=0):
    """Categories that are copies of one: statistics over them are of one category."""
    generator = np.random.default_rng(seed)
    block = generator.gamma(1.0, size=(images, images))
    liked = generator.gamma(1.0, size=images)
    block = (np.outer(liked, liked) * (block + block.T)).astype(np.float32)
    category = np.repeat(np.arange(copies), images)
    return from_blocks(category, [block] * copies), block


def shares(drawn, images):
    """Share of each image of the copied category."""
    return np.bincount(drawn % images, minlength=images)


@pytest.mark.parametrize("capacity", [2, 7, 40])
def test_queries_are_in_proportion_to_their_relevance(capacity):
    known, _ = many(2_000, 10)
    rules = TripletRules(out_of_class=1.0)
    sampler = OnlineTriplets(known, rules, FromReservoirs(capacity))
    held = sampler.passed(0).held
    # One slot a category, so that draws are independent.
    counts = shares(held.image[:, capacity - 1], 10)
    assert p_value(counts, known.total[:10]) > 1e-3


@pytest.mark.parametrize("outside", [False, True])
def test_large_buffers_give_the_formulas(outside):
    known, block = many(3, 5)
    rules = TripletRules(float(outside), cap=1.2, margin=0.2, tries=2)
    sampler = OnlineTriplets(known, rules, FromReservoirs(1_000, others=60_000))
    want = probabilities(relevance_matrix(known), known.image_category, rules, outside)
    counts = np.zeros(want.shape)
    for number in range(60):  # Draws from one buffer are not independent.
        buffers = sampler.passed(number)
        got = sampler.draw_from(buffers, np.random.default_rng(number), 60)
        np.add.at(counts, (got.query, got.positive, got.negative), 1)
    assert p_value(counts, want) > 1e-3


def test_draws_are_exact_among_the_slots():
    """A-Res buffers: positives by min(T_p, r) / r_p among what is held."""
    known, block = many(1, 12)
    rules = TripletRules(out_of_class=0.0, cap=0.8, margin=0.3, tries=3)
    settings = FromReservoirs(capacity=6, distinct=True)
    sampler = OnlineTriplets(known, rules, settings, seed=1)
    buffers = sampler.passed(0)
    slots = buffers.held.image[0]
    r = relevance_matrix(known)
    want = np.zeros((12, 12, 12))
    for q in slots:
        weight = np.array([min(r[q, s], 0.8) / r[s].sum() * (s != q) for s in slots])
        for p, at in zip(slots, weight / weight.sum(), strict=True):
            low = np.array([r[q, p] - r[q, s] >= 0.3 for s in slots]) * weight
            if low.sum() > 0:
                found = 1 - (1 - low.sum() / weight.sum()) ** 3
                want[q, p, slots] += at * found * low / low.sum()
    got = sampler.draw_from(buffers, np.random.default_rng(0), 40_000)
    counts = np.zeros(want.shape)
    np.add.at(counts, (got.query, got.positive, got.negative), 1)
    assert p_value(counts, want / want.sum()) > 1e-3


def test_positives_come_nearer_to_the_formula_with_capacity():
    known, block = many(400, 30)
    rules = TripletRules(out_of_class=1.0)
    r = block * (1 - np.eye(30))
    want = (r.sum(1)[:, None] * r / r.sum(1)[:, None]).sum(0)
    want = want / want.sum()
    far = []
    for capacity in (3, 64):
        sampler = OnlineTriplets(known, rules, FromReservoirs(capacity))
        counts = sum(
            shares(
                sampler.draw_from(
                    sampler.passed(n), np.random.default_rng(n), 20_000
                ).positive,
                30,
            )
            for n in range(6)
        )
        far.append(np.abs(counts / counts.sum() - want).sum() / 2)
    assert far[1] < 0.5 * far[0]


def watched(capacity, distinct):
    known, _ = many(300, 140)
    settings = FromReservoirs(capacity, distinct)
    sampler = OnlineTriplets(known, TripletRules(1.0), settings)
    watch = ShareWatch(known)
    for number in range(10):
        buffers = sampler.passed(number)
        drawn = sampler.draw_from(buffers, np.random.default_rng(number), 2_000)
        watch.see(drawn.query)
    return watch


@pytest.mark.parametrize("capacity, distinct", [(4, True), (4, False), (140, False)])
def test_small_buffers_and_buffers_with_replacement_keep_the_share(
    capacity, distinct, caplog
):
    watch = watched(capacity, distinct)
    assert abs(watch.share / watch.target - 1) < 0.05
    assert not caplog.records


@pytest.mark.parametrize("capacity", [70, 140])
def test_large_buffers_without_replacement_are_warned_of(capacity, caplog):
    with caplog.at_level(logging.WARNING):
        watch = watched(capacity, distinct=True)
    assert watch.share < 0.95 * watch.target
    assert len(caplog.records) == 1 and "lower the capacity" in caplog.text


def test_the_target_is_the_share_of_the_weight():
    known, block = many(1, 20)
    total = np.sort(block.sum(1) - np.diag(block))
    want = total[-2:].sum() / total.sum()
    assert ShareWatch(known).target == pytest.approx(want)


def test_a_pass_is_a_function_of_seed_and_number():
    known, _ = many(5, 6)
    sampler = OnlineTriplets(known, seed=3)
    again = [sampler.passed(4).held.image for _ in range(2)]
    np.testing.assert_array_equal(*again)
    assert (sampler.passed(5).held.image != again[0]).any()


def test_buffers_that_allow_no_triplet_say_what_to_change():
    known, _ = many(2, 3)
    sampler = OnlineTriplets(known, TripletRules(0.0, margin=50.0))
    with pytest.raises(UserError, match="lower margin = 50.* or raise the capacity"):
        sampler.draw_from(sampler.passed(0), np.random.default_rng(0), 10)


RULES = TripletRules(out_of_class=1.0)
"""Then any query that has a positive makes a triplet: none is given up by margin."""


def two(images):
    """Two equal categories."""
    generator = np.random.default_rng(0)
    liked = generator.gamma(0.3, size=images)
    block = np.outer(liked, liked) * generator.gamma(1.0, size=(images, images))
    block = (block + block.T).astype(np.float32)
    return from_blocks(np.repeat([0, 1], images), [block, block])


def queries(sampler, steps, count):
    drawn = [
        sampler.draw(np.random.default_rng(step), count, step).query
        for step in range(steps)
    ]
    return np.concatenate(drawn)


def test_queries_of_many_fillings_follow_relevance():
    relevance = two(12)
    sampler = OnlineTriplets(relevance, RULES, FromReservoirs(64, every=1), seed=5)
    # One query a filling, so that draws are independent.
    counts = np.bincount(queries(sampler, 3_000, 1), minlength=24)
    assert p_value(counts, relevance.total) > 1e-3


@pytest.mark.parametrize(("capacity", "warns"), [(4, False), (90, True)])
def test_a_run_is_warned_where_buffers_hold_too_much(capacity, warns, caplog):
    settings = FromReservoirs(capacity, distinct=True, every=1)
    with caplog.at_level(logging.WARNING):
        queries(OnlineTriplets(two(100), RULES, settings), 300, 20)
    found = [r for r in caplog.records if "top tenth" in r.message]
    assert bool(found) is warns


def test_triplets_of_one_filling_come_from_its_slots():
    sampler = OnlineTriplets(two(200), RULES, FromReservoirs(5, every=10), seed=3)
    assert len(np.unique(queries(sampler, 10, 50))) <= 10
    assert len(np.unique(queries(sampler, 100, 50))) > 10


@pytest.mark.parametrize("name", ["capacity", "others", "every"])
def test_sizes_that_are_too_small_are_refused(name):
    with pytest.raises(ValueError, match=f"{name} = 0: must be at least"):
        FromReservoirs(**{name: 0})
