from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from scipy.stats import rankdata

from recjax.errors import UserError
from recjax.evals import fusion_weights
from recjax.evals.few_queries import choose
from recjax.evals.fusion import Fusion
from recjax.evals.fusion_weights import SHAPES, CandidateScores, best_of, shaped
from recjax.evals.scorer import rank_scores
from recjax.metrics.ranking import of_queries, ranking_metrics
from recjax.metrics.task import RankingTask

QUERIES, ITEMS = 60, 40


@dataclass(frozen=True)
class Table:
    """Scores that are known beforehand, of the queries of either split."""

    table: np.ndarray
    needs: tuple = field(default=())

    def fit(self, data, queries):
        return Table(self.table[data.rows[queries.name]])

    def scores(self, start, stop):
        return self.table[start:stop]


@dataclass(frozen=True)
class Asked:
    """Queries of a split."""

    name: str
    task: RankingTask

    def __len__(self):
        return len(self.task)

    def at_most(self, most, draw=None):
        assert most >= len(self) and draw is None
        return self


@dataclass(frozen=True)
class Data:
    """Two splits of the same queries."""

    task: RankingTask
    rows: dict

    def queries(self, split, task=""):
        return Asked(split, self.task.take(self.rows[split]))


def case(seed=0):
    """Two parts that know half of what is sought each, and one that knows nothing."""
    random = np.random.default_rng(seed)
    wanted = random.integers(0, ITEMS, QUERIES)
    judged = [[item, (item + 1) % ITEMS] for item in wanted]
    task = RankingTask.from_lists(
        ITEMS, judged, [[2.0, 1.0]] * QUERIES, [[(i + 5) % ITEMS] for i in wanted]
    )
    truth = np.zeros((QUERIES, ITEMS), np.float32)
    truth[np.arange(QUERIES), wanted] = 1
    half = np.arange(QUERIES) % 2 == 0
    noise = random.normal(size=(3, QUERIES, ITEMS)).astype(np.float32)
    parts = {
        "even": 50 * (3 * truth * half[:, None] + 0.5 * noise[0]),
        "odd": 3 * truth * ~half[:, None] + 0.5 * noise[1],
        "noise": noise[2],
    }
    return task, parts


@pytest.mark.parametrize("metric", ["ndcg@10", "mrr", "recall@5", "map@3", "hit@1"])
def test_what_is_chosen_by_is_the_metric_of_the_sum(metric):
    task, parts = case()
    found = CandidateScores.of(task, {n: Table(t) for n, t in parts.items()})
    weights = {"even": 0.3, "odd": 1.0, "noise": 0.1}
    shapes = dict(zip(parts, SHAPES, strict=True))
    total = sum(weights[n] * shaped(parts[n], shapes[n]) for n in parts)
    ranks = rank_scores(task, Table(total), 10)
    wanted = ranking_metrics(task, ranks, (1, 3, 5, 10))[metric]
    values, counts = found.metric(weights, shapes, metric)
    assert np.average(values, weights=counts) == pytest.approx(wanted, abs=1e-6)


def test_candidates_outside_the_best_change_nothing_within_the_best(monkeypatch):
    monkeypatch.setattr(fusion_weights, "CANDIDATES", 12)
    task, parts = case(1)
    found = CandidateScores.of(task, {n: Table(t) for n, t in parts.items()})
    assert len(found.query) < QUERIES * ITEMS
    for name, table in parts.items():
        alone, _ = found.metric({name: 1.0}, {name: "z"}, "ndcg@10")
        ranks = rank_scores(task, Table(table))
        np.testing.assert_allclose(alone, of_queries(task, ranks, "ndcg@10")[0])


def test_parts_that_know_different_things_do_better_together():
    task, parts = case()
    found = CandidateScores.of(task, {n: Table(t) for n, t in parts.items()})
    chosen = choose([found], "ndcg@10")
    assert {"even", "odd"} <= set(chosen.weights)
    best = max(np.mean(found.metric({n: 1.0}, {n: "z"}, "ndcg@10")[0]) for n in parts)
    assert chosen.figure > best + 0.2
    low, high = chosen.interval
    assert low < chosen.figure < high and max(chosen.weights.values()) == 1
    for name in ("even", "odd"):
        gain, low, _ = chosen.gains[name]
        assert gain > 0.1 and low > 0


def test_those_of_some_queries_have_the_same_figures():
    task, parts = case()
    found = CandidateScores.of(task, {n: Table(t) for n, t in parts.items()})
    how = {"even": 0.3, "odd": 1.0}, dict(zip(parts, SHAPES, strict=True)), "ndcg@10"
    rows = np.array([0, 3, 4, 31, 59])
    for got, whole in zip(
        found.take(rows).metric(*how), found.metric(*how), strict=True
    ):
        np.testing.assert_allclose(got, whole[rows])


