"""Sixty-four TPU v5p chips on sixteen hosts; dense parameters over groups of four."""

from recjax.experiment import Runtime


def runtime() -> Runtime:
    """Returns the runtime."""
    mesh = {"data": 16, "fsdp": 4}
    return Runtime(mesh=mesh, log_every=100, threads=8, prefetch=16)
