"""Several kinds of candidates: eight devices train as one, and send little."""

import numpy as np
import pytest

SCRIPT = "eight_devices_omni.py"
pytestmark = pytest.mark.slow
MANY = ("8", "4x2")


@pytest.mark.parametrize("mesh", MANY)
def test_losses_and_counts_of_negatives_are_those_of_one_device(report, mesh):
    for one, many in zip(report["1"]["means"], report[mesh]["means"], strict=True):
        assert one.keys() == many.keys()
        for name, value in one.items():
            assert many[name] == pytest.approx(value, rel=1e-4, abs=1e-5), name


@pytest.mark.parametrize("mesh", MANY)
def test_parameters_tables_and_sketches_are_those_of_one_device(made, mesh):
    with (
        np.load(made / "omni_1.npz") as one,
        np.load(made / f"omni_{mesh}.npz") as many,
    ):
        assert set(one) == set(many) and any("cells" in name for name in one)
        for name in one:
            if name.startswith("memory"):
                np.testing.assert_array_equal(many[name], one[name], err_msg=name)
            else:
                np.testing.assert_allclose(
                    many[name], one[name], rtol=2e-3, atol=5e-5, err_msg=name
                )


@pytest.mark.parametrize("mesh", MANY)
def test_no_collective_is_as_large_as_a_table_or_a_sketch(report, mesh):
    sizes, width = report[mesh]["collectives"], 1 << 17
    assert report[mesh]["cells"] == [width // 8]
    # The table has 40,001 rows of 12, a sketch 2 rows of 2^17, a batch 3,456 n-grams.
    assert 0 < max(sizes) < width
