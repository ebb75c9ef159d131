"""Compiled code that is kept on disk does not outlive the sources it was made of."""

import subprocess
import sys

import small

INNER = (
    "from numba import njit\n\n@njit(cache=True)\ndef inner(x):\n    return x + {}\n"
)
OUTER = """
from numba import njit
from inner import inner
from recjax.users.kernels.compiled import forget_stale

@njit(cache=True)
def outer(x):
    return inner(x)

forget_stale(outer)
print(outer(1), sum(outer.stats.cache_hits.values()))
"""


def test_a_change_in_another_file_is_seen(tmp_path):
    (tmp_path / "main.py").write_text("import outer\n")
    (tmp_path / "outer.py").write_text(OUTER)

    def run():
        command = [sys.executable, "main.py"]
        done = subprocess.run(
            command,
            cwd=tmp_path,
            env=small.environment(),
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.split()

    (tmp_path / "inner.py").write_text(INNER.format(1))
    assert run() == ["2", "0"]
    assert run() == ["2", "1"]
    (tmp_path / "inner.py").write_text(INNER.format(10))
    assert run() == ["11", "0"]
    assert run() == ["11", "1"]
