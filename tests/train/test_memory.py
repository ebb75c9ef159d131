import subprocess
import sys

import pytest

FAULTS = """
import resource, sys
import numpy as np
if sys.argv[1] == "keep":
    from recjax.train.memory import keep_freed_memory
    keep_freed_memory()
def use():
    np.zeros(1 << 23, np.uint8) + np.ones(1 << 25, np.uint8)[: 1 << 23]
use()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    use()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(what):
    command = [sys.executable, "-c", FAULTS, what]
    return int(subprocess.run(command, capture_output=True, check=True).stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator alone is tuned")
def test_memory_that_was_freed_is_not_fetched_anew():
    assert faults("keep") < faults("as it is") / 20
