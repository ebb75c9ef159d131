"""Sixteen TPU v5e chips on four hosts."""

from recjax.experiment import Runtime


def runtime() -> Runtime:
    """Returns the runtime."""
    return Runtime(mesh={"data": 16}, log_every=100, threads=8, prefetch=16)
