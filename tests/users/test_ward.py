"""Ward's clustering against SciPy's, in float64."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.cluster import hierarchy

from recjax.users.cluster import cluster_users
from recjax.users.settings import Settings
from recjax.users.tree import cut, labels, linkage
from recjax.users.ward import ward, ward_of_clusters
from recjax.users.ward_reference import ward_reference

ALPHAS = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)


def same_partition(one, other):
    pairs = len(set(zip(one.tolist(), other.tolist(), strict=True)))
    return pairs == len(set(one.tolist())) == len(set(other.tolist()))


def some_user(rng, m=None, d=None):
    """Returns unit vectors around some centres, a few of them twice."""
    m = m or int(
        rng.integers(2, 1 + rng.choice([10, 60, 150, 500], p=[0.4, 0.4, 0.17, 0.03]))
    )
    d = d or int(rng.choice([2, 3, 8, 16, 64, 128, 256]))
    centers = rng.standard_normal((int(rng.integers(1, 12)), d))
    noise = rng.choice([0.01, 0.1, 0.4, 0.7, 1.5])
    chosen = rng.integers(0, len(centers), m)
    points = centers[chosen] / np.linalg.norm(centers[chosen], axis=1, keepdims=True)
    points += noise * rng.standard_normal((m, d)) / np.sqrt(d)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    twice = rng.integers(0, m, m // 10)
    points[twice] = points[rng.integers(0, m, m // 10)]
    return points.astype(np.float32)


def check(points):
    table = hierarchy.linkage(points.astype(np.float64), "ward")
    tree = ward(points)
    ours = linkage(tree)
    scale = np.sqrt(1e-12 * (points.astype(np.float64) ** 2).sum(1).max())
    np.testing.assert_allclose(ours[:, 2], table[:, 2], rtol=1e-5, atol=scale)
    for alpha in ALPHAS:
        theirs = hierarchy.fcluster(table, np.sqrt(alpha), "distance")
        own = cut(ward(points, near=alpha), alpha)
        assert same_partition(own, theirs), (points.shape, alpha)
        check_clusters(points, alpha, theirs)


def check_clusters(points, alpha, theirs):
    """Compares the batch's labels with SciPy's, its medoids with brute force."""
    m = len(points)
    found = cluster_users(points, [0, m], np.zeros(m), Settings(alpha, 0.0))
    assert same_partition(found.label, theirs), (points.shape, alpha)
    points = points.astype(np.float64)
    apart = -2 * points @ points.T + (points**2).sum(1)[:, None] + (points**2).sum(1)
    own = found.label[:, None] == found.label
    cost = (apart * own).sum(1)
    for cluster, medoid in enumerate(found.medoid):
        members = np.flatnonzero(found.label == cluster)
        assert medoid in members
        assert cost[medoid] <= cost[members].min() * (1 + 1e-9) + 1e-10
    np.testing.assert_array_equal(found.importance, np.bincount(found.label))


def test_equals_scipy():
    rng = np.random.default_rng(0)
    for _ in range(100):
        check(some_user(rng))


@pytest.mark.slow
def test_equals_scipy_on_ten_thousand_users():
    rng = np.random.default_rng(1)
    for _ in range(10_000):
        check(some_user(rng))


@given(st.integers(2, 40), st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_ties_go_as_the_reference_says(m, d, seed):
    rng = np.random.default_rng(seed)
    points = rng.integers(-2, 3, (m, d)).astype(np.float32)
    one, other = ward(points), ward_reference(points)
    np.testing.assert_array_equal(one.child, other.child)
    np.testing.assert_array_equal(one.parent, other.parent)
    np.testing.assert_allclose(one.height, other.height, rtol=1e-5, atol=1e-9)


@example(113, 4_697_084, 1.192092896e-07)  # chains come back to their middle
@given(st.integers(2, 120), st.integers(0, 2**32 - 1), st.floats(1e-7, 1e-3))
def test_points_that_nearly_coincide(m, seed, spread):
    rng = np.random.default_rng(seed)
    points = 1 + spread * rng.standard_normal((m, 8))
    points = points.astype(np.float32)
    one, other = ward(points), ward_reference(points)
    assert len(np.unique(other.child)) == m - 1 and (other.child < other.parent).all()
    np.testing.assert_array_equal(one.child, other.child)
    np.testing.assert_allclose(one.height, other.height, rtol=1e-5, atol=1e-12)


def test_heights_are_those_of_the_closed_form():
    points = some_user(np.random.default_rng(3), m=80, d=16).astype(np.float64)
    tree = ward_reference(points)
    members = [[i] for i in range(80)]
    for child, parent, height in zip(tree.child, tree.parent, tree.height, strict=True):
        a, b = len(members[child]), len(members[parent])
        means = [points[members[i]].mean(0) for i in (child, parent)]
        expected = 2 * a * b / (a + b) * ((means[0] - means[1]) ** 2).sum()
        np.testing.assert_allclose(height, expected, rtol=1e-9, atol=1e-12)
        members[parent] += members[child]


def test_clusters_go_on_as_their_points_would():
    rng = np.random.default_rng(4)
    points = some_user(rng, m=150, d=32)
    tree = ward(points)
    low = cut(tree, 0.3)
    sizes = np.bincount(low)
    centers = np.stack([points[low == c].mean(0) for c in range(len(sizes))])
    above = ward_of_clusters(centers, sizes)
    for alpha in (0.5, 1, 2, 4):
        assert same_partition(cut(above, alpha)[low], cut(tree, alpha))
    reference = ward_reference(centers, sizes)
    np.testing.assert_allclose(above.height, reference.height, rtol=1e-9)


def test_cap_undoes_no_more_than_it_must():
    points = some_user(np.random.default_rng(5), m=60, d=16)
    tree = ward(points)
    for cap in (1, 2, 7, 59, 60, 100):
        found = cut(tree, 0.05, cap)
        count = found.max() + 1
        assert count == min(cap, cut(tree, 0.05).max() + 1)
        table = hierarchy.linkage(points.astype(np.float64), "ward")
        theirs = hierarchy.fcluster(table, count, "maxclust")
        assert same_partition(found, theirs)


def test_clusters_are_numbered_by_their_first_points():
    tree = ward(some_user(np.random.default_rng(6), m=50, d=8))
    found = cut(tree, 0.5)
    _, first = np.unique(found, return_index=True)
    assert (np.diff(first) > 0).all() and found[0] == 0
    assert labels(tree, np.zeros(49, bool)).tolist() == list(range(50))


def test_scipy_draws_our_tree():
    table = linkage(ward(some_user(np.random.default_rng(7), m=30, d=8)))
    assert hierarchy.is_valid_linkage(table) and hierarchy.is_monotonic(table)
    assert len(hierarchy.dendrogram(table, no_plot=True)["leaves"]) == 30


def test_one_point_and_none():
    assert cut(ward(np.ones((1, 4))), 1.0).tolist() == [0]
    with pytest.raises(ValueError, match="no points"):
        ward(np.ones((0, 4)))
