"""Small twins of three systems in two processes and in one."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import small

from recjax.launch.join import NAMES

pytestmark = pytest.mark.slow
SCRIPT = Path(small.__file__).with_name("hosts_train.py")


@pytest.fixture(scope="module")
def losses(tmp_path_factory):
    """The losses of each system, in one process with eight devices and in two."""
    folder = tmp_path_factory.mktemp("systems")
    found = {}
    for hosts in (1, 2):
        out = folder / f"{hosts}.json"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            where = f"127.0.0.1:{probe.getsockname()[1]}"
        running = [
            subprocess.Popen(
                [sys.executable, SCRIPT, out],
                env=small.environment(
                    XLA_FLAGS=small.devices(8 // hosts),
                    **dict(zip(NAMES, (where, str(hosts), str(host)), strict=True)),
                ),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            for host in range(hosts)
        ]
        for process in running:
            said, _ = process.communicate(timeout=900)
            assert process.returncode == 0, said[-4000:]
        found[hosts] = json.loads(out.read_text())
    return found


@pytest.mark.parametrize("system", ["omni_search", "hier_tcn", "deep_ranking"])
def test_two_processes_learn_what_one_learns(losses, system):
    one, two = losses[1][system], losses[2][system]
    assert len(set(one)) == 3
    assert two == pytest.approx(one, abs=2e-5)
