import numpy as np
import pytest

from recjax.metrics import gallery


def test_figures_worked_by_hand():
    held = np.array([0, 0, 0, 1, 1, 2])
    # Class 0 found at 1 and 3; class 1 at 2 and 5; class 5 is not in the gallery.
    found = np.array([[0, 3, 1, 4, 5, 2], [0, 3, 1, 2, 4, 5], [0, 1, 2, 3, 4, 5]])
    got = gallery.class_figures(found, np.array([0, 1, 5]), held, ks=(1, 2))
    got = {name: of_query.mean() for name, of_query in got.items()}
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
