"""The evaluation against figures worked by hand, and the invented population."""

from dataclasses import replace

import numpy as np
import pytest

from recjax.prepare.synthetic.population import (
    DAY,
    PopulationSettings,
    make_population,
)
from recjax.users.paper.bootstrap import lifts, report
from recjax.users.paper.methods import (
    CompleteLinkage,
    DecayAverage,
    KMeans,
    Ward,
    single,
    table,
)
from recjax.users.paper.nearest_embedding_accuracy import nearest_embedding_accuracy
from recjax.users.paper.rolling_evaluation import (
    METRICS,
    Given,
    RollingEvaluation,
    evaluate,
)

SMALL = PopulationSettings(
    people=30,
    topics=20,
    items=400,
    breadth=(0.15, 0.2),
    leaning=0.0,
    actions=60.0,
    days=30,
    stray=0.02,
)


def last_only(points, age):
    return points[-1:], np.ones(1)


def test_by_hand():
    # Items 0 and 1 lie close (cosine 0.9), items 2 and 3 are alone.
    vectors = np.eye(4, dtype=np.float32)
    vectors[1] = [0.9, np.sqrt(1 - 0.81), 0, 0]
    user, item = np.zeros(4, int), np.array([0, 0, 1, 2])
    time = np.array([0.0, 1, DAY + 1, DAY + 2])
    walk = RollingEvaluation(begin=DAY, days=1, total=1, others=0)
    found = evaluate({"last": (last_only, 1)}, vectors, user, item, time, walk)
    # Item 0 alone is retrieved: item 1 is near it, item 2 is not, neither is it.
    assert dict(zip(METRICS, found["last"][0], strict=True)) == {
        **{"relevance": 0.5, "recall": 0.0, "diversity": 0.0},
        **{"r_precision": 1.0, "reciprocal_rank": 1.0},
    }
    walk = replace(walk, total=2)
    found = evaluate({"last": (last_only, 1)}, vectors, user, item, time, walk)
    assert found["last"][0, 1] == 0.5
    np.testing.assert_allclose(found["last"][0, 2], 0.1, atol=1e-6)


def test_the_future_is_not_seen():
    people = make_population(SMALL)
    walk = RollingEvaluation(SMALL.start + 20 * DAY, 1, total=30)
    columns = people.user, people.item, people.time
    ways = {"average": (DecayAverage(), 1)}
    full = evaluate(ways, people.vectors, *columns, walk)
    now = people.time < walk.begin + DAY
    cut_off = evaluate(ways, people.vectors, *(c[now] for c in columns), walk)
    np.testing.assert_array_equal(full["average"], cut_off["average"])


def test_another_models_embeddings_are_searched_in_their_own_space():
    # What the other model holds alike are items 0 and 2; it does not know item 3.
    theirs = np.array([[1, 0, 0], [0, 1, 0], [0.9, 0, 0], [0, 0, -9]], np.float32)
    asked = np.array([[1, 0, 1]], np.float32), np.ones(1)
    given = Given(theirs, {(0, 0): asked})
    vectors = np.eye(4, dtype=np.float32)
    user, item = np.zeros(4, int), np.array([1, 0, 2, 3])
    time = np.array([0.0, DAY + 1, DAY + 2, DAY + 3])
    walk = RollingEvaluation(begin=DAY, days=1, total=2, others=0)
    found = evaluate({"theirs": (given, 1)}, vectors, user, item, time, walk)
    recall = found["theirs"][0, METRICS.index("recall")]
    assert recall == pytest.approx(2 / 3)
    nothing = replace(given, embedding={})
    found = evaluate({"theirs": (nothing, 1)}, vectors, user, item, time, walk)
    assert (found["theirs"] == 0).all()


