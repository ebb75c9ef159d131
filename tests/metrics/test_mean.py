import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recjax.metrics.mean import Mean


def test_nothing_has_no_mean():
    assert math.isnan(Mean().value)
    assert math.isnan(Mean.of([5.0, 7.0], [0, 0]).value)


def test_parts_weigh_by_their_size_not_equally():
    both = Mean.of([1, 1, 1]) + Mean.of([5])
    assert both == Mean(8.0, 4.0)
    assert both.value == 2.0


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30),
    st.integers(0, 30),
)
def test_any_two_parts_merge_into_the_mean_of_all(values, cut):
    weights = np.arange(1, len(values) + 1) / 4
    parts = Mean.of(values[:cut], weights[:cut]), Mean.of(values[cut:], weights[cut:])
    expected = np.average(values, weights=weights)
    assert (parts[0] + parts[1]).value == pytest.approx(expected, abs=1e-6)
    assert (parts[1] + parts[0]).value == pytest.approx(expected, abs=1e-6)


def test_takes_numpy_scalars_and_adds_them_up_in_float64():
    small = Mean(np.float32(1), np.int32(1))
    total = sum([small] * 3, start=Mean(np.float32(2**24), np.float32(2**24)))
    assert total.total == 2**24 + 3
    assert isinstance(total.value, float)


def test_a_value_that_does_not_count_may_be_nan():
    assert Mean.of([np.nan, 3.0], [0, 2]).value == 3.0


def test_booleans_are_shares():
    assert Mean.of(np.array([True, False, True, True])).value == 0.75


def test_a_number_is_no_mean():
    with pytest.raises(TypeError):
        Mean(1, 1) + 1


@pytest.mark.parametrize("weights", [[1.0], [1.0, -1.0]])
def test_weights_that_do_not_fit(weights):
    with pytest.raises(ValueError, match="weight"):
        Mean.of([1.0, 2.0], weights)
