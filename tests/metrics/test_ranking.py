import math

import numpy as np
import pytest

from recjax.metrics.exposure import Exposure
from recjax.metrics.ranking import means, of_queries, ranking_metrics
from recjax.metrics.ranks import Ranks
from recjax.metrics.task import RankingTask


def ranks_of(task, ranks, top):
    return Ranks(task.query, np.array(ranks, np.float32), np.array(top, np.int32))


def test_worked_by_hand():
    # Positives: at 1 and 4 for query 0, with an irrelevant item at 2; none for query 1;
    # at 3 for query 2.
    task = RankingTask.from_lists(
        10,
        [[7, 8, 9], [5], [2]],
        [[1, 2, 0], [0], [3]],
        [[], [], [0, 1]],
    )
    ranks = ranks_of(task, [1, 4, 2, 1, 3], [[7, 9, 6], [5, 7, -1], [0, 1, 2]])
    got = ranking_metrics(task, ranks, (1, 3))
    log = math.log2
    ideal = 2 / log(2) + 1 / log(3)
    assert got == pytest.approx(
        {
            "recall@1": 1 / 3,
            "recall@3": 2 / 3,
            "recall_by_query@1": (1 / 2 + 0) / 2,
            "recall_by_query@3": (1 / 2 + 1) / 2,
            "hit@1": 1 / 2,
            "hit@3": 1,
            "ndcg@1": ((1 / log(2)) / (2 / log(2)) + 0) / 2,
            "ndcg@3": ((1 / log(2)) / ideal + (3 / log(4)) / (3 / log(2))) / 2,
            # Among the judged alone: at 1 and 3 for query 0, at 1 for query 2.
            "condensed_ndcg@1": (1 / 2 + 1) / 2,
            "condensed_ndcg@3": ((1 / log(2) + 2 / log(4)) / ideal + 1) / 2,
            "judged@1": (1 + 0) / 2,
            "judged@3": (2 / 3 + 1 / 3) / 2,
            "map@1": (1 + 0) / 2,
            "map@3": (1 / 2 + 1 / 3) / 2,
            "coverage@1": 3 / 10,
            "coverage@3": 7 / 10,
            "mrr": (1 + 1 / 3) / 2,
            "mrp": (1 / 10 + 4 / 10 + 3 / 8) / 3,
        }
    )


def naive(task, ranks, k):
    """Returns the same figures, one query after the other, from the definitions."""
    pair_hits, by_query, hits, ndcg, mrr, mrp, shown = [], [], [], [], [], [], set()
    average_precision, condensed, known = [], [], []
    for q in range(len(task)):
        judged = range(task.offsets[q], task.offsets[q + 1])
        smallest = task.positive_gain or 1e-9
        positive = [j for j in judged if task.gains[j] >= smallest]
        out = task.exclude[task.exclude_offsets[q] : task.exclude_offsets[q + 1]]
        shown |= {i for i in ranks.top[q, :k].tolist() if i >= 0}
        if positive:
            found = [ranks.rank[j] <= k for j in positive]
            pair_hits += found
            by_query.append(sum(found) / len(found))
            hits.append(any(found))
            mrr.append(1 / min(ranks.rank[j] for j in positive))
            places = sorted(ranks.rank[j] for j in positive)
            precisions = [n / r for n, r in enumerate(places, 1) if r <= k]
            average_precision.append(sum(precisions) / min(len(places), k))
            pool = task.num_items - len(set(out.tolist()))
            mrp += [ranks.rank[j] / pool for j in positive]
            known.append(sum(ranks.rank[j] <= k for j in judged) / min(k, pool))
        best = sorted((task.gains[j] for j in judged), reverse=True)[:k]
        ideal = sum(g / math.log2(2 + place) for place, g in enumerate(best))
        if ideal:
            near = [j for j in judged if ranks.rank[j] <= k]
            dcg = sum(task.gains[j] / math.log2(1 + ranks.rank[j]) for j in near)
            ndcg.append(min(dcg / ideal, 1))
            alone = sorted(judged, key=lambda j: ranks.rank[j])[:k]
            gains = [task.gains[j] / math.log2(2 + p) for p, j in enumerate(alone)]
            condensed.append(sum(gains) / ideal)
    return {
        f"recall@{k}": np.mean(pair_hits),
        f"recall_by_query@{k}": np.mean(by_query),
        f"hit@{k}": np.mean(hits),
        f"ndcg@{k}": np.mean(ndcg),
        f"map@{k}": np.mean(average_precision),
        f"condensed_ndcg@{k}": np.mean(condensed),
        f"judged@{k}": np.mean(known),
        f"coverage@{k}": len(shown) / task.num_items,
        "mrr": np.mean(mrr),
        "mrp": np.mean(mrp),
    }


def random_task(seed, queries=60, items=40, positive_gain=None):
    random = np.random.default_rng(seed)
    judged, gains, out, ranks, top = [], [], [], [], []
    for _ in range(queries):
        order = random.permutation(items)
        count, excluded = random.integers(0, 8), random.integers(0, 6)
        judged.append(order[:count].tolist())
        gains.append(random.choice([0, 0.5, 1, 2, 3], count).tolist())
        out.append(order[count : count + excluded].tolist())
        ranks += (1 + random.permutation(items - excluded)[:count]).tolist()
        best = random.permutation(items)[:12]
        top.append(np.where(random.random(12) < 0.9, best, -1))
    task = RankingTask.from_lists(items, judged, gains, out, positive_gain)
    return task, ranks_of(task, ranks, top)


