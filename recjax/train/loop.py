"""The training loop: one readable function."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import jax
from jax.sharding import set_mesh

from recjax.sharding.placement import host_part, put_batch
from recjax.train.checkpoint import Checkpoints
from recjax.train.earlier import begin
from recjax.train.goodput import Spent
from recjax.train.hooks import Best, Meter, Profiler
from recjax.train.nan_check import check
from recjax.train.program import Program
from recjax.train.progress import Progress
from recjax.train.state import State
from recjax.train.step import StepReport
from recjax.train.stop_signal import StopSignal
from recjax.train.watchdog import Watchdog
from recjax.train.writer import Writer

log = logging.getLogger(__name__)

Evaluate = Callable[[State, int], Mapping[str, float]]
"""(state, steps done) -> the figures due at that step, {} for most."""


@dataclass(frozen=True)
class Trained:
    """How a call of `train` ended.

    Attributes:
      state: the last state.
      start: steps that were done before.
      finished: all steps are done; False where a signal asked for a stop.
      figures: the newest figures by name.
    """

    state: State
    start: int
    finished: bool
    figures: Mapping[str, float]


def train(
    program: Program, workdir: Path, evaluate: Evaluate, profile: Profiler | None = None
) -> Trained:
    """Trains from the newest checkpoint of a run folder, or from nothing, to the end.

    The loop waits for the device only where figures are read: at log steps, before
    evaluations and checkpoints, and at the end.

    Args:
      program: the opened experiment.
      workdir: the run folder.
      evaluate: called after each step; returns figures where an evaluation is due.
      profile: traces some steps.

    Raises:
      TrainingBroken: NaN, infinity, or more distinct table rows than there is room for.
      UserError: the disk is full, or every checkpoint is damaged.
    """
    runtime, steps = program.runtime, program.experiment.steps
    checkpoints = Checkpoints(workdir / "checkpoints", runtime.keep)
    with (
        set_mesh(program.mesh),
        closing(Spent(workdir)) as spent,
        closing(checkpoints),
        closing(StopSignal()) as stop,
    ):
        state = checkpoints.restore(program.like)
        resumed = state is not None
        state = state if resumed else begin(program)
        start = int(state.step)
        if resumed:
            log.info("going on from step %d of %d", start, steps)
        elif not steps:  # Nothing is trained: what it begins with is the model.
            checkpoints.save(0, state)
        spent.note(start, first=True)
        figures: dict[str, float] = {}
        best = Best(program.experiment.best, workdir, start)
        with (
            closing(Writer(workdir, start)) as writer,
            closing(Progress(start, steps, program.experiment.best)) as progress,
            closing(best),
            closing(profile or Profiler(None)) as profile,
            closing(Watchdog(runtime.stall_s)) as watchdog,
        ):
            own = program.batches(start)
            batches = watchdog.together(own, start, steps, runtime.prefetch)
            step_fn = program.step()
            meter, pending = Meter(host_part(program.mesh)[1]), []
            for done in range(start + 1, steps + 1):
                watchdog.at("data", done)
                spent.at("data")
                began = time.perf_counter()
                host = next(batches)
                batch = put_batch(host, program.mesh)
                meter.count(host, time.perf_counter() - began)
                watchdog.at("step", done)
                spent.at("compile" if done == start + 1 else "productive")
                state, report = step_fn(state, batch)
                spent.at("productive")
                pending.append((done, report))
                profile.after(done)
                # Read once: a signal later in this step is the next step's.
                asked = stop.after(done)
                last = done == steps or asked is not None
                saves = last or done % runtime.checkpoint_every == 0
                if saves or done % runtime.log_every == 0:
                    read = _read(pending, meter)
                    figures |= read
                    writer.write(done, read)
                    progress.show(done, read)
                    checkpoints.settle()
                    spent.note(done)
                watchdog.at("evaluate", done)
                spent.at("evaluate")
                due = evaluate(state, done)
                spent.at("productive")
                if due:
                    _read(pending, meter)
                    figures |= due
                    progress.evaluated(done, due)
                    writer.write(done, due)
                    spent.at("checkpoint")
                    best.consider(done, due, state)
                    meter.restart()
                if saves:
                    watchdog.at("save", done)
                    _read(pending, meter)
                    spent.at("checkpoint")
                    checkpoints.save(done, state)
                if asked is not None:
                    log.warning(
                        "%s: saved step %d, run the same command to go on", asked, done
                    )
                    break
                progress.advance()
            spent.at("checkpoint")
            checkpoints.settle(wait=True)
            spent.note(int(state.step))
    return Trained(state, start, int(state.step) >= steps, figures)


def _read(pending: list[tuple[int, StepReport]], meter: Meter) -> dict[str, float]:
    """Waits for the steps since the last read and returns their means."""
    if not pending:
        return {}
    reports = [
        (step, report)
        for step, report in zip(
            [step for step, _ in pending],
            jax.device_get([report for _, report in pending]),
            strict=True,
        )
    ]
    pending.clear()
    for step, report in reports:
        check(step, report)
    totals: dict[str, tuple[float, float]] = {}
    for _, report in reports:
        for name, (total, weight) in report.means.items():
            before = totals.get(name, (0.0, 0.0))
            totals[name] = (before[0] + float(total), before[1] + float(weight))
    means = {name: t / max(w, 1e-12) for name, (t, w) in totals.items()}
    values = {name: float(value) for name, value in reports[-1][1].values.items()}
    return {**means, **values, **meter.read()}
