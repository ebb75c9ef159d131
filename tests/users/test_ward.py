"""Ward's clustering against SciPy's, in float64."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.cluster import hierarchy
from scipy.spatial import distance

from recjax.users.cluster import _one_blas_thread as one_blas_thread
from recjax.users.cluster import cluster_users
from recjax.users.dendrogram import cut, labels, linkage
from recjax.users.settings import Settings
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


def check(users):
    """Compares trees, labels and medoids of many users with SciPy and brute force."""
    tables, trees = [], []
    for i, points in enumerate(users):
        tables.append(hierarchy.linkage(points.astype(np.float64), "ward"))
        trees.append(ward(points))
        scale = np.sqrt(1e-12 * (points.astype(np.float64) ** 2).sum(1).max())
        np.testing.assert_allclose(
            linkage(trees[i])[:, 2], tables[i][:, 2], rtol=1e-5, atol=scale
        )
    for width in {points.shape[1] for points in users}:
        chosen = [i for i, points in enumerate(users) if points.shape[1] == width]
        check_clusters(*([of[i] for i in chosen] for of in (users, tables)))


def check_clusters(users, tables):
    """Compares labels, of the batch and of `cut`, with SciPy's, medoids with costs."""
    offsets = np.cumsum([0, *map(len, users)])
    batches = [
        cluster_users(
            np.concatenate(users), offsets, np.zeros(offsets[-1]), Settings(alpha, 0.0)
        )
        for alpha in ALPHAS
    ]
    for i, (points, table) in enumerate(zip(users, tables, strict=True)):
        apart = distance.cdist(*2 * [points.astype(np.float64)], "sqeuclidean")
        for j, (alpha, found) in enumerate(zip(ALPHAS, batches, strict=True)):
            label = found.label[offsets[i] : offsets[i + 1]]
            assert same_partition(label, tops(table, alpha)), (points.shape, alpha)
            if i % len(ALPHAS) == j:  # Each is slower than a hundred clusterings.
                theirs = hierarchy.fcluster(table, np.sqrt(alpha), "distance")
                assert same_partition(label, theirs), (points.shape, alpha)
                assert (cut(ward(points, near=alpha), alpha) == label).all()
            clusters = slice(*found.starts[i : i + 2])
            size, medoid = np.bincount(label), found.medoid[clusters]
            assert (found.importance[clusters] == size).all()
            assert (label[medoid] == np.arange(len(size))).all()
            cost = (apart * (label[:, None] == label)).sum(1)
            least = np.full(len(size), np.inf)
            np.minimum.at(least, label, cost)
            assert (cost[medoid] <= least * (1 + 1e-9) + 1e-10).all()


def tops(table, alpha):
    """Returns the highest of SciPy's merges up to alpha above each point."""
    made, m = np.flatnonzero(table[:, 2] <= np.sqrt(alpha)), len(table) + 1
    above = np.arange(2 * m - 1)
    above[table[made, :2].astype(int)] = m + made[:, None]
    for _ in range(m.bit_length()):
        above = above[above]
    return above[:m]


def test_equals_scipy(fuzz):
    rng = np.random.default_rng(1)
    for done in range(0, fuzz, 1_000):
        with one_blas_thread():  # Threads cost such small users more than they save.
            check([some_user(rng) for _ in range(min(1_000, fuzz - done))])


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
