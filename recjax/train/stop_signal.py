"""Asks for a stop in good order: signals, on one process or on several."""

from __future__ import annotations

import os
import signal
from types import FrameType

from jax.experimental import multihost_utils

from recjax.launch import hosts


def stop_signals() -> tuple[signal.Signals, ...]:
    """Returns the signals that ask for a stop.

    A closed terminal's is none of them where it is ignored, as under `nohup`.
    """
    ignored = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    asking = (signal.SIGTERM, signal.SIGINT)
    return asking if ignored else (*asking, signal.SIGHUP)


class StopSignal:
    """Notes what asks for a stop, so that the loop can save and leave.

    Of several processes all stop after the same step: SIGTERM is then JAX's, which
    tells the others, and SIGINT is passed on as one.
    """

    def __init__(self) -> None:
        """Starts listening; a second SIGINT interrupts at once."""
        self.received: str | None = None
        self._alone, self._before = hosts.alone(), {}
        for number in stop_signals() if self._alone else (signal.SIGINT,):
            try:
                self._before[number] = signal.signal(number, self._note)
            except ValueError:
                # Only the main thread may listen; elsewhere the caller stops us.
                return

    def after(self, step: int) -> str | None:
        """Returns what asks to stop after this step, which every process agrees on.

        Call it once after each step, and no later step before it returns.
        """
        if self._alone:
            return self.received
        # It must be called after every step, whatever was received here.
        if not multihost_utils.reached_preemption_sync_point(step):
            return None
        return self.received or "SIGTERM"

    def _note(self, number: int, frame: FrameType | None) -> None:
        del frame
        if self.received is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.received = signal.Signals(number).name
        if not self._alone:
            os.kill(os.getpid(), signal.SIGTERM)

    def close(self) -> None:
        """Gives the signals back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
