"""The small experiment, in which one process is late once, and then stuck."""

import os
import time
from dataclasses import dataclass, replace

import small

LATE, STEP = 9, 12
"""Steps whose batches are not made while the first step compiles."""
SECONDS = 5
"""How late it is; less than `stall_s`, more than some looks of the watchdog."""


def sleep_for_ever():
    """Never returns."""
    while True:
        time.sleep(1)


@dataclass(frozen=True)
class Faulty(small.InMemory):
    """Data whose second process has a fault where it makes a batch."""

    def fault(self):
        """Stands for any."""
        sleep_for_ever()

    def open(self, seed):
        """Returns the data set."""
        data = super().open(seed)
        made = data.batch

        def batch(step, host=(0, 1)):
            if os.environ["RECJAX_PROCESS"] == "1":
                if step == LATE:
                    time.sleep(SECONDS)
                if step == STEP:
                    self.fault()
            return made(step, host)

        object.__setattr__(data, "batch", batch)
        return data


def experiment(data=Faulty):
    """Returns the experiment."""
    made = small.experiment()
    return replace(made, data=data(made.data.settings))
