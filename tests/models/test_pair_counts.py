"""Counts of trained pairs against a plain count of all that was seen."""

from collections import Counter

import jax.numpy as jnp
import numpy as np
from retrieval import outputs

from recjax.models import PairCounts
from recjax.nn.sketch import CountMin

WIDE = CountMin(1 << 16, 3)


def seen(count=5):
    """Returns batches of (query, item), in which both repeat."""
    random = np.random.default_rng(0)
    return [
        (random.integers(0, 6, 40, np.int32), random.integers(0, 9, 40, np.int32))
        for _ in range(count)
    ]


def counted(counts, batches):
    memory = counts.empty()
    for query, item in batches:
        memory = counts.add(memory, jnp.asarray(query), jnp.asarray(item))
    return memory


def test_items_by_their_share_of_all_pairs():
    counts, batches = PairCounts(WIDE), seen()
    got = counts.correct(counted(counts, batches), outputs(items=9))
    items = Counter(np.concatenate([item for _, item in batches]).tolist())
    total = sum(items.values())
    out = outputs(items=9)
    for name in ("positive", "negative"):
        ids = np.maximum(getattr(out, f"{name}_id"), 0)
        wanted = np.log([max(items[i], 1) / total for i in ids.tolist()])
        np.testing.assert_allclose(getattr(got, f"{name}_logq"), wanted, rtol=1e-5)
    assert got.given_query_logq is None


def test_items_given_the_query():
    counts, batches = PairCounts(WIDE, given_query=True), seen()
    out = outputs(items=9)
    got = counts.correct(counted(counts, batches), out)
    pairs = Counter(pair for batch in batches for pair in zip(*batch, strict=True))
    queries = Counter(np.concatenate([query for query, _ in batches]).tolist())
    both = zip(out.query_id.tolist(), out.positive_id.tolist(), strict=True)
    wanted = [max(pairs[p], 1e-30) / queries[p[0]] for p in both]
    np.testing.assert_allclose(got.given_query_logq, np.log(wanted), rtol=1e-4)


def test_a_narrow_sketch_never_gives_more_than_certainty():
    counts, batches = PairCounts(CountMin(2, 1), given_query=True), seen()
    got = counts.correct(counted(counts, batches), outputs(items=9))
    assert (np.asarray(got.given_query_logq) <= 0).all()
