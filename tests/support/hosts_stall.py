"""The small experiment, in which one process sleeps for ever before a step."""

import os
import time
from dataclasses import dataclass, replace

import small

STEP = 8


@dataclass(frozen=True)
class Sleepy(small.InMemory):
    """Data whose second process stops to make batches."""

    def open(self, seed):
        """Returns the data set."""
        data = super().open(seed)
        made = data.batch

        def batch(step, host=(0, 1)):
            if step == STEP and os.environ["RECJAX_PROCESS"] == "1":
                sleep_for_ever()
            return made(step, host)

        object.__setattr__(data, "batch", batch)
        return data


def sleep_for_ever():
    """Never returns."""
    while True:
        time.sleep(1)


def experiment():
    """Returns the experiment."""
    made = small.experiment()
    return replace(made, data=Sleepy(made.data.settings))
