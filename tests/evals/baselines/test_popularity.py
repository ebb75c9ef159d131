import numpy as np
import pytest

from recjax.data.events import Events, Histories
from recjax.evals.baselines.popularity import ConstantScores, Popularity
from recjax.evals.scorer import rank_scores
from recjax.metrics.task import RankingTask

DAY = 86_400


@pytest.fixture
def events():
    return Events(
        user=np.array([0, 0, 0, 1, 1, 2]),
        item=np.array([3, 1, 3, 3, 0, 1]),
        timestamp=np.array([0, 5, 9, 1, 10, 10]) * DAY,
        num_items=5,
    )


@pytest.mark.parametrize(
    "days, expected",
    [
        (None, [1, 2, 0, 3, 0]),
        (100.0, [1, 2, 0, 3, 0]),
        (10.0, [1, 2, 0, 2, 0]),
        (1.5, [1, 1, 0, 1, 0]),
        (1.0, [1, 1, 0, 0, 0]),
    ],
)
def test_counts_of_the_last_days(events, days, expected):
    counts = Popularity(days).count(events)
    assert counts.tolist() == expected
    assert ConstantScores(counts).scores(4, 7).tolist() == [expected] * 3


def test_ranks_like_any_scorer(events):
    task = RankingTask.from_lists(5, [[3], [1], [4]], exclude=[[], [3], []])
    ranks = rank_scores(task, ConstantScores(Popularity().count(events)), 2)
    assert ranks.rank.tolist() == [1, 1, 4.5]
    assert ranks.top.tolist() == [[3, 1], [1, 0], [3, 1]]


def test_no_events():
    none = np.zeros(0, np.int64)
    assert Popularity(7).count(Events(none, none, none, 3)).tolist() == [0, 0, 0]


def test_days_must_be_above_0():
    with pytest.raises(ValueError, match="days is 0"):
        Popularity(0)


@pytest.mark.parametrize(
    "user, item, timestamp, message",
    [
        ([0, 0], [1, 2], [5, 4], "not sorted"),
        ([1, 0], [1, 2], [4, 5], "not sorted"),
        ([0, 0], [1, 5], [4, 5], "outside 0..4"),
        ([0, 0], [1], [4, 5], "different lengths"),
    ],
)
def test_events_that_do_not_fit(user, item, timestamp, message):
    with pytest.raises(ValueError, match=message):
        Events(np.array(user), np.array(item), np.array(timestamp), 5)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"stop": [3]}, "does not fit 2 items"),
        ({"start": [-1]}, "do not run forward"),
        ({"start": [2], "stop": [1]}, "do not run forward"),
        ({"start": [0, 1]}, "2 stretches"),
        ({"time": [4]}, "1 times of 2"),
        ({"when": None}, "or neither"),
        ({"when": [5]}, "after the query"),
        ({"session": [3]}, "do not run forward"),
    ],
)
def test_histories_that_do_not_fit(change, message):
    given = {"items": [1, 2], "start": [0], "stop": [2], "time": [4, 6], "when": [6]}
    Histories(**{k: np.array(v) for k, v in given.items()})
    given |= change
    with pytest.raises(ValueError, match=message):
        Histories(**{k: None if v is None else np.array(v) for k, v in given.items()})
