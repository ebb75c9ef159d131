"""The check of the core needs the core alone, and tells good from bad."""

import subprocess
import sys

import pytest
import small

MASKED = """
import runpy, sys
from masked import mask
mask(["tensorflow", "scann", "grain", "polars", "tqdm", "tyro", "tensorboardX"])
sys.argv = ["check_core.py", *sys.argv[1:]]
runpy.run_path("tools/check_core.py", run_name="__main__")
"""


def check(*arguments):
    return subprocess.run(
        [sys.executable, "-c", MASKED, *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=small.ROOT,
        env=small.environment(),
    )


@pytest.mark.slow
def test_the_core_trains_ranks_and_resumes():
    done = check("--items", "400", "--batch", "64", "--steps", "60")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("\nok ") == 3


@pytest.mark.slow
def test_a_run_that_learned_nothing_fails_the_check():
    done = check("--items", "20000", "--batch", "8", "--steps", "2")
    assert done.returncode == 1 and "FAIL ranking is learned" in done.stdout
