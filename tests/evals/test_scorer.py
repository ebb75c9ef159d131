from dataclasses import dataclass

import numpy as np
import pytest
from scipy.stats import rankdata

from recjax.evals import scorer as scorers
from recjax.evals.scorer import ScoresOf, rank_scores
from recjax.metrics.task import RankingTask


@dataclass(frozen=True)
class Table:
    """Scores that are known beforehand."""

    table: np.ndarray

    def scores(self, start, stop):
        return self.table[start:stop]


def random_case(seed, queries=37, items=25, levels=6):
    random = np.random.default_rng(seed)
    judged, out = [], []
    for _ in range(queries):
        order = random.permutation(items)
        count, excluded = random.integers(0, 5), random.integers(0, items - 4)
        judged.append(order[:count].tolist())
        out.append(order[count : count + excluded].tolist())
    task = RankingTask.from_lists(items, judged, exclude=out)
    table = random.integers(-levels, levels, (queries, items)).astype(np.float32)
    return task, Table(table)


def naive(task, table, top_k, ties):
    """Returns ranks and top lists by sorting (score, item) pairs in plain Python."""
    ranks, tops = [], []
    for q in range(len(task)):
        out = set(task.exclude[task.exclude_offsets[q] : task.exclude_offsets[q + 1]])
        ranked = [i for i in range(task.num_items) if i not in out]
        ranked.sort(key=lambda i, q=q: (-table[q, i], i))
        for item in task.items[task.offsets[q] : task.offsets[q + 1]]:
            places = [
                place
                for place, other in enumerate(ranked, 1)
                if table[q, other] == table[q, item]
            ]
            own = {
                "average": np.mean(places),
                "order": ranked.index(item) + 1,
                "worst": places[-1],
                "optimistic": places[0],
            }
            ranks.append(own[ties])
        tops.append((ranked + [-1] * top_k)[:top_k])
    return ranks, tops


@pytest.mark.parametrize("few", [0, 2, 8])
@pytest.mark.parametrize("ties", ["average", "order", "worst", "optimistic"])
@pytest.mark.parametrize("block", [1, 5, 256])
@pytest.mark.parametrize("top_k", [0, 1, 4, 30])
def test_same_as_sorting_in_plain_python(top_k, block, ties, few, monkeypatch):
    monkeypatch.setattr(scorers, "FEW", few)
    task, scorer = random_case(seed=top_k)
    ranks = rank_scores(task, scorer, top_k, block, ties)
    expected = naive(task, scorer.table, top_k, ties)
    assert ranks.rank.tolist() == expected[0]
    assert ranks.top.tolist() == expected[1]
    assert ranks.query.tolist() == task.query.tolist()


def test_equal_scores_share_the_middle_place():
    task = RankingTask.from_lists(5, [[0, 3, 4]])
    ranks = rank_scores(task, Table(np.array([[2.0, 1.0, 1.0, 1.0, 0.0]])), 3)
    assert ranks.rank.tolist() == [1, 3, 5]
    assert ranks.top.tolist() == [[0, 1, 2]]


def test_when_all_are_equal_nobody_is_first():
    task = RankingTask.from_lists(9, [[7]])
    ranks = rank_scores(task, Table(np.zeros((1, 9))), 3)
    assert ranks.rank.tolist() == [5]
    assert ranks.top.tolist() == [[0, 1, 2]]


def test_all_but_one_excluded():
    task = RankingTask.from_lists(3, [[2]], exclude=[[0, 1, 1]])
    ranks = rank_scores(task, Table(np.array([[9.0, 8.0, 7.0]])), 2)
    assert (ranks.rank.tolist(), ranks.top.tolist()) == ([1], [[2, -1]])


def test_leaves_the_scores_as_they_were():
    table = np.arange(4, dtype=np.float32)[None]
    rank_scores(RankingTask.from_lists(4, [[0]], exclude=[[3]]), Table(table), 2)
    assert table.tolist() == [[0, 1, 2, 3]]


def test_no_queries():
    ranks = rank_scores(RankingTask.from_lists(4, []), Table(np.zeros((0, 4))), 2)
    assert (ranks.rank.shape, ranks.top.shape) == ((0,), (0, 2))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_score_that_is_not_finite_is_named(bad):
    table = np.zeros((3, 4))
    table[2, 1] = bad
    with pytest.raises(ValueError, match="query 2 and item 1"):
        rank_scores(RankingTask.from_lists(4, [[0]] * 3), Table(table), 2, block=2)


def test_scores_of_another_corpus():
    with pytest.raises(ValueError, match=r"\(1, 5\), not \(1, 4\)"):
        rank_scores(RankingTask.from_lists(4, [[0]]), Table(np.zeros((1, 5))), 2)


def test_no_list():
    with pytest.raises(ValueError, match="top_k -1"):
        rank_scores(RankingTask.from_lists(4, [[0]]), Table(np.zeros((1, 4))), -1)


def test_ranks_of_one_item_a_query_against_scipy():
    random = np.random.default_rng(0)
    scores = random.integers(0, 4, (50, 9)).astype(np.float32)
    task = RankingTask.of_one_each(9, random.integers(0, 9, 50))
    pairs = list(zip(scores, task.items, strict=True))
    for ties, name in (("average", "average"), ("optimistic", "min"), ("worst", "max")):
        wanted = [rankdata(-row, name)[i] for row, i in pairs]
        got = rank_scores(task, Table(scores), block=7, ties=ties)
        np.testing.assert_array_equal(got.rank, wanted)
        assert got.top.shape == (50, 0)


@pytest.mark.parametrize("few", [0, 8])
def test_judged_items_behind_those_that_are_ranked(few, monkeypatch):
    monkeypatch.setattr(scorers, "FEW", few)
    _, table = random_case(3)
    rows = np.random.default_rng(1).permutation(25)[:20]
    task = RankingTask.from_lists(20, [[19, 3]] * 37)
    got = rank_scores(task, ScoresOf(table, rows), 3, ranked=10)
    scores = table.table[:, rows]
    pool = scores[:, :10]
    for place, (item, itself) in enumerate(((19, 0), (3, 1))):
        own = scores[:, [item]]
        above, equal = (pool > own).sum(1), (pool == own).sum(1) - itself
        np.testing.assert_array_equal(got.rank[place::2], 1 + above + equal / 2)
    assert (got.top >= 0).all() and got.top.max() < 10


def test_huge_scores_are_finite():
    table = np.full((1, 4), 3e38, np.float32)
    assert rank_scores(RankingTask.from_lists(4, [[0]]), Table(table)).rank == [2.5]


def test_no_such_tie_rule():
    with pytest.raises(ValueError, match="ties is 'first'"):
        rank_scores(
            RankingTask.from_lists(4, [[0]]), Table(np.zeros((1, 4))), 2, ties="first"
        )
