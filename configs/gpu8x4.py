"""Four hosts with eight GPUs each; dense parameters over the GPUs of a host."""

from recjax.experiment import Runtime


def runtime() -> Runtime:
    """Returns the runtime."""
    mesh = {"data": 4, "fsdp": 8}
    return Runtime(mesh=mesh, log_every=100, threads=8, prefetch=16)
