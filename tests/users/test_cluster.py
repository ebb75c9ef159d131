"""Clusters, medoids and importance of many users against brute force."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.cluster import hierarchy

from recjax.users.cluster import cluster_users
from recjax.users.cluster_reference import cluster_users_reference
from recjax.users.importance import importance, sample, top
from recjax.users.medoids import medoids
from recjax.users.settings import Settings
from recjax.users.ward import ward, ward_of_clusters
from recjax.users.ward_reference import ward_reference


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


def test_what_does_not_fit_is_refused():
    points, offsets, age = population(0, [3, 4], 5)
    for wrong in ([0, 3, 8], [0, 3, 6], [1, 3, 7], [0, 5, 3, 7], [-1, 7], []):
        with pytest.raises(ValueError, match="offsets"):
            cluster_users(points, np.array(wrong), age, Settings())
    for parts in ((points, age[:6]), (points[0], age), (points, age[:, None])):
        with pytest.raises(ValueError, match="age"):
            cluster_users(parts[0], offsets, parts[1], Settings())


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


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e30])
@pytest.mark.parametrize("size", [1, 2, 40])
def test_points_that_are_not_finite_are_refused(bad, size):
    points, offsets, age = population(3, [3, size, 5], 8)
    points[3 + size - 1, 5] = bad
    for cluster in (cluster_users, cluster_users_reference):
        if bad == 1e30 and (size == 1 or cluster is cluster_users_reference):
            continue  # Only distances in float32 are too large.
        with pytest.raises(ValueError, match="user 1: the points must be finite"):
            cluster(points, offsets, age, Settings())
    with pytest.raises(ValueError, match="must be finite"):
        ward(points)
    if bad != 1e30:
        with pytest.raises(ValueError, match="must be finite"):
            ward_of_clusters(points, np.ones(len(points)))
        with pytest.raises(ValueError, match="must be finite"):
            ward_reference(points)


@given(st.integers(0, 2**32 - 1), st.floats(0, 4), st.integers(1, 5))
def test_what_holds_for_any_user(seed, alpha, users):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(0, 40, users)
    points, offsets, age = population(seed, sizes, int(rng.integers(2, 20)))
    found = cluster_users(points, offsets, age, Settings(alpha, 0.03))
    assert found.size.sum() == len(points) and found.starts[-1] == len(found.size)
    total = np.exp(-0.03 * age).sum()
    np.testing.assert_allclose(found.importance.sum(), total)
    for user in range(users):
        own = slice(offsets[user], offsets[user + 1])
        rows = slice(found.starts[user], found.starts[user + 1])
        label = found.label[own]
        medoid = found.medoid[rows]
        np.testing.assert_array_equal(label[medoid], np.arange(len(medoid)))
        np.testing.assert_array_equal(np.bincount(label), found.size[rows])
        # Another order of the points gives the same clusters.
        mixed = rng.permutation(own.stop - own.start)
        part = points[own][mixed], [0, len(mixed)], age[own][mixed]
        again = cluster_users(*part, Settings(alpha, 0.03)).label
        pairs = {*zip(label[mixed].tolist(), again.tolist(), strict=True)}
        assert len(pairs) == len(medoid) == len({*again.tolist()})


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
