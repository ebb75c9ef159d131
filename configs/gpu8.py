"""One host with eight GPUs: the batch over all of them, tables one eighth each."""

from recjax.experiment import Runtime


def runtime() -> Runtime:
    """Returns the runtime."""
    return Runtime(mesh={"data": 8}, log_every=100, threads=8, prefetch=16)
