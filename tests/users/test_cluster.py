"""Clusters, medoids and importance of many users against brute force."""

import numpy as np
import pytest
from scipy.cluster import hierarchy

from recjax.users.cluster import Settings, cluster_users
from recjax.users.cluster_reference import cluster_users_reference
from recjax.users.importance import importance, sample, top
from recjax.users.medoids import medoids


def population(seed, sizes, d):
    rng = np.random.default_rng(seed)
    points = []
    for m in sizes:
        centers = rng.standard_normal((6, d))
        own = centers[rng.integers(0, 6, m)] + 0.6 * rng.standard_normal((m, d))
        points.append(own / np.linalg.norm(own, axis=1, keepdims=True))
    points = np.concatenate(points).astype(np.float32)
    return points, np.cumsum([0, *sizes]), rng.uniform(0, 90, len(points))


def brute_medoid(points):
    points = points.astype(np.float64)
    cost = ((points[:, None] - points) ** 2).sum((1, 2))
    return np.flatnonzero(cost <= cost.min() * (1 + 1e-9) + 1e-12).max()


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("cap", [None, 3])
def test_equals_scipy_and_brute_force(threads, cap):
    rng = np.random.default_rng(0)
    sizes = [1, 0, 2, 3, *rng.integers(1, 120, 60).tolist(), 0, 300]
    points, offsets, age = population(1, sizes, 16)
    settings = Settings(alpha=0.9, decay=0.05, cap=cap)
    found = cluster_users(points, offsets, age, settings, threads)
    for user, size in enumerate(sizes):
        own = slice(offsets[user], offsets[user + 1])
        rows = slice(found.starts[user], found.starts[user + 1])
        label = found.label[own]
        if size > 1:
            table = hierarchy.linkage(points[own].astype(np.float64), "ward")
            theirs = hierarchy.fcluster(table, np.sqrt(0.9), "distance")
            if cap and theirs.max() > cap:
                theirs = hierarchy.fcluster(table, cap, "maxclust")
            assert len({*zip(label, theirs, strict=True)}) == theirs.max()
        assert len(found.size[rows]) == label.max(initial=-1) + 1
        for cluster in range(label.max(initial=-1) + 1):
            members = np.flatnonzero(label == cluster)
            row = rows.start + cluster
            assert found.size[row] == len(members)
            best = members[brute_medoid(points[own][members])]
            assert found.medoid[row] == best
            weight = np.exp(-0.05 * age[own][members]).sum()
            np.testing.assert_allclose(found.importance[row], weight)


def test_reference_is_the_same():
    points, offsets, age = population(2, [5, 0, 80, 1, 33], 8)
    settings = Settings(alpha=0.7)
    one = cluster_users(points, offsets, age, settings)
    other = cluster_users_reference(points, offsets, age, settings)
    for name in ("label", "starts", "medoid", "size"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    np.testing.assert_allclose(one.importance, other.importance)


def test_medoid_of_two_is_the_later():
    points = np.eye(4, dtype=np.float32)
    assert medoids(points, np.array([0, 1, 0, 1])).tolist() == [2, 3]


def test_importance_by_hand():
    # Half of a point is left after ln 2 / 0.1 = 6.93 days.
    age = np.array([0, np.log(2) / 0.1, 0])
    found = importance(np.array([0, 0, 1]), age, 0.1)
    np.testing.assert_allclose(found, [1.5, 1.0])
    assert importance(np.array([0, 0, 1]), age, 0).tolist() == [2, 1]


def test_sampling_is_in_proportion_and_without_replacement():
    weight = np.array([1.0, 2.0, 5.0])
    rng = np.random.default_rng(0)
    draws = np.array([sample(weight, 2, rng) for _ in range(20_000)])
    assert (draws[:, 0] != draws[:, 1]).all()
    first = np.bincount(draws[:, 0]) / len(draws)
    np.testing.assert_allclose(first, weight / 8, atol=0.012)
    second = np.bincount(draws[draws[:, 0] == 2, 1], minlength=3)
    np.testing.assert_allclose(second / second.sum(), [1 / 3, 2 / 3, 0], atol=0.02)
    assert sorted(sample(weight, 9, rng)) == [0, 1, 2]
    assert top(weight, 2).tolist() == [2, 1]


def test_settings_out_of_range():
    for wrong in ({"alpha": -1}, {"decay": float("nan")}, {"cap": 0}):
        with pytest.raises(ValueError, match="must be"):
            Settings(**wrong)
