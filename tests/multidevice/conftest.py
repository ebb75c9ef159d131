"""What the tests of eight devices share: a process that pretends to have them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import small


@pytest.fixture(scope="module")
def made(request, tmp_path_factory):
    """The folder that the module's SCRIPT of tests/support wrote."""
    folder = tmp_path_factory.mktemp("eight_devices")
    flags = "--xla_force_host_platform_device_count=8"
    script = Path(small.__file__).with_name(request.module.SCRIPT)
    done = subprocess.run(
        [sys.executable, script, folder],
        env=small.environment(XLA_FLAGS=flags),
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return folder


@pytest.fixture(scope="module")
def report(made):
    """The script's own report."""
    return json.loads((made / "report.json").read_text())
