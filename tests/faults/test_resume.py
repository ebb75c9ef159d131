"""Killed ten times and resumed: every bit as if nothing had happened."""

import json
import subprocess
import sys
from pathlib import Path

import jax
import pytest
import small

from recjax.train.checkpoint import read_state
from recjax.train.program import open_program
from recjax.train.writer import read_metrics

SCRIPT = Path(small.__file__).with_name("killed.py")
KILLS, SEED = 10, 20


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("killed")
    done = subprocess.run(
        [sys.executable, SCRIPT, folder, str(KILLS), str(SEED)],
        env=small.environment(),
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return folder, json.loads(done.stdout)


@pytest.mark.slow
def test_ten_kills_change_no_bit_of_the_state(runs):
    folder, told = runs
    assert len(told["killed_at"]) == KILLS
    assert len({step for step in told["killed_at"] if step}) >= 5
    assert max(told["killed_at"]) < told["steps"]
    program = open_program(small.experiment(steps=told["steps"]), small.runtime())
    whole, killed = (
        read_state(folder / name / "checkpoints", program.like)
        for name in ("whole", "killed")
    )
    assert int(whole.step) == told["steps"]
    names = jax.tree_util.tree_leaves_with_path(whole)
    assert len(names) > 20
    for (path, one), other in zip(names, jax.tree.leaves(killed), strict=True):
        one, other = jax.device_get((one, other))
        assert one.tobytes() == other.tobytes(), jax.tree_util.keystr(path)


@pytest.mark.slow
def test_each_line_of_figures_is_there_once_and_the_same(runs):
    folder, told = runs
    whole, killed = (
        {line["step"]: line["loss"] for line in lines}
        for lines in (read_metrics(folder / "whole"), read_metrics(folder / "killed"))
    )
    assert len(read_metrics(folder / "killed")) == len(killed)
    # A run that goes on after step 7 logs step 8 as a mean over one step, not two.
    common = whole.keys() & killed.keys()
    assert len(common) == len(whole)
    shared = [step for step in common if whole[step] == killed[step]]
    assert len(shared) > 0.8 * len(common)
