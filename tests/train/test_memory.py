import subprocess
import sys
from pathlib import Path

import jax
import pytest
import small

from recjax.train.memory import keep_compiled

FAULTS = """
import resource, sys
if sys.argv[1] == "keep":
    from recjax.train.memory import keep_freed_memory
    keep_freed_memory()
if sys.argv[2] == "numpy":
    import numpy as np
    def use():
        np.zeros(1 << 23, np.uint8) + np.ones(1 << 25, np.uint8)[: 1 << 23]
else:
    import jax
    long = jax.numpy.ones(1 << 24)
    more = jax.jit(lambda a: a + 1)
    def use():
        more(long).block_until_ready()
for _ in range(50):  # Until the heap has room for what overlaps.
    use()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    use()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(what, where):
    command = [sys.executable, "-c", FAULTS, what, where]
    environment = small.environment() | {"JAX_PLATFORMS": "cpu"}
    done = subprocess.run(command, capture_output=True, check=True, env=environment)
    return int(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator alone is tuned")
@pytest.mark.parametrize("where", ["numpy", "jax"])
def test_memory_that_was_freed_is_not_fetched_anew(where):
    # Each of the twenty uses fetches all its memory; or, kept, one now and then that
    # overlaps with the one before, on a machine that is busy.
    assert faults("keep", where) < faults("as it is", where) / 4


def test_what_is_compiled_is_kept_in_the_users_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("RECJAX_CACHE", str(tmp_path))
    before = jax.config.jax_compilation_cache_dir
    keep_compiled()
    assert jax.config.jax_compilation_cache_dir == before  # One that is set stays.
    try:
        jax.config.update("jax_compilation_cache_dir", None)
        keep_compiled()
        found = jax.config.jax_compilation_cache_dir
        assert Path(found).parent == tmp_path / "compiled"
    finally:
        jax.config.update("jax_compilation_cache_dir", before)
