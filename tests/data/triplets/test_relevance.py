import itertools

import numpy as np
import pytest

from recjax.data.triplets.relevance import (
    Relevance,
    from_blocks,
    from_classes,
    from_features,
)
from recjax.errors import UserError

# Three categories; the second has classes that share a middle level.
LABELS = np.array(
    [[0, 0, 0], [1, 1, 1], [0, 0, 0], [1, 1, 2], [1, 1, 1], [1, 2, 3], [2, 3, 4]]
)
GRADES = (0.25, 0.5, 1.0)


def naive(labels, grades):
    size = len(labels)
    r = np.zeros((size, size))
    for i, j in itertools.product(range(size), repeat=2):
        for level, grade in enumerate(grades):
            if (labels[i, : level + 1] == labels[j, : level + 1]).all():
                r[i, j] = grade
    return r


def test_classes_grade_by_the_finest_level_that_two_images_share():
    known, r = from_classes(LABELS, GRADES), naive(LABELS, GRADES)
    at = np.arange(len(LABELS))
    np.testing.assert_allclose(known.between(at[:, None], at[None]), r)
    np.testing.assert_allclose(known.total[known.group], r.sum(1) - np.diag(r))


def test_an_image_that_is_alone_has_no_relevance():
    known = from_classes(LABELS, GRADES)
    assert known.total[known.group[6]] == 0


def test_groups_of_one_hold_a_table_as_it_is():
    generator = np.random.default_rng(0)
    category = np.array([1, 0, 1, 0, 1])
    blocks = [generator.random((2, 2)), generator.random((3, 3))]
    known = from_blocks(category, blocks)
    assert known.between(np.array(2), np.array(4)) == blocks[1][1, 2]
    assert known.between(np.array(0), np.array(1)) == 0
    want = blocks[1].sum(1) - np.diag(blocks[1])
    np.testing.assert_allclose(known.total[known.group[[0, 2, 4]]], want)


def test_nearer_features_are_more_relevant():
    features = np.array([[0.0], [1.0], [5.0], [0.0]])
    known = from_features(np.array([0, 0, 0, 1]), features)
    # Distances 1, 5 and 4; their median is 4.
    want = np.exp(-np.array([1, 5]) / 4)
    got = known.between(np.array(0), np.array([1, 2]))
    np.testing.assert_allclose(got, want, rtol=1e-6)
    assert known.between(np.array(0), np.array(3)) == 0


def test_grades_must_fit_the_levels():
    with pytest.raises(UserError, match="2 grades .* one grade a level"):
        from_classes(LABELS, (0.5, 1.0))
    with pytest.raises(UserError, match="must rise"):
        from_classes(LABELS, (0.5, 0.2, 1.0))


@pytest.mark.parametrize("bad", [-1.0, np.nan, np.inf])
def test_a_relevance_below_0_or_not_finite_is_refused(bad):
    with pytest.raises(ValueError, match="block 0"):
        Relevance(np.arange(1), np.zeros(1, int), [np.array([[bad]])])
