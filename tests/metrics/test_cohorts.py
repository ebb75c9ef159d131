"""Means over users and parts of sessions, by hand."""

import numpy as np
import pytest

from recjax.metrics.cohorts import user_metrics
from recjax.metrics.task import RankingTask


def task(queries, num_items):
    return RankingTask.of_one_each(num_items, np.arange(queries))


def test_forms_of_the_mean_by_hand():
    ranks = np.array([1.0, 4.0, 2.0, 20.0])
    first = np.array([True, False, False, True])
    user = np.array([5, 5, 5, 9])
    got = user_metrics(task(4, 40), ranks, user, (2,), first)
    assert got["non_first/recall@2"] == 0.5
    assert got["first/recall@2"] == 0.5
    assert got["by_user/recall@2"] == pytest.approx((2 / 3 + 0) / 2)
    assert got["by_user/mrr"] == pytest.approx(((1 + 1 / 4 + 1 / 2) / 3 + 1 / 20) / 2)
    assert got["by_user/mrp"] == pytest.approx(((1 + 4 + 2) / 3 + 20) / 2 / 40)
    assert got["non_first/mrr"] == pytest.approx((1 / 4 + 1 / 2) / 2)
    assert not [
        name
        for name in user_metrics(task(4, 40), ranks, user, (2,))
        if ("first" in name)
    ]


def test_batches_of_32_users():
    user = np.arange(40)
    ranks = np.where(user < 32, 1.0, 2.0)
    got = user_metrics(task(40, 50), ranks, user, (1,))
    assert got["by_user/recall@1"] == 0.8 and got["by_batch/recall@1"] == 0.5


def test_nobody():
    got = user_metrics(
        task(0, 5), np.zeros(0), np.zeros(0, int), (1,), np.zeros(0, bool)
    )
    assert all(np.isnan(value) for value in got.values())


def test_several_items_a_query_are_refused():
    two = RankingTask.from_lists(9, [[1, 2], [3]])
    with pytest.raises(ValueError, match="3 ranks of 2 queries"):
        user_metrics(two, np.ones(3), np.zeros(2), (1,))