def test_the_figure_of_few_queries_is_no_better_than_on_new_ones():
    chance = (1 / np.arange(1, ITEMS + 1)).mean()  # MRR of parts that know nothing.
    told, flattered = [], []
    for seed in range(5):
        random = np.random.default_rng(seed)
        wanted = random.integers(0, ITEMS, (20, 1))
        tables = random.normal(size=(3, 20, ITEMS)).astype(np.float32)
        task = RankingTask.from_lists(ITEMS, wanted.tolist())
        parts = {name: Table(one) for name, one in zip("abc", tables, strict=True)}
        found = [CandidateScores.of(task, parts)]
        flattered.append(best_of(found, "mrr").figure)
        chosen = choose(found, "mrr")
        told.append(chosen.figure)
        assert chosen.folds and chosen.interval[0] < chosen.figure < chosen.interval[1]
    assert np.mean(flattered) > chance + 0.03
    assert np.mean(told) < chance + 0.02


def test_one_part_that_knows_all_stands_alone():
    task, parts = case()
    truth = np.zeros((QUERIES, ITEMS), np.float32)
    truth[task.query, task.items] = task.gains
    found = CandidateScores.of(
        task, {"truth": Table(truth), "noise": Table(parts["noise"])}
    )
    assert choose([found], "ndcg@10").weights == {"truth": 1.0}


def test_what_does_not_help_is_dropped():
    task, parts = case()
    same = {"even": parts["even"], "again": parts["even"] * 3, "flat": 0 * parts["odd"]}
    chosen = choose(
        [CandidateScores.of(task, {n: Table(t) for n, t in same.items()})], "mrr"
    )
    assert len(chosen.weights) == 1 and chosen.gains["flat"] == (0, 0, 0)


@pytest.mark.parametrize("shape", SHAPES)
def test_shapes(shape):
    scores = np.random.default_rng(0).normal(size=(5, 9)).astype(np.float32)
    scores[3], scores[4] = 2.5, 0.0
    got = shaped(scores, shape)
    if shape == "z":
        wanted = (scores[:3] - scores[:3].mean(1)[:, None]) / scores[:3].std(1)[:, None]
    elif shape == "max":
        wanted = scores[:3] / scores[:3].max(1)[:, None]
    else:
        wanted = 61 / (60 + rankdata(-scores[:3], axis=1))
    np.testing.assert_allclose(got[:3], wanted, rtol=1e-5, atol=1e-6)
    assert len(np.unique(got[3])) == len(np.unique(got[4])) == 1
    assert np.isfinite(got).all()


def test_weights_are_chosen_on_other_queries_than_they_are_judged_on():
    task, parts = case(2)
    rows = {"validation": np.arange(0, 40), "test": np.arange(40, QUERIES)}
    data = Data(task, rows)
    fusion = Fusion({n: Table(t) for n, t in parts.items()})
    chosen, _ = fusion.choose(data)
    fused = fusion.fit(data, data.queries("test"))
    total = sum(
        w * shaped(parts[n][rows["test"]], chosen.shapes[n])
        for n, w in chosen.weights.items()
    )
    np.testing.assert_allclose(fused.scores(3, 9), total[3:9], rtol=1e-5)
    changed = {
        n: Table(np.where(np.arange(QUERIES)[:, None] < 40, t, -t))
        for n, t in parts.items()
    }
    assert Fusion(changed).choose(data)[0].weights == chosen.weights


def test_the_best_are_put_in_another_order():
    task, parts = case(3)
    random = np.random.default_rng(3)
    truth = np.zeros((QUERIES, ITEMS), np.float32)
    truth[task.query, task.items] = task.gains
    rough = truth + random.normal(size=truth.shape).astype(np.float32)
    asked = Asked("validation", task)
    data = Data(task, {"validation": np.arange(QUERIES)})
    fine = {"fine": Table(truth + 0.1 * parts["noise"]), "noise": Table(parts["noise"])}
    fusion = Fusion({"rough": Table(rough)}, rerank=fine, top=12)
    first, second = fusion.choose(data)
    assert set(second.weights) >= {"fine"} and second.gain[1] > 0
    got = fusion.fit(data, asked).scores(0, QUERIES)
    best = np.argsort(-rough, 1)[:, :12]
    order = np.argsort(-got, 1)
    # The same twelve are first, and all others keep their order.
    np.testing.assert_array_equal(np.sort(order[:, :12]), np.sort(best))
    np.testing.assert_array_equal(order[:, 12:], np.argsort(-rough, 1)[:, 12:])
    alone = rank_scores(task, Table(rough))
    values = [
        of_queries(task, r, "ndcg@10")[0]
        for r in (rank_scores(task, Table(got)), alone)
    ]
    gain = (values[0] - values[1]).mean()
    assert gain == pytest.approx(second.gain[0], abs=1e-6) and gain > 0.1
    noise = {"noise": Table(parts["noise"])}
    of_noise = replace(fusion, rerank=noise)
    assert not of_noise.choose(data)[1].weights


def test_bad_settings():
    with pytest.raises(ValueError, match="needs two parts"):
        Fusion({"one": None})
    with pytest.raises(ValueError, match="and not test"):
        Fusion({"one": None, "two": None}, choose_on=("test",))
    with pytest.raises(ValueError, match="different names"):
        Fusion({"one": None}, rerank={"one": None})
    task, parts = case()
    with pytest.raises(UserError, match="metric 'ndgc@10' is none of a query.*ndcg@10"):
        choose([CandidateScores.of(task, {"one": Table(parts["odd"])})], "ndgc@10")
