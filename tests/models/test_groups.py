"""Parts joined for one pass: taken apart again, and never moved between devices."""

import numpy as np
import pytest

from recjax.models import groups


def parts(*sizes):
    """Returns batches of so many rows, each row with a number of its own."""
    starts = np.cumsum((0, *sizes))
    return [
        {"a": np.outer(start + np.arange(size), np.ones(3)), "b": np.arange(size)}
        for start, size in zip(starts, sizes, strict=False)
    ]


@pytest.mark.parametrize("sizes", [(4,), (8, 8), (16, 12, 4), (3, 5, 7)])
def test_what_is_joined_can_be_parted(sizes):
    given = parts(*sizes)
    whole = groups.join(given)
    assert len(whole["a"]) == len(whole["b"]) == sum(sizes)
    for one, got in zip(given, groups.part(whole["a"], sizes), strict=True):
        np.testing.assert_array_equal(got, one["a"])


def test_each_device_holds_its_share_of_every_part():
    given = parts(16, 12, 4)
    whole = np.asarray(groups.join(given)["a"][:, 0])
    for device in range(4):
        mine = whole[8 * device : 8 * device + 8]
        shares = [np.split(one["a"][:, 0], 4)[device] for one in given]
        assert sorted(mine) == sorted(np.concatenate(shares))
