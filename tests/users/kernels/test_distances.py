"""The matrix that clustering begins with, and SciPy's table of a tree."""

import numpy as np
import pytest
from scipy.cluster import hierarchy
from scipy.spatial.distance import cdist

from recjax.users.dendrogram import linkage, write_linkage_reference
from recjax.users.kernels.layout import LINE, padded, stride
from recjax.users.ward import ward


@pytest.mark.parametrize("m", [1, 2, 7, 8, 9, 15, 16, 17, 40, 63, 65])
def test_distances_stand_on_both_sides(m):
    numba = pytest.importorskip("numba", reason="the extra `users` is not installed")
    from recjax.users.kernels.distances import fill_float32

    assert numba and padded(m) % LINE == 0 <= padded(m) - m < LINE
    assert stride(m) >= padded(m) and stride(m) // LINE % 2 == 1
    points = np.random.default_rng(m).standard_normal((m, 6)).astype(np.float32)
    lengths = np.zeros(padded(m), np.float32)
    lengths[:m] = (points**2).sum(1)
    square = np.full((padded(m), stride(m)), np.nan, np.float32)
    fill_float32(points, lengths, square)
    found = square[:m, :m]
    assert (found.diagonal() == np.inf).all()
    np.testing.assert_array_equal(found, found.T)
    wanted = cdist(points.astype(np.float64), points.astype(np.float64), "sqeuclidean")
    apart = ~np.eye(m, dtype=bool)
    np.testing.assert_allclose(found[apart], wanted[apart], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("m", [1, 2, 30])
def test_scipys_table_is_the_same_compiled_and_plain(m):
    points = np.random.default_rng(m).integers(0, 4, (m, 3)).astype(np.float32)
    tree = ward(points)
    plain = np.empty((m - 1, 4))
    write_linkage_reference(tree.child, tree.parent, tree.height, plain)
    np.testing.assert_array_equal(linkage(tree), plain)
    if m > 1:
        assert hierarchy.is_valid_linkage(plain)
