"""Eight pretended CPU devices: rehearses sharding without accelerators.

Start with XLA_FLAGS=--xla_force_host_platform_device_count=8.
"""

from recjax.experiment import Runtime


def runtime() -> Runtime:
    """Returns the runtime."""
    return Runtime(mesh={"data": 4, "model": 2}, log_every=50, checkpoint_every=500)
