"""Ranks against a random index, compared with a loop over its items."""

import numpy as np
import pytest
import two_corpora as two

from recjax.evals.ranking import RandomIndex, Ranking

KS = (1, 3, 10)


@pytest.fixture(scope="module")
def program():
    return two.program()


@pytest.mark.parametrize(("ties", "share"), [("worst", 1.0), ("average", 0.5)])
@pytest.mark.parametrize("size", [1, 60, 10**6])
@pytest.mark.parametrize(("task", "tower"), [("pin_save", ""), ("pin_save", "legacy")])
def test_figures_are_those_of_a_loop(program, task, tower, size, ties, share):
    drawn = RandomIndex(size, draw=4)
    evaluation = Ranking("test", None, task, tower, KS, ties, index=drawn)
    found = evaluation.run(program, two.state())
    assert tuple(found.figures) == evaluation.metrics(program.dataset)
    queries = two.TwoCorpora().queries("test", task)
    asked, table = queries.task, two.scores("pin", tower or "plain")
    index = drawn.items(two.PINS)
    assert found.figures["index_size"] == len(index) == min(size, two.PINS)
    ranks = two.naive_ranks(asked, table, index.tolist(), share)
    for k in KS:
        wanted = np.mean(ranks[asked.positive] <= k)
        assert found.figures[f"index_recall@{k}"] == wanted
        mine = queries.cohorts["new"] & asked.positive
        assert found.figures[f"new:index_recall@{k}"] == np.mean(ranks[mine] <= k)
    tops = two.naive_tops(asked, table, index.tolist(), 10)
    counts = np.bincount(np.concatenate(tops).astype(int), minlength=two.PINS)
    np.testing.assert_array_equal(found.exposure.counts, counts[index])


def test_an_index_of_everything_is_the_corpus(program):
    told = {"split": "validation", "task": "product_save", "ties": "worst", "ks": KS}
    whole = Ranking(**told).run(program, two.state()).figures
    index = Ranking(**told, index=RandomIndex()).run(program, two.state()).figures
    for k in KS:
        assert index[f"index_recall@{k}"] == whole[f"recall@{k}"]
    assert index["shown_max@10"] == whole["shown_max@10"]


def test_the_index_is_a_uniform_draw_that_a_number_repeats():
    one = RandomIndex(300).items(1_000)
    assert len(np.unique(one)) == 300 and (np.diff(one) > 0).all()
    np.testing.assert_array_equal(one, RandomIndex(300).items(1_000))
    assert (one != RandomIndex(300, 1).items(1_000)).any()
    many = np.concatenate([RandomIndex(10, draw).items(50) for draw in range(2_000)])
    counts = np.bincount(many, minlength=50)
    # 2,000 draws of probability 1/5: mean 400, standard deviation 17.9.
    assert np.abs(counts - 400).max() < 5 * 17.9
