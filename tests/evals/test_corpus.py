"""Rankings of one of several corpora, by one of several towers, against NumPy."""

from dataclasses import replace

import numpy as np
import pytest
import two_corpora as two

from recjax.errors import UserError
from recjax.evals.base import Examination, check_tasks
from recjax.evals.baselines.ranking_baselines import Bm25Baseline
from recjax.evals.corpus import CorpusRanking, embed_all
from recjax.evals.exact import rank_embeddings
from recjax.evals.random_index import IndexRanking
from recjax.metrics.task import RankingTask
from recjax.sharding.mesh import make_mesh

KS = (1, 5, 20)


@pytest.fixture(scope="module")
def program():
    return two.program()


def recall(ranks, mask, k):
    return np.mean(ranks[mask] <= k)


@pytest.mark.parametrize("task", two.TwoCorpora.tasks)
@pytest.mark.parametrize("tower", ["", "legacy"])
@pytest.mark.parametrize(("ties", "share"), [("average", 0.5), ("worst", 1.0)])
def test_figures_are_those_of_a_loop(program, task, tower, ties, share):
    evaluation = CorpusRanking("test", task, tower, KS, ties)
    assert isinstance(evaluation, Examination)
    found = evaluation.examine(program, two.state())
    asked = two.TwoCorpora().queries("test", task).task
    table = two.scores(task.split("_")[0], tower or "plain")
    everything = range(asked.num_items)
    ranks = two.naive_ranks(asked, table, everything, share)
    for k in KS:
        assert found.figures[f"recall@{k}"] == recall(ranks, asked.positive, k)
    tops = two.naive_tops(asked, table, everything, 10)
    counts = np.bincount(np.concatenate(tops), minlength=asked.num_items)
    assert found.figures["shown_max@10"] == counts.max() / two.QUERIES
    p90 = np.percentile(counts[counts > 0], 90) / two.QUERIES
    assert found.figures["shown_p90@10"] == pytest.approx(p90)
    np.testing.assert_array_equal(found.shown.counts, counts)


def test_a_cohort_has_recall_and_an_empty_one_says_that_it_is_empty(program):
    figures = CorpusRanking("test", "pin_save", ks=KS).run(program, two.state())
    queries = two.TwoCorpora().queries("test", "pin_save")
    asked, new = queries.task, queries.cohorts["new"]
    ranks = two.naive_ranks(asked, two.scores("pin"), range(two.PINS), 0.5)
    mine = new & asked.positive
    assert 0 < mine.sum() < asked.positive.sum()
    assert figures["new:pairs"] == mine.sum()
    assert figures["pairs"] == asked.positive.sum()
    for k in KS:
        assert figures[f"new:recall@{k}"] == recall(ranks, mine, k)
    assert {n for n in figures if n.startswith("nobody")} == {"nobody:pairs"}
    assert figures["nobody:pairs"] == 0


def test_histograms_hold_all_scores(program):
    found = CorpusRanking("test", "pin_save").examine(program, two.state()).scores
    asked = two.TwoCorpora().queries("test", "pin_save").task
    table, mine = two.scores("pin"), asked.positive
    good = table[asked.query[mine], asked.items[mine]]
    np.testing.assert_allclose(
        found.positive, np.histogram(good, found.edges)[0] / len(good)
    )
    assert found.positive.sum() == pytest.approx(1)
    middle = (found.edges[1:] + found.edges[:-1]) / 2
    assert found.random.sum() == pytest.approx(1)
    assert (found.random * middle).sum() == pytest.approx(table.mean(), abs=0.2)


def test_a_column_is_read_in_blocks_and_at_positions(program):
    features = program.dataset.corpora["pin"].features
    plain = features["plain"].array
    every = embed_all(program, two.state(), "candidate", features, block=64)
    np.testing.assert_array_equal(every, plain)
    rows = np.array([7, 3, 200, 7])
    some = embed_all(program, two.state(), "candidate", features, rows, block=3)
    np.testing.assert_array_equal(some, plain[rows])


@pytest.mark.parametrize("evaluation", [CorpusRanking, Bm25Baseline])
def test_an_unknown_task(program, evaluation):
    with pytest.raises(UserError, match=r"no task 'pin_sav'.*'product_save'.*mean"):
        evaluation("test", "pin_sav").run(program, two.state())


@pytest.mark.parametrize("evaluation", [CorpusRanking, IndexRanking])
def test_a_task_without_positives_says_so(program, evaluation, monkeypatch, caplog):
    whole = two.TwoCorpora().queries("test", "pin_save")
    none = replace(whole, task=replace(whole.task, gains=0 * whole.task.gains))
    monkeypatch.setattr(program.dataset, "queries", lambda *_: none)
    assert evaluation("test", "pin_save").run(program, two.state()) == {"pairs": 0}
    assert "no positive pair in split 'test' of task 'pin_save'" in caplog.text


def test_an_unknown_task_is_found_before_training(program):
    own = replace(program.experiment, evals={"no task": object()})
    check_tasks(replace(program, experiment=own, dataset=object()))
    wrong = {"good": CorpusRanking("test", "pin_save"), "x": IndexRanking("test", "y")}
    experiment = replace(program.experiment, evals=wrong)
    with pytest.raises(UserError, match=r"evals\.x\.task: no task 'y'; the data has"):
        check_tasks(replace(program, experiment=experiment))


@pytest.mark.parametrize("share", [0.5, 1.0])
@pytest.mark.parametrize("ranked", [1, 50])
def test_judged_items_behind_those_that_are_ranked(ranked, share):
    random = np.random.default_rng(ranked)
    queries, corpus = two.vectors(5, 17), two.vectors(6, 64)
    order = [random.permutation(64).tolist() for _ in queries]
    task = RankingTask.from_lists(
        64, [o[:5] for o in order], exclude=[o[5:20] for o in order]
    )
    got = rank_embeddings(
        queries,
        corpus,
        task,
        9,
        make_mesh({"data": 1}),
        block=6,
        tile=16,
        ties={0.5: "average", 1.0: "worst"}[share],
        ranked=ranked,
    )
    table = queries @ corpus.T
    wanted = two.naive_ranks(task, table, range(ranked), share)
    np.testing.assert_array_equal(got.rank, wanted)
    for row, top in zip(
        got.top, two.naive_tops(task, table, range(ranked), 9), strict=True
    ):
        assert row[row >= 0].tolist() == top
