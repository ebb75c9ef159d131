"""Columns that are padded where they are read, against NumPy lists."""

import numpy as np
import pytest

from recjax.data.catalog.entities import Vectors
from recjax.data.ragged import Ragged, VectorLists
from recjax.text.column import offsets_of

ROWS = [[1, 2, 3], [], [4], [5, 6, 7, 8, 9], [10, 11]]


def ragged(length):
    values = np.array([v for row in ROWS for v in row], np.int32)
    return Ragged(values, offsets_of([len(row) for row in ROWS]), length)


@pytest.mark.parametrize("length", [1, 3, 8])
@pytest.mark.parametrize("index", [slice(0, 5), slice(1, 3), slice(4, 9), [3, 0, 3, 1]])
def test_rows_of_different_lengths(length, index):
    column = ragged(length)
    index = np.array(index) if isinstance(index, list) else index
    rows = np.arange(5)[index]
    wanted = [(ROWS[r] + [0] * length)[:length] for r in rows]
    assert len(column) == 5
    np.testing.assert_array_equal(column[index], wanted)
    assert column[index].dtype == np.int32


@pytest.mark.parametrize("most", [1, 2, 4])
def test_images_and_which_exist(most):
    values = np.arange(12, dtype=np.float32).reshape(6, 2) + 1
    vectors = Vectors(values, np.array([0, 3, 3, 5, 6]))
    got, there = (
        VectorLists(vectors, most)[:],
        VectorLists(vectors, most, there=True)[:],
    )
    assert got.shape == (4, most, 2) and there.shape == (4, most)
    for row, (first, last) in enumerate([(0, 3), (3, 3), (3, 5), (5, 6)]):
        held = values[first:last][:most]
        np.testing.assert_array_equal(there[row], np.arange(most) < len(held))
        np.testing.assert_array_equal(got[row, : len(held)], held)
        assert (got[row, len(held) :] == 0).all()
    picked = np.array([2, 0])
    np.testing.assert_array_equal(VectorLists(vectors, most)[picked], got[picked])
