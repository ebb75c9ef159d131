import logging

import numpy as np
import pytest
from triplet_oracle import p_value

from recjax.data.triplets.buffered import FromReservoirs
from recjax.data.triplets.exact import TripletRules
from recjax.data.triplets.relevance import from_blocks

RULES = TripletRules(out_of_class=1.0)
"""Then any query that has a positive makes a triplet: none is given up by margin."""


def known(images, seed=0):
    """Two equal categories."""
    generator = np.random.default_rng(seed)
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
    relevance = known(12)
    sampler = FromReservoirs(64, every=1).open(relevance, RULES, seed=5)
    # One query a filling, so that draws are independent.
    counts = np.bincount(queries(sampler, 3_000, 1), minlength=24)
    assert p_value(counts, relevance.total) > 1e-3


@pytest.mark.parametrize(("capacity", "warns"), [(4, False), (90, True)])
def test_a_run_is_warned_where_buffers_hold_too_much(capacity, warns, caplog):
    relevance = known(100)
    settings = FromReservoirs(capacity, distinct=True, every=1)
    with caplog.at_level(logging.WARNING):
        queries(settings.open(relevance, RULES, 0), 300, 20)
    found = [r for r in caplog.records if "top tenth" in r.message]
    assert bool(found) is warns


def test_triplets_of_one_filling_come_from_its_slots():
    sampler = FromReservoirs(5, every=10).open(known(200), RULES, 3)
    assert len(np.unique(queries(sampler, 10, 50))) <= 10
    assert len(np.unique(queries(sampler, 100, 50))) > 10


@pytest.mark.parametrize("name", ["capacity", "others", "every"])
def test_sizes_that_are_too_small_are_refused(name):
    with pytest.raises(ValueError, match=f"{name} = 0: must be at least"):
        FromReservoirs(**{name: 0})
