"""Small twins of three systems in two processes and on one device."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import small

from recjax.launch.join import NAMES

pytestmark = pytest.mark.slow
SCRIPT = Path(small.__file__).with_name("hosts_train.py")
PORT = 20_000 + os.getpid() % 20_000


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """What is told of each system, on one device and in two processes of four."""
    folder = tmp_path_factory.mktemp("systems")
    running = [start(folder, hosts, host) for hosts in (2, 1) for host in range(hosts)]
    try:
        for process in running:
            said, _ = process.communicate(timeout=900)
            assert process.returncode == 0, said[-4000:]
    finally:
        for process in running:
            process.kill()
    return {n: json.loads((folder / f"{n}.json").read_text()) for n in (1, 2)}


def start(folder, hosts, host):
    """Starts one process of several, each with its part of eight devices."""
    told = (f"127.0.0.1:{PORT + hosts}", str(hosts), str(host))
    return subprocess.Popen(
        [sys.executable, SCRIPT, folder],
        env=small.environment(
            XLA_FLAGS=small.devices(8 // hosts), **dict(zip(NAMES, told, strict=True))
        ),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


SYSTEMS = ("omni_search", "hier_tcn", "deep_ranking")


@pytest.mark.parametrize("system", SYSTEMS)
def test_two_processes_learn_what_one_learns_on_one_device_and_on_eight(
    learned, system
):
    one, two = (learned[hosts][system]["losses"] for hosts in (1, 2))
    assert len(set(one)) == 3
    # What they hand on to each other is compared bit by bit, where it is restored.
    assert two == pytest.approx(one, abs=2e-5)
    assert two == pytest.approx(learned[1][f"{system}/8"]["losses"], abs=2e-5)


@pytest.mark.parametrize("system", SYSTEMS)
def test_collectives_are_few_and_none_stands_in_a_loop(learned, system):
    told = learned[2][system]
    assert 0 < told["sent"] <= 60 and not told["looped"], told
