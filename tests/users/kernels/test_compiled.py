"""Compiled code that is kept on disk does not outlive the sources it was made of."""

import subprocess
import sys

import pytest
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


NOWHERE = """
from numba.core import caching
caching.CacheImpl._locator_classes = []
from recjax.extras import compiled
import recjax.images.resample
from recjax.users.kernels import users
print(compiled(nogil=True)(lambda x: x + 1)(1), users.grow.stats.cache_path)
"""
UNCOMPILED = """
from recjax.users.dendrogram import COMPILED
from recjax.users.ward import ward
print(COMPILED, ward([[0.0], [3.0]]).height)
"""


@pytest.mark.parametrize(
    ("code", "setting", "said"),
    [(NOWHERE, "0", "2 None"), (UNCOMPILED, "1", "False [9.]")],
)
def test_without_a_folder_to_keep_code_in_or_a_compiler(code, setting, said):
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**small.environment(), "NUMBA_DISABLE_JIT": setting},
        capture_output=True,
        text=True,
    )
    assert done.stdout == said + "\n", done.stderr


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
