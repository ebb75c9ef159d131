"""What all tests share: quick compilation, kept for all of them; no data but theirs."""

import os

import pytest
from hypothesis import settings

# A shared machine may take its time over any one example.
settings.register_profile("shared", deadline=None)
settings.load_profile("shared")

LONG = (
    "test_experiments.py",
    "test_eight_devices.py",
    "test_docs.py",
    "test_two_hosts.py",
    "test_processes.py",
    "test_sweep.py",
    "test_wide_shop.py",
    "test_session_experiments.py",
)
FUZZ = 300
"""Random files, or users, of a test of the suite; `--fuzz` asks for more."""

# Tests run their programs a few times only: compiling them well takes longer than
# running them does. Set before JAX is imported, and inherited by tests' processes.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
os.environ.setdefault(
    "XLA_FLAGS",
    "--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1",
)
# Of the cache below, in seconds: whatever fresh processes would compile again.
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"


def pytest_addoption(parser):
    """Adds the option for long fuzzing."""
    told = f"random files or users of a test that takes many ({FUZZ})"
    parser.addoption("--fuzz", type=int, default=FUZZ, metavar="N", help=told)


def pytest_collection_modifyitems(items):
    """Starts with the files that take longest, so that none is left for the end."""
    items.sort(key=lambda item: item.path.name not in LONG)


@pytest.fixture(scope="session")
def fuzz(pytestconfig):
    """Returns how many random files or users a test shall take."""
    return pytestconfig.getoption("--fuzz")


@pytest.fixture(scope="session", autouse=True)
def compilation_cache(tmp_path_factory):
    """Compiles what several tests, or fresh processes, run but once."""
    base = tmp_path_factory.getbasetemp()
    # Tests that run side by side (pytest -n) have folders in a common one.
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = base / "compilation_cache"
    folder.mkdir(exist_ok=True)
    os.environ["JAX_COMPILATION_CACHE_DIR"] = str(folder)
    import jax

    jax.config.update("jax_compilation_cache_dir", str(folder))
