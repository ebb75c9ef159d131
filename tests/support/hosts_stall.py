"""The small experiment, in which one process sleeps for ever before a step."""

import os
import time
from dataclasses import dataclass, replace

import small

STEP = 8


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
            if step == STEP and os.environ["RECJAX_PROCESS"] == "1":
                self.fault()
            return made(step, host)

        object.__setattr__(data, "batch", batch)
        return data


def experiment(data=Faulty):
    """Returns the experiment."""
    made = small.experiment()
    return replace(made, data=data(made.data.settings))
