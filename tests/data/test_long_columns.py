"""Positions and counts of long columns, against NumPy's of the whole."""

import numpy as np
import pytest

from recjax.data import long_columns
from recjax.data.long_columns import blocks, counts, positions


@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 40])
def test_as_of_the_whole(monkeypatch, size):
    monkeypatch.setattr(long_columns, "BLOCK", 8)
    values = np.random.default_rng(size).integers(0, 5, size)
    mask = values > 1
    assert positions(mask).dtype == np.int32
    np.testing.assert_array_equal(positions(mask), np.flatnonzero(mask))
    wanted = np.bincount(values[mask], minlength=6)
    np.testing.assert_array_equal(counts(values, positions(mask), 6), wanted)
    found = np.full(size, -1)
    for place, part in blocks(values):
        assert len(part) <= 8
        found[place] = part
    np.testing.assert_array_equal(found, values)
