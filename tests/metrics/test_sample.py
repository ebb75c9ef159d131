"""Intervals of means, beside SciPy's and a simulation."""

import numpy as np
import pytest
from scipy import stats

from recjax.metrics.sample import Sample


def test_the_interval_of_a_plain_mean_is_that_of_student():
    values = np.random.default_rng(0).normal(3, 2, 40)
    wanted = stats.t.interval(0.95, 39, values.mean(), stats.sem(values))
    np.testing.assert_allclose(Sample.of(values).interval, wanted, rtol=1e-9)


def test_the_interval_of_a_difference_is_that_of_pairs():
    draw = np.random.default_rng(1)
    one = draw.normal(3, 2, 40)
    other = one + draw.normal(0.1, 0.2, 40)
    gap = one - other
    wanted = stats.t.interval(0.95, 39, gap.mean(), stats.sem(gap))
    found = Sample.of(one).above(Sample.of(other))
    np.testing.assert_allclose(found, wanted, rtol=1e-9)


def test_weighted_means_of_users_are_covered_as_often_as_is_said():
    draw, held, users = np.random.default_rng(2), 0, 60
    for _ in range(400):
        size = draw.integers(1, 6, users)
        user = np.repeat(np.arange(users), size)
        # Queries of one user are alike: as if independent, 0.95 would be 0.8.
        rate = draw.beta(2, 3, users)
        low, high = Sample.of(draw.random(len(user)) < rate[user], unit=user).interval
        held += low <= 0.4 <= high
    assert 0.92 <= held / 400 <= 0.98


def test_units_that_do_not_differ_tell_nothing_and_ends_are_values():
    assert Sample.of(np.zeros(9)).interval is None
    assert Sample.of(np.ones(1)).interval is None
    same = Sample.of(np.array([0.2, 0.8]))
    assert same.above(same) is None
    low, high = Sample.of(np.array([0, 0, 0, 1])).interval
    assert low == 0 and high <= 1


def test_the_mean_is_of_what_is_weighed():
    made = Sample.of(np.array([1, np.nan, 3]), np.array([1, 0, 3]), np.array([0, 1, 0]))
    assert made.mean == 2.5 and len(made.total) == 2
    with pytest.raises(ValueError, match="different units"):
        made.above(Sample.of(np.ones(2)))
