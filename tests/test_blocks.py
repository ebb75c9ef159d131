"""Blocks of rows, against the whole at once."""

import numpy as np
import pytest

from recjax.blocks import in_blocks


@pytest.mark.parametrize("block", [1, 3, 8, 20])
@pytest.mark.parametrize("size", [1, 7, 8, 9])
def test_blocks_are_the_whole_in_one_shape(size, block):
    random = np.random.default_rng(size)
    x, y = random.normal(size=(size, 4, 2)), random.integers(0, 9, size)
    shapes = set()

    def function(part):
        shapes.add((part["x"].shape, part["y"].shape))
        return part["x"].sum(1) * part["y"][:, None]

    got = in_blocks(function, size, block, lambda at: {"x": x[at], "y": y[at]})
    assert shapes == {((block, 4, 2), (block,))} and got.dtype == np.float32
    np.testing.assert_allclose(got, x.sum(1) * y[:, None], rtol=1e-6)


def test_what_is_missing_in_the_last_block_is_zero():
    seen = []

    def function(part):
        seen.append(part["x"].tolist())
        return part["x"]

    in_blocks(function, 3, 2, lambda at: {"x": np.ones(at.stop - at.start)})
    assert seen == [[1, 1], [1, 0]]


def test_no_rows():
    assert in_blocks(lambda x: x, 0, 4, lambda at: {}).shape == (0, 0)