@pytest.mark.parametrize("positive_gain", [None, 0.5, 2.0])
@pytest.mark.parametrize("seed", range(3))
def test_same_as_a_loop_over_queries(seed, positive_gain):
    task, ranks = random_task(seed, positive_gain=positive_gain)
    for k in (1, 5, 12):
        got = ranking_metrics(task, ranks, (k,))
        assert got == pytest.approx(naive(task, ranks, k), rel=1e-6)


def test_parts_merge_into_the_whole():
    task, ranks = random_task(9, positive_gain=1.0)
    whole = means(task, ranks, (5,))
    at = task.offsets[17]
    cuts = [
        (task.take(np.arange(17)), slice(0, at), slice(0, 17)),
        (task.take(np.arange(17, len(task))), slice(at, None), slice(17, None)),
    ]
    parts = [
        means(part, Ranks(part.query, ranks.rank[pairs], ranks.top[rows]), (5,))
        for part, pairs, rows in cuts
    ]
    for name, mean in whole.items():
        assert (parts[0][name] + parts[1][name]).value == pytest.approx(mean.value)


def test_names_are_stable_and_a_perfect_ranking_gets_1():
    task = RankingTask.from_lists(4, [[0, 1], [3]], [[1, 3], [2]])
    ranks = ranks_of(task, [2, 1, 1], [[1, 0], [3, 2]])
    got = ranking_metrics(task, ranks, (2,))
    assert list(got) == [
        "recall@2",
        "recall_by_query@2",
        "hit@2",
        "ndcg@2",
        "map@2",
        "condensed_ndcg@2",
        "judged@2",
        "coverage@2",
        "mrr",
        "mrp",
    ]
    assert got.pop("judged@2") == (1 + 1 / 2) / 2
    assert [v for k, v in got.items() if k != "mrp"] == [1.0] * 8
    alike = RankingTask.from_lists(4, [[0, 1], [3]])
    assert (
        not {"judged@2", "condensed_ndcg@2"}
        & ranking_metrics(alike, ranks, (2,)).keys()
    )


def test_ties_within_k_never_gain_more_than_the_ideal():
    task = RankingTask.from_lists(3, [[0, 1, 2]])
    got = ranking_metrics(task, ranks_of(task, [2, 2, 2], [[0, 1]]), (2,))
    assert got["ndcg@2"] == got["map@2"] == 1.0


def test_judged_items_that_tie_share_their_place_among_the_judged():
    task = RankingTask.from_lists(9, [[0, 1], [2, 3, 4]], [[2, 0], [1, 1, 3]])
    ranks = ranks_of(task, [4.5, 4.5, 7, 7, 2], np.zeros((2, 0)))
    log, got = math.log2, ranking_metrics(task, ranks, (3,))
    first = (2 / log(2.5)) / (2 / log(2))
    second = (3 / log(2) + 2 / log(3.5)) / (3 / log(2) + 1 / log(3) + 1 / log(4))
    assert got["condensed_ndcg@3"] == pytest.approx((first + second) / 2)
    for metric in ("condensed_ndcg@3", "judged@3"):
        values, weights = of_queries(task, ranks, metric)
        assert np.average(values, weights=weights) == pytest.approx(got[metric])


def test_a_tie_counts_by_its_average_place():
    task = RankingTask.from_lists(3, [[0]])
    got = ranking_metrics(task, ranks_of(task, [1.5], [[0, 1]]), (1, 2))
    assert (got["recall@1"], got["recall@2"], got["mrr"]) == (0, 1, 1 / 1.5)


def test_without_positives_there_is_no_mean():
    task = RankingTask.from_lists(3, [[0]], [[0.0]])
    got = ranking_metrics(task, ranks_of(task, [1], [[0]]), (1,))
    assert math.isnan(got["recall@1"]) and math.isnan(got["ndcg@1"])
    assert got["coverage@1"] == pytest.approx(1 / 3)


def test_no_top_lists_no_coverage():
    task, ranks = random_task(2)
    without = Ranks(ranks.query, ranks.rank, ranks.top[:, :0])
    whole = ranking_metrics(task, ranks, (3,))
    assert whole.pop("coverage@3") > 0
    assert ranking_metrics(task, without, (3,)) == whole


def test_coverage_of_nothing():
    assert math.isnan(Exposure(np.zeros(0, int), 0).value)


@pytest.mark.parametrize(
    "ranks, top, ks, message",
    [
        ([1.0], [[0]], (1,), "1 ranks do not fit the 2 judged"),
        ([1.0, 2.0], [[0], [1]], (1,), "2 top lists of 1"),
        ([1.0, 2.0], [[0]], (2,), "1..1"),
        ([1.0, 2.0], [[0]], (0,), "1..1"),
        ([1.0, 2.0], [[0]], (), "1..1"),
    ],
)
def test_ranks_that_do_not_fit(ranks, top, ks, message):
    task = RankingTask.from_lists(3, [[0, 1]])
    query = np.zeros(len(ranks), np.int32)
    bad = Ranks(query, np.array(ranks), np.array(top))
    with pytest.raises(ValueError, match=message):
        ranking_metrics(task, bad, ks)
