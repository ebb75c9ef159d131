"""Rankings of one of several corpora, by one of several towers, against NumPy."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import two_corpora as two

from recjax.errors import UserError
from recjax.evals.baselines.bm25 import Bm25
from recjax.evals.embed import embed_all
from recjax.evals.exact import rank_embeddings
from recjax.evals.ranking import RandomIndex, Ranking
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
    evaluation = Ranking("test", None, task, tower, KS, ties)
    found = evaluation.run(program, two.state())
    assert tuple(found.figures) == evaluation.metrics(program.dataset)
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
    np.testing.assert_array_equal(found.exposure.counts, counts)


def test_a_cohort_has_recall_and_an_empty_one_says_that_it_is_empty(program):
    found = Ranking("test", task="pin_save", ks=KS).run(program, two.state())
    figures = found.figures
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
    found = Ranking("test", task="pin_save").run(program, two.state()).scores
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


@pytest.mark.parametrize("scorer", [None, Bm25()])
def test_an_unknown_task(program, scorer):
    with pytest.raises(UserError, match=r"no task 'pin_sav'.*'product_save'.*mean"):
        Ranking("test", scorer, "pin_sav").run(program, two.state())


@pytest.mark.parametrize("index", [None, RandomIndex(50)])
def test_a_task_without_positives_says_so(program, index, monkeypatch, caplog):
    whole = two.TwoCorpora().queries("test", "pin_save")
    none = replace(whole, task=replace(whole.task, gains=0 * whole.task.gains))
    monkeypatch.setattr(program.dataset, "queries", lambda *_: none)
    evaluation = Ranking("test", task="pin_save", index=index)
    assert evaluation.run(program, two.state()).figures == {"pairs": 0}
    assert "no positive pair in split 'test' of task 'pin_save'" in caplog.text
    assert evaluation.metrics(program.dataset) == ("pairs",)


@dataclass(frozen=True)
class Known:
    """Scores that are looked up."""

    table: np.ndarray
    needs = ()

    def fit(self, data, queries):
        return self

    def scores(self, start, stop):
        return self.table[start:stop]


@pytest.mark.parametrize("index", [None, RandomIndex(60, draw=3)])
@pytest.mark.parametrize("ties", ["average", "worst", "optimistic"])
def test_a_scorer_and_the_model_of_the_same_scores_have_the_same_figures(
    program, ties, index
):
    told = {"task": "product_save", "ties": ties, "index": index}
    of_model = Ranking("test", **told).run(program, two.state())
    scored = Ranking("test", Known(two.scores("product")), **told)
    assert not scored.trained and Ranking("test").trained
    got = scored.run(program, None)
    assert got.figures == of_model.figures and len(got.figures) > 8
    np.testing.assert_array_equal(got.exposure.counts, of_model.exposure.counts)


def test_without_coverage_nothing_else_changes(program):
    for scorer in (None, Known(two.scores("pin"))):
        told = {"task": "pin_save", "scorer": scorer}
        whole = Ranking(**told).run(program, two.state())
        found = Ranking(coverage=False, **told).run(program, two.state())
        assert found.exposure is None
        left = set(whole.figures) - set(found.figures)
        assert {name.split("@")[0] for name in left} == {
            *("coverage", "shown_max", "shown_p90")
        }
        assert all(whole.figures[name] == v for name, v in found.figures.items())


def test_every_nth_query(program):
    queries = two.TwoCorpora().queries("test", "pin_save")
    some = queries.every(3)
    assert len(some) == -(-two.QUERIES // 3)
    told = {"task": "pin_save", "coverage": False}
    got = Ranking(nth=3, **told).run(program, two.state()).figures
    ranks = two.naive_ranks(queries.task, two.scores("pin"), range(two.PINS), 0.5)
    mine = queries.task.positive & (queries.task.query % 3 == 0)
    assert got["recall@10"] == recall(ranks, mine, 10)
    new = mine & queries.cohorts["new"]
    assert got["new:pairs"] == new.sum() > 0
    assert got["new:recall@10"] == recall(ranks, new, 10)


def test_settings_out_of_range():
    with pytest.raises(ValueError, match="must be at least 1"):
        Ranking(ks=())
    with pytest.raises(ValueError, match="tower 'legacy' is of the model"):
        Ranking(scorer=Bm25(), tower="legacy")


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
