"""How far a training is: a bar in a terminal, a line in a notebook, else log lines."""

from __future__ import annotations

import logging
import math
import sys
import time
from collections.abc import Callable, Mapping

from recjax.launch import hosts
from recjax.shown import Shown

log = logging.getLogger(__name__)


class Progress:
    """Tells step, loss, speed, negatives, the validation's figure and the time left."""

    def __init__(self, start: int, steps: int, best: str | None = None) -> None:
        """Starts at step `start` of `steps`; `best` is a figure of the validation."""
        self._steps, self._start, self._best = steps, start, best
        self._began, self._told = time.perf_counter(), {}
        self._bar, self._line, self._measured = None, None, ""
        if not hosts.first() or start >= steps:
            return
        self._line = _notebook_line()
        if self._line is not None:
            self._line(f"step {start}/{steps}: compiling the step")
        elif sys.stderr.isatty():
            from tqdm import tqdm

            self._bar = tqdm(total=steps, initial=start, unit="step")

    def advance(self) -> None:
        """Counts one step."""
        if self._bar is not None:
            self._bar.update()

    def evaluated(self, done: int, figures: Mapping[str, float]) -> None:
        """Shows the best metric, where it is among what was measured after a step."""
        if self._best is None or self._best not in figures or not hosts.first():
            return
        self._measured = f"{self._best} {figures[self._best]:.4f}"
        if self._bar is None and self._line is None:
            log.info("step %d/%d: %s", done, self._steps, self._measured)
        self._measured += f" at step {done}"

    def show(self, done: int, figures: Mapping[str, float]) -> None:
        """Shows figures of step `done`, and the time that is left."""
        self._tell_negatives(figures)
        loss, speed = figures["loss"], figures["examples_per_s"]
        text = f"loss {loss:.4f}, {speed:.0f} examples/s"
        # What is rewritten goes on showing it; of lines, the step's own says it.
        kept = f"{text}, {self._measured}" if self._measured else text
        if self._bar is not None:
            self._bar.set_postfix_str(kept)
            return
        text = text if self._line is None else kept
        each = (time.perf_counter() - self._began) / max(done - self._start, 1)
        left = each * (self._steps - done)
        text = f"step {done}/{self._steps}: {text}, {left:.0f} s left"
        if self._line is None:
            log.info("%s", text)
        else:
            told = ", ".join(f"{n} {v:.0f} negatives" for n, v in self._told.items())
            self._line(f"{text}; {told}" if told else text)

    def _tell_negatives(self, figures: Mapping[str, float]) -> None:
        """Logs how many negatives each loss has: at first, and when a tenth changes."""
        counts = {
            name.removesuffix("/negatives"): value
            for name, value in figures.items()
            if name.endswith("/negatives")
        }
        if any(
            not math.isclose(count, self._told.get(name, -1.0), rel_tol=0.1)
            for name, count in counts.items()
        ):
            told = ", ".join(f"{name} {count:.0f}" for name, count in counts.items())
            if self._line is None:
                log.info("negatives of an example: %s", told)
            self._told = counts

    def close(self) -> None:
        """Ends the bar."""
        if self._bar is not None:
            self._bar.close()


def _notebook_line() -> Callable[[str], None] | None:
    """Returns what rewrites a line of the cell that runs; None outside notebooks."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    if ipython is None or not hasattr(shell, "kernel"):
        return None
    line = ipython.display.display(Shown(""), display_id=True)
    return lambda text: line.update(Shown(text))
