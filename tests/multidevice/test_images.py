"""One device and eight: the same triplets, the same losses."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import small

SCRIPT = Path(small.__file__).with_name("eight_devices_images.py")


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    path = tmp_path_factory.mktemp("images") / "report.json"
    flags = "--xla_force_host_platform_device_count=8"
    done = subprocess.run(
        [sys.executable, SCRIPT, path],
        env=small.environment(XLA_FLAGS=flags),
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(path.read_text())


@pytest.mark.slow
def test_losses_are_those_of_one_device(report):
    assert report["devices"] == 8 and len(set(report["1"])) == 4
    np.testing.assert_allclose(report["8"], report["1"], rtol=2e-4)


@pytest.mark.slow
def test_frozen_parts_give_the_same_on_each_device(report):
    assert report["frozen"] < 1e-5
