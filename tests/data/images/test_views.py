"""Rows of a file, read where they are asked for."""

import numpy as np
import pytest

from recjax.data.images.views import RowFile


def test_rows_of_a_file_are_those_of_the_array(tmp_path):
    rows = np.random.default_rng(0).normal(size=(7, 3, 2)).astype(np.float16)
    np.save(tmp_path / "rows.npy", rows)
    read = RowFile.open(tmp_path / "rows.npy")
    asked = np.array([[6, 0], [3, 6]])
    np.testing.assert_array_equal(read[asked], rows[asked])
    assert read[asked[:0]].shape == (0, 2, 3, 2) and len(read) == 7
    with pytest.raises(IndexError):
        read[np.array([7])]
    with (tmp_path / "rows.npy").open("r+b") as file:
        file.truncate((tmp_path / "rows.npy").stat().st_size - 1)
    with pytest.raises(OSError, match="cut off at row 6"):
        read[np.array([6])]
