"""The evaluation against figures worked by hand, and the invented population."""

from dataclasses import replace

import numpy as np
import pytest

from recjax.data.synthetic.population import (
    DAY,
    PopulationSettings,
    make_population,
)
from recjax.users.methods import CompleteLinkage, DecayAverage, KMeans, Ward, table
from recjax.users.walk import METRICS, Walk, evaluate, lifts

SMALL = PopulationSettings(people=30, topics=20, items=20, width=64, noise=0.2, days=30)


def last_only(points, age):
    return points[-1:], np.ones(1)


def test_by_hand():
    # Items 0 and 1 lie close (cosine 0.9), items 2 and 3 are alone.
    vectors = np.eye(4, dtype=np.float32)
    vectors[1] = [0.9, np.sqrt(1 - 0.81), 0, 0]
    user, item = np.zeros(4, int), np.array([0, 0, 1, 2])
    time = np.array([0.0, 1, DAY + 1, DAY + 2])
    walk = Walk(begin=DAY, days=1, total=1, others=0)
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
    walk = Walk(SMALL.start + 20 * DAY, 1, total=30)
    columns = people.user, people.item, people.time
    ways = {"average": (DecayAverage(), 1)}
    full = evaluate(ways, people.vectors, *columns, walk)
    now = people.time < walk.begin + DAY
    cut_off = evaluate(ways, people.vectors, *(c[now] for c in columns), walk)
    np.testing.assert_array_equal(full["average"], cut_off["average"])


def test_interests_are_found():
    people = make_population(SMALL)
    for user in range(10):
        own = (people.user == user) & (people.interest >= 0)
        points, truth = people.vectors[people.item[own]], people.interest[own]
        for label in (Ward(1.0), CompleteLinkage(0.6)):
            found = label(points)
            pairs = len({*zip(found, truth, strict=True)})
            assert pairs == len({*truth}) == found.max() + 1


def test_clusters_beat_averages_where_interests_are_many():
    # So many topics in few dimensions that a mean of some lies near others.
    crowded = replace(SMALL, topics=500, items=10, width=8, people=60)
    people = make_population(crowded)
    walk = Walk(SMALL.start + 25 * DAY, 3, total=45)
    columns = people.vectors, people.user, people.item, people.time
    found = evaluate(table(1.0, 0.6), *columns, walk)
    mean = {name: rows.mean(0)[0] for name, rows in found.items()}
    assert mean["PinnerSage"] > mean["PinnerSage, sample 1"]
    assert mean["PinnerSage"] > 1.2 * max(mean["last item"], mean["decay average"])


def test_population_is_its_settings():
    one, other = make_population(SMALL), make_population(SMALL)
    np.testing.assert_array_equal(one.item, other.item)
    assert (np.diff(one.user) >= 0).all()
    assert (np.diff(one.time)[np.diff(one.user) == 0] >= 0).all()
    stray = one.interest < 0
    assert stray.mean() == pytest.approx(SMALL.stray, abs=0.02)
    assert (one.topic[one.item[~stray]] == one.interest[~stray]).all()
    np.testing.assert_allclose(np.linalg.norm(one.vectors, axis=1), 1, rtol=1e-5)


def test_kmeans_of_few_points():
    points = np.eye(3, dtype=np.float32)[[0, 1, 0]]
    assert KMeans(5)(points).tolist() in ([0, 1, 0], [1, 0, 1])


def test_lifts_hold_the_truth():
    rng = np.random.default_rng(0)
    base = rng.uniform(0.1, 0.3, (500, len(METRICS)))
    up = lifts({"a": base, "b": 1.5 * base}, "a")
    for lift, low, high in up["b"]:
        assert lift == pytest.approx(50) and low <= lift + 1e-9 and high >= lift - 1e-9
