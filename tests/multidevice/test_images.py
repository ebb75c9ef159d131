"""One device and eight: the same triplets, the same losses."""

import numpy as np
import pytest

SCRIPT = "eight_devices_images.py"
pytestmark = pytest.mark.slow


def test_losses_are_those_of_one_device(report):
    assert report["devices"] == 8 and len(set(report["1"])) == 4
    np.testing.assert_allclose(report["8"], report["1"], rtol=2e-4)


def test_frozen_parts_give_the_same_on_each_device(report):
    assert report["frozen"] < 1e-5
