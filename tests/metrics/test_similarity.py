import numpy as np
import pytest
from scipy import stats

from recjax.metrics.similarity import score_at_top, similarity_precision


def test_a_tie_counts_half():
    got = similarity_precision(np.array([1.0, 2, 3, 4]), np.array([2.0, 2, 1, 9]))
    assert got.value == pytest.approx(2.5 / 4)
    assert (len(got.right), len(got.sample.total)) == (4, 4)


def test_the_interval_of_independent_triplets_is_near_the_binomial_one():
    generator = np.random.default_rng(0)
    right = generator.random(1_000) < 0.8
    got = similarity_precision(np.zeros(1_000), np.where(right, 1.0, -1.0))
    want = stats.binomtest(int(right.sum()), 1_000).proportion_ci(method="wilson")
    assert got.interval == pytest.approx((want.low, want.high), abs=0.006)


def test_triplets_of_one_query_widen_the_interval():
    right = np.repeat(np.arange(40) % 2, 25)
    far = np.where(right, 1.0, -1.0)
    alone = similarity_precision(np.zeros(1_000), far)
    alike = similarity_precision(np.zeros(1_000), far, np.repeat(np.arange(40), 25))
    assert alike.value == alone.value and len(alike.sample.total) == 40
    assert np.ptp(alike.interval) > 3 * np.ptp(alone.interval)


def test_figures_for_people():
    got = similarity_precision(np.zeros(1_200), np.ones(1_200))
    assert str(got) == "100.00 % [100.00, 100.00] of 1,200 triplets of 1,200 queries"


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_distances_that_are_no_numbers_are_refused(bad):
    with pytest.raises(ValueError, match="infinite or NaN"):
        similarity_precision(np.array([bad]), np.array([1.0]))


def test_score_at_top_worked_by_hand():
    rank = {"q": {10: 1, 11: 2, 12: 3, 13: 4}}
    # Right; wrong; both below the top; one outside of the pool; both outside.
    positive, negative = [10, 12, 12, 11, 98], [12, 11, 13, 99, 99]
    assert score_at_top(["q"] * 5, rank, positive, negative, k=2) == 1 - 1 + 0 + 1 + 0
    # With K = 3 the third counts as well.
    assert score_at_top(["q"] * 5, rank, positive, negative, k=3) == 2
