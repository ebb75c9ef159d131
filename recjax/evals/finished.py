"""The end of a training: its evaluations, printed and written, or known already."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from recjax import settings
from recjax.evals import measured, results, run_evaluations
from recjax.evals.evaluation import Evaluated
from recjax.evals.fusion import Choice
from recjax.evals.fusion_choice import choices
from recjax.evals.measured import Now
from recjax.evals.reports.run_page import PAGE
from recjax.evals.reports.run_report import report_run
from recjax.launch import hosts
from recjax.train.goodput import goodput
from recjax.train.loop import Trained
from recjax.train.program import Program
from recjax.train.run_folder import environment, write_result

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Finished:
    """What the end of a training found, for those that ask for it again.

    Attributes:
      now: the state that was evaluated, and what it was evaluated on.
      found: evaluation -> what it found.
      choices: what was chosen for fusions.
    """

    now: Now
    found: Mapping[str, Evaluated]
    choices: Sequence[Choice] = ()


def before(workdir: Path, program: Program, data: tuple[int, ...]) -> Finished | None:
    """Returns what an earlier attempt measured of the same, and prints it.

    Args:
      workdir: the run folder.
      program: the experiment, whose steps are done.
      data: `stamp` of its data.
    """
    if not hosts.alone() or not (workdir / PAGE).exists():
        return None
    experiment = program.experiment
    step, runtime = experiment.steps, program.runtime
    key = measured.key_of(workdir, experiment, runtime, step, data)
    found = measured.read(workdir, key)
    if not found:
        return None
    log.info("it is evaluated already, see below; `recjax eval` measures anew")
    print(results.told(found, experiment.evals, where(workdir)))
    return Finished(Now.of(workdir, step, data), found)


def evaluate(
    workdir: Path,
    program: Program,
    trained: Trained,
    seconds: Mapping[str, float],
    data: tuple[int, ...],
) -> Finished:
    """Evaluates a trained state; prints and writes what was found.

    Args:
      workdir: the run folder.
      program: the experiment.
      trained: the state, and the figures of its last step.
      seconds: "wall_s", "cpu_s" and "steps" of this attempt.
      data: `stamp` of its data.
    """
    began, step = time.perf_counter(), int(trained.state.step)
    found = run_evaluations.run_all(program, trained.state, trained.figures)
    spent = goodput(workdir, time.perf_counter() - began)
    finished = Finished(Now.of(workdir, step, data), found, choices(program))
    if not hosts.first():
        return finished
    write_result(
        workdir,
        {
            "name": program.experiment.name,
            "seed": program.experiment.seed,
            "settings": settings.to_text(program.experiment).splitlines(),
            **results.figures_of(found),
            "environment": environment(),
            "goodput": spent,
            **({"training": seconds} if seconds["steps"] else {}),
        },
    )
    print(results.told(found, program.experiment.evals, where(workdir)))
    report_run(workdir, program, found, step)
    made, runtime = program.experiment, program.runtime
    if key := measured.key_of(workdir, made, runtime, step, data):
        measured.write(workdir, key, found)
    return finished


def where(run: Path) -> str:
    """Returns what holds the metrics that have no room in a table."""
    return str(run / PAGE)
