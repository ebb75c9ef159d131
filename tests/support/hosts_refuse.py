"""The small experiment, in which one process refuses a batch."""

import hosts_stall

from recjax.errors import UserError


def refuse():
    """Raises what bad input raises."""
    raise UserError(f"batch {hosts_stall.STEP} is bad")


def experiment():
    """Returns the experiment."""
    return hosts_stall.experiment(refuse)
