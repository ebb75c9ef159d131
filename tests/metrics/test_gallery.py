import numpy as np
import pytest

from recjax.metrics import gallery


def vectors(count, seed, width=4):
    """Small whole numbers, so that distances tie and are exact."""
    return np.random.default_rng(seed).integers(-2, 3, (count, width)).astype(float)


@pytest.mark.parametrize("tile, block", [(1, 1), (3, 2), (7, 4), (100, 100)])
@pytest.mark.parametrize("distances", [gallery.cosine, gallery.squared])
@pytest.mark.parametrize("count", [1, 5, 40])
def test_the_nearest_are_those_of_a_whole_sort(tile, block, distances, count):
    queries, corpus = vectors(9, 0), vectors(23, 1)
    got = gallery.nearest(queries, corpus, count, distances, block, tile)
    want = np.argsort(distances(queries, corpus), axis=1, kind="stable")[:, :count]
    np.testing.assert_array_equal(got, want)


def test_distances_order_as_their_names_say():
    queries, corpus = vectors(6, 2), vectors(11, 3)
    apart = queries[:, None] - corpus[None]
    for got, want in (
        (gallery.squared(queries, corpus), (apart**2).sum(2)),
        (gallery.manhattan(queries, corpus), np.abs(apart).sum(2)),
    ):
        shift = got - want
        np.testing.assert_allclose(shift, np.broadcast_to(shift[:, :1], shift.shape))


def test_figures_worked_by_hand():
    held = np.array([0, 0, 0, 1, 1, 2])
    # Class 0 found at 1 and 3; class 1 at 2 and 5; class 5 is not in the gallery.
    found = np.array([[0, 3, 1, 4, 5, 2], [0, 3, 1, 2, 4, 5], [0, 1, 2, 3, 4, 5]])
    got = gallery.class_figures(found, np.array([0, 1, 5]), held, ks=(1, 2))
    # MAP@R: (1 + 2/3 + 0) / 3, then (0 + 1/2) / 2, then 0.
    assert got["map@r"] == pytest.approx(((5 / 3) / 3 + 0.25 + 0) / 3)
    assert got["recall@1"] == pytest.approx(1 / 3)
    assert got["recall@2"] == pytest.approx(2 / 3)
    assert got["answerable"] == pytest.approx(2 / 3)


def test_too_few_neighbours_are_refused():
    held = np.zeros(9, int)
    with pytest.raises(ValueError, match="a class has 9 images"):
        gallery.class_figures(np.zeros((1, 3), int), np.zeros(1, int), held, ks=(1,))


def test_the_largest_class_is_found():
    assert gallery.most_relevant(np.array([2, 7]), np.array([1, 1, 1, 2, 2])) == 2


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_vectors_that_are_no_numbers_are_named(bad):
    corpus = vectors(5, 0)
    corpus[3, 1] = bad
    with pytest.raises(ValueError, match="gallery vector 3"):
        gallery.nearest(vectors(2, 1), corpus, 1)
