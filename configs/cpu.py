"""One CPU device: laptops and continuous integration."""

from recjax.experiment import Runtime


def runtime() -> Runtime:
    """Returns the runtime."""
    return Runtime(mesh={"data": 1}, log_every=50, checkpoint_every=500)
