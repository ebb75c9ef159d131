"""Ranks and metrics of next events, by hand and against SciPy."""

from types import SimpleNamespace

import numpy as np
import pytest
import sessions as support
from scipy.stats import rankdata

from recjax.evals.baselines.session_baselines import targets_of
from recjax.evals.session_metrics import (
    Targets,
    rank_of,
    rank_targets,
    session_metrics,
)


def test_ranks_against_scipy():
    random = np.random.default_rng(0)
    scores = random.integers(0, 4, (50, 9)).astype(np.float32)
    item = random.integers(0, 9, 50)
    wanted = [rankdata(-row)[i] for row, i in zip(scores, item, strict=True)]
    np.testing.assert_array_equal(rank_of(scores, item), wanted)
    least = [rankdata(-r, "min")[i] for r, i in zip(scores, item, strict=True)]
    np.testing.assert_array_equal(rank_of(scores, item, "optimistic"), least)


def test_a_score_that_is_no_number_is_told():
    scores = np.zeros((3, 4), np.float32)
    scores[1, 2] = np.nan
    with pytest.raises(ValueError, match="target 1 of this block"):
        rank_of(scores, np.zeros(3, int))


def test_blocks_make_no_difference():
    random = np.random.default_rng(1)
    scores = random.normal(size=(33, 7))
    targets = Targets(*(np.arange(33) % 7,) * 4, 7)
    scorer = SimpleNamespace(scores=lambda start, stop: scores[start:stop])
    whole = rank_targets(targets, scorer, block=100)
    np.testing.assert_array_equal(rank_targets(targets, scorer, block=4), whole)


def test_forms_of_the_mean_by_hand():
    ranks = np.array([1.0, 4.0, 2.0, 20.0])
    first = np.array([True, False, False, True])
    user = np.array([5, 5, 5, 9])
    got = session_metrics(Targets(ranks, ranks, first, user, 40), ranks, (2,))
    assert got["recall@2"] == 0.5 and got["non_first/recall@2"] == 0.5
    assert got["first/recall@2"] == 0.5
    assert got["by_user/recall@2"] == pytest.approx((2 / 3 + 0) / 2)
    assert got["mrr"] == pytest.approx((1 + 1 / 4 + 1 / 2 + 1 / 20) / 4)
    assert got["mrp"] == pytest.approx((1 + 4 + 2 + 20) / 4 / 40)
    assert got["non_first/mrr"] == pytest.approx((1 / 4 + 1 / 2) / 2)


def test_batches_of_32_users():
    user = np.arange(40)
    ranks = np.where(user < 32, 1.0, 2.0)
    targets = Targets(user, user, user < 0, user, 50)
    got = session_metrics(targets, ranks, (1,))
    assert got["by_user/recall@1"] == 0.8 and got["by_batch/recall@1"] == 0.5


def test_targets_of_a_split():
    data = support.opened(support.sessions(1))
    targets, known = targets_of(data, "test"), data.sessions
    last = [
        event
        for user in range(known.users)
        if np.diff(known.user_start)[user] > 1
        for event in range(*known.session_start[known.user_start[user + 1] - 1 :][:2])
    ]
    np.testing.assert_array_equal(targets.event, last)
    np.testing.assert_array_equal(targets.item, known.item[last])
    np.testing.assert_array_equal(targets.first, known.place[last] == 0)
