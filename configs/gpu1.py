"""One GPU."""

from recjax.experiment import Runtime


def runtime() -> Runtime:
    """Returns the runtime."""
    return Runtime(mesh={"data": 1}, log_every=100, threads=4, prefetch=16)
