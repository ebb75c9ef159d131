"""What all tests share: one compilation cache, and no data but their own."""

import os

import pytest
from hypothesis import settings

# A shared machine may take its time over any one example.
settings.register_profile("shared", deadline=None)
settings.load_profile("shared")


@pytest.fixture(scope="session", autouse=True)
def compilation_cache(tmp_path_factory):
    """Compiles what several tests, or fresh processes, run but once."""
    # Set before JAX is imported here, and inherited by the processes of tests.
    base = tmp_path_factory.getbasetemp()
    # Tests that run side by side (pytest -n) have folders in a common one.
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = base / "compilation_cache"
    folder.mkdir(exist_ok=True)
    os.environ["JAX_COMPILATION_CACHE_DIR"] = str(folder)
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.2"
    import jax

    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)
