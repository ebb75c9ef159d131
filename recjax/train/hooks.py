"""What happens beside the steps: speed, profile, the best state."""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Mapping
from pathlib import Path

import jax
import numpy as np

from recjax import disk
from recjax.data.pipeline import HostBatch
from recjax.launch import hosts
from recjax.train.checkpoint import Checkpoints
from recjax.train.state import State

log = logging.getLogger(__name__)


class Meter:
    """Measures examples a second and the share of time spent waiting for data."""

    def __init__(self, parts: int = 1) -> None:
        """Starts the clock; a batch counts for the `parts` that hosts make of it."""
        self._parts = parts
        self.restart()

    def restart(self) -> None:
        """Forgets what was measured, after something that is no training."""
        self._began, self._wait, self._examples = time.perf_counter(), 0.0, 0

    def count(self, batch: HostBatch, seconds: float) -> None:
        """Counts a batch's examples, and the seconds that were waited for it."""
        self._wait += seconds
        self._examples += _examples(batch) * self._parts

    def read(self) -> dict[str, float]:
        """Returns the figures since the last reading and starts anew."""
        seconds = time.perf_counter() - self._began
        figures = {
            "examples_per_s": self._examples / max(seconds, 1e-9),
            "input_wait_share": self._wait / max(seconds, 1e-9),
        }
        self.restart()
        return figures


def _examples(batch: HostBatch) -> int:
    """Returns how many examples a batch holds: those of a weight, or all its rows."""
    leaves = jax.tree_util.tree_leaves_with_path(batch)
    weights = [leaf for path, leaf in leaves if path[-1].key == "weight"]
    rows = sum(map(np.count_nonzero, weights)) if weights else leaves[0][1].shape[0]
    return int(rows)


class Profiler:
    """Writes a profiler trace of a few steps, past the compilation."""

    def __init__(self, folder: Path | None, skip: int = 5, steps: int = 10) -> None:
        """Traces `steps` steps after `skip` into `folder`; None traces nothing."""
        self._folder, self._skip, self._steps = folder, skip, steps
        self._seen, self._running = 0, False

    def after(self, done: int) -> None:
        """Counts a step, and starts or ends the trace."""
        del done
        if self._folder is None:
            return
        self._seen += 1
        if self._seen == self._skip:
            jax.profiler.start_trace(str(self._folder))
            self._running = True
        elif self._seen == self._skip + self._steps:
            self.close()

    def close(self) -> None:
        """Ends the trace."""
        if self._running:
            jax.profiler.stop_trace()
            self._running = False
            log.info("profile written to %s (view it in TensorBoard)", self._folder)


class Best:
    """Keeps the state with the best value of one metric in `best/`."""

    def __init__(self, metric: str | None, workdir: Path, start: int) -> None:
        """Goes on from the best of an earlier attempt, if that was by step `start`."""
        self._metric, self._folder = metric, workdir / "best"
        self._note = workdir / "best.json"
        self._value = -math.inf
        self._checkpoints: Checkpoints | None = None
        if metric is not None and self._note.exists():
            kinds = {"metric": str, "step": int, "value": (int, float)}
            before = disk.read_json(
                self._note, "remove it and best/ beside it", **kinds
            )
            if before["metric"] == metric and before["step"] <= start:
                self._value = before["value"]

    def consider(self, step: int, figures: Mapping[str, float], state: State) -> None:
        """Saves the state where the metric is better than ever before."""
        if self._metric is None or self._metric not in figures:
            return
        value = figures[self._metric]
        # All processes save, or none: they must not differ in a last digit.
        if hosts.from_first("best", str(value > self._value)) == "False":
            return
        self._value = value
        if self._checkpoints is None:
            self._checkpoints = Checkpoints(self._folder, keep=1)
        for stale in self._checkpoints.steps():
            if stale >= step:
                self._checkpoints.delete(stale)
        self._checkpoints.save(step, state)
        self._checkpoints.settle(wait=True)
        note = {"metric": self._metric, "step": step, "value": value}
        if hosts.first():
            with disk.writing("the run folder", self._note.parent, disk.GO_ON):
                disk.write_text(self._note, json.dumps(note) + "\n")

    def close(self) -> None:
        """Waits for what is being written."""
        if self._checkpoints is not None:
            self._checkpoints.close()
