"""The experiment on invented people, small: it runs, and prints its tables."""

import subprocess
import sys

import pytest
import small


@pytest.mark.slow
def test_all_tables_are_printed():
    program = small.ROOT / "experiments" / "pinnersage_synthetic.py"
    told = "--people 15 --populations 2 --items 2000 --days 20".split()
    done = subprocess.run(
        [sys.executable, program, *told],
        capture_output=True,
        text=True,
        cwd=small.ROOT,
        env=small.environment(),
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    for title in ("Table 1", "Table 3", "Table 4", "Over PinnerSage"):
        at = lines.index(f"## {title}")
        table = [line for line in lines[at + 2 : at + 20] if line.startswith("|")]
        assert len(table) > 7 and "nan" not in "".join(table)
    last = next(line for line in lines if line.startswith("| last item"))
    assert "| +0 (+0..+0) |" in last
