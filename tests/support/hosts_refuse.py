"""The small experiment, in which one process refuses a batch."""

from dataclasses import dataclass

import hosts_stall

from recjax.errors import UserError


@dataclass(frozen=True)
class Refusing(hosts_stall.Faulty):
    """Data whose second process refuses a batch."""

    def fault(self):
        """Raises what bad input raises."""
        raise UserError(f"batch {hosts_stall.STEP} is bad")


def experiment():
    """Returns the experiment."""
    return hosts_stall.experiment(Refusing)
