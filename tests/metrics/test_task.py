import numpy as np
import pytest
from scipy.stats import rankdata

from recjax.metrics.ranks import ranks_of
from recjax.metrics.task import RankingTask


def lists(task):
    """Returns what each query judges, gains and excludes."""
    judged = np.split(task.items, task.offsets[1:-1])
    gains = np.split(task.gains, task.offsets[1:-1])
    out = np.split(task.exclude, task.exclude_offsets[1:-1])
    return [[row.tolist() for row in part] for part in (judged, gains, out)]


ITEMS = [[4, 1], [], [0, 2, 3]]
GAINS = [[2.0, 0.0], [], [1.0, 0.5, 2.0]]
EXCLUDE = [[0, 0, 3], [2], []]


@pytest.fixture
def task():
    return RankingTask.from_lists(5, ITEMS, GAINS, EXCLUDE)


def test_lists_go_in_and_come_out(task):
    assert len(task) == 3
    assert lists(task) == [ITEMS, GAINS, EXCLUDE]
    assert task.query.tolist() == [0, 0, 2, 2, 2]
    assert (task.items.dtype, task.gains.dtype) == (np.int32, np.float32)


def test_gains_are_1_and_nothing_is_excluded_by_default():
    assert lists(RankingTask.from_lists(5, ITEMS)) == [
        ITEMS,
        [[1, 1], [], [1, 1, 1]],
        [[], [], []],
    ]


def test_a_task_without_queries():
    task = RankingTask.from_lists(5, [])
    assert (len(task), len(task.pool), len(task.positive)) == (0, 0, 0)


def test_positives(task):
    assert task.positive.tolist() == [True, False, True, True, True]
    strict = RankingTask.from_lists(5, ITEMS, GAINS, EXCLUDE, positive_gain=1.0)
    assert strict.positive.tolist() == [True, False, True, False, True]


def test_an_item_excluded_twice_leaves_the_pool_once(task):
    assert task.pool.tolist() == [3, 4, 5]


@pytest.mark.parametrize("rows", [[0, 1, 2], [0, 1], [1, 2], [2], [2, 0], []])
def test_some_queries_are_the_same_queries(task, rows):
    part = task.take(np.array(rows, int))
    if rows:
        assert lists(part) == [[own[i] for i in rows] for own in lists(task)]
    assert len(part) == len(rows)
    assert part.num_items == 5


@pytest.mark.parametrize("rows", [[-1, 2], [0, 3]])
def test_no_such_queries(task, rows):
    with pytest.raises(ValueError, match="of 3"):
        task.take(np.array(rows))


def test_one_item_a_query():
    task = RankingTask.of_one_each(5, np.array([3, 0]))
    assert lists(task) == [[[3], [0]], [[1], [1]], [[], []]]


@pytest.mark.parametrize("ties", ["average", "worst", "optimistic"])
def test_ties_against_scipy(ties):
    scores = np.random.default_rng(0).integers(0, 5, 40)
    above = (scores[None] > scores[:, None]).sum(1)
    tied = (scores[None] == scores[:, None]).sum(1) - 1
    name = {"average": "average", "worst": "max", "optimistic": "min"}[ties]
    np.testing.assert_array_equal(ranks_of(above, tied, ties), rankdata(-scores, name))


def test_no_such_tie_rule():
    with pytest.raises(ValueError, match="ties is 'first'"):
        ranks_of(np.zeros(1), np.zeros(1), "first")


@pytest.mark.parametrize(
    "change, message",
    [
        ({"items": [[5]]}, "outside 0..4"),
        ({"items": [[-1]]}, "outside 0..4"),
        ({"items": [[1]], "exclude": [[9]]}, "outside 0..4"),
        ({"items": [[1], [2, 3, 2]]}, "query 1 judges item 2 twice"),
        ({"items": [[1], [2]], "exclude": [[], [3, 2]]}, "query 1 .* excludes item 2"),
        ({"items": [[1], [2]], "exclude": [[0]]}, "different queries"),
        ({"items": [[1]], "gains": [[1.0, 2.0]]}, "different lengths"),
        ({"items": [[1]], "gains": [[-1.0]]}, "negative"),
        ({"items": [[1]], "gains": [[np.nan]]}, "NaN"),
        ({"items": [[1]], "positive_gain": 0.0}, "above 0"),
    ],
)
def test_what_does_not_fit(change, message):
    with pytest.raises(ValueError, match=message):
        RankingTask.from_lists(5, **change)


@pytest.mark.parametrize("offsets", [[], [0], [1, 2], [0, 2, 1, 2]])
def test_offsets_that_do_not_fit(offsets):
    with pytest.raises(ValueError):
        RankingTask(
            num_items=5,
            offsets=np.array(offsets, np.int64),
            items=np.array([1, 2]),
            gains=np.ones(2),
            exclude_offsets=np.zeros(len(offsets), np.int64),
            exclude=np.zeros(0, np.int32),
        )


def test_gains_of_another_length():
    with pytest.raises(ValueError, match="1 gains of 2 items"):
        RankingTask(
            num_items=5,
            offsets=np.array([0, 2]),
            items=np.array([1, 2]),
            gains=np.ones(1),
            exclude_offsets=np.zeros(2, np.int64),
            exclude=np.zeros(0, np.int32),
        )