def test_next_action_by_hand():
    vectors = np.eye(3, dtype=np.float32)
    vectors[1] = [0.9, np.sqrt(1 - 0.81), 0]
    user, item = np.zeros(4, int), np.array([0, 2, 1, 1])
    time = np.arange(4.0)
    walk = RollingEvaluation(begin=1.0, days=1)
    found = nearest_embedding_accuracy(single(), vectors, user, item, time, walk)
    # 2 is near nothing; the first 1 is near 0, which an oracle alone remembers.
    assert found["last item"][0, 0] == pytest.approx(1 / 3)
    assert found["oracle"][0, 0] == pytest.approx(2 / 3)
    assert found["k-means oracle, k = 3"][0, 0] == pytest.approx(2 / 3)


def test_interests_are_found():
    people = make_population(SMALL)
    for user in range(10):
        own = (people.user == user) & (people.interest >= 0)
        points, truth = people.vectors[people.item[own]], people.interest[own]
        found = CompleteLinkage(0.6)(points)
        pairs = len({*zip(found, truth, strict=True)})
        assert pairs == len({*truth}) == found.max() + 1
        # Ward's height grows with size: it may part the largest, and joins none.
        found = Ward(0.6)(points)
        assert len({*zip(found, truth, strict=True)}) == found.max() + 1


def test_clusters_beat_single_embeddings():
    people = make_population(replace(SMALL, people=40, topics=60, items=3_000))
    walk = RollingEvaluation(SMALL.start + 25 * DAY, 3, total=100)
    columns = people.vectors, people.user, people.item, people.time
    found = evaluate(table(2.0, 0.6), *columns, walk)
    mean = {name: rows.mean(0)[0] for name, rows in found.items()}
    assert mean["PinnerSage"] > 1.2 * mean["PinnerSage, sample 1"]
    assert mean["PinnerSage"] > 1.2 * mean["last item"]
    assert mean["PinnerSage"] > mean["decay average, 0.01"]


def test_population_is_its_settings():
    one, other = make_population(SMALL), make_population(SMALL)
    np.testing.assert_array_equal(one.item, other.item)
    assert (np.diff(one.user) >= 0).all() and (np.diff(one.topic) >= 0).all()
    assert (np.diff(one.time)[np.diff(one.user) == 0] >= 0).all()
    stray = one.interest < 0
    assert stray.mean() == pytest.approx(SMALL.stray, abs=0.02)
    assert (one.topic[one.item[~stray]] == one.interest[~stray]).all()
    np.testing.assert_allclose(np.linalg.norm(one.vectors, axis=1), 1, rtol=1e-5)


def test_more_actions_are_more_interests_of_unequal_size():
    few = make_population(
        replace(SMALL, actions=10.0, people=10, topics=500, items=1_000)
    )
    many = make_population(
        replace(SMALL, actions=500.0, people=10, topics=500, items=1_000)
    )
    count = [
        np.mean([len({*p.interest[p.user == u]}) for u in range(10)])
        for p in (few, many)
    ]
    assert count[1] > 3 * count[0]
    sizes = np.sort(np.bincount(many.interest[(many.user == 0) & (many.interest >= 0)]))
    assert sizes[-1] > 5 * np.median(sizes[sizes > 0])


def test_kmeans_of_few_points():
    points = np.eye(3, dtype=np.float32)[[0, 1, 0]]
    assert KMeans(5)(points).tolist() in ([0, 1, 0], [1, 0, 1])


def test_lifts_hold_the_truth():
    rng = np.random.default_rng(0)
    base = rng.uniform(0.1, 0.3, (500, len(METRICS)))
    up = lifts({"a": base, "b": 1.5 * base}, "a")
    for lift, low, high in up["b"]:
        assert lift == pytest.approx(50) and low <= lift + 1e-9 and high >= lift - 1e-9
    said = report({"a": base, "b": 1.5 * base}, METRICS, ["recall"], "a")
    mean = 1.5 * base[:, 1].mean()
    assert said.splitlines()[3] == f"| b | {mean:.4f} | +50 (+50..+50) |"
