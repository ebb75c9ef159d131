"""What the commands train, eval and export do with a run folder."""

from __future__ import annotations

import contextlib
import json
import logging
import time
from pathlib import Path

import jax

from recjax import disk
from recjax.errors import UserError
from recjax.evals import schedule
from recjax.train.checkpoint import newest_step
from recjax.train.guard import TrainingBroken
from recjax.train.hooks import Profile
from recjax.train.loop import train
from recjax.train.memory import keep_freed_memory
from recjax.train.program import Program, open_program
from recjax.train.run_folder import (
    Request,
    create,
    environment,
    request_of,
    settings_digest,
    write_result,
)
from recjax.train.state import State

log = logging.getLogger(__name__)
WATCH_SECONDS = 5


def train_run(
    request: Request, workdir: Path, profile: bool = False, debug: str = "no"
) -> None:
    """Trains, evaluates, and writes `result.json`.

    Args:
      request: what the user asked for.
      workdir: the run folder.
      profile: trace some steps.
      debug: "nans" or "nojit".

    Raises:
      UserError: bad input.
    """
    keep_freed_memory()  # Too late once JAX has started its threads.
    create(workdir, request)
    program = open_program(*request.resolve())
    for name, value in program.dataset.facts().items():
        log.info("%s: %s", name, value)
    wall, cpu = time.perf_counter(), time.process_time()
    with _debugging(debug):
        try:
            trained = train(
                program,
                workdir,
                # Steps are what --debug nojit is for; evaluations would take minutes.
                jax.disable_jit(False)(schedule.during_training(program)),
                Profile(workdir / "profile" if profile else None),
            )
        except TrainingBroken as error:
            raise UserError(str(error)) from error
    seconds = {
        "wall_s": time.perf_counter() - wall,
        "cpu_s": time.process_time() - cpu,
        "steps": int(trained.state.step) - trained.start,
    }
    if not trained.finished:
        return
    results = schedule.run_all(program, trained.state, trained.figures)
    if trained.start == program.experiment.steps:
        seconds = None
    write_result(
        workdir,
        {
            "name": program.experiment.name,
            "seed": program.experiment.seed,
            "settings": settings_digest(program.experiment),
            "results": results,
            "environment": environment(),
            **({"training": seconds} if seconds else {}),
        },
    )
    print(schedule.table(results))


def eval_run(run: Path, watch: bool = False, best: bool = False) -> None:
    """Evaluates a trained run.

    Args:
      run: the run folder.
      watch: evaluate each new checkpoint as it appears, until interrupted.
      best: evaluate the best checkpoint.
    """
    program = open_program(*request_of(run).resolve())
    step, known = -1, {}
    while not watch or _newer_comes(run, best, step, program):
        state = program.restore(_folder(run, best, program))
        results = schedule.run_all(program, state, known)
        known = schedule.untrained(program, results)
        step = int(state.step)
        text = json.dumps({"step": step, "results": results}, indent=2)
        with disk.writing("the run folder", run, "free space and run it again"):
            disk.write_text(run / "eval.json", text + "\n")
        print(f"step {step}\n{schedule.table(results)}", flush=True)
        if not watch:
            return


def export_run(run: Path, to: Path, best: bool = False) -> None:
    """Writes the bundle of a trained run and checks it.

    Args:
      run: the run folder.
      to: folder of the bundle.
      best: export the best checkpoint.
    """
    from recjax.export.bundle import write_bundle

    if to.exists():
        raise UserError(f"{to} exists; choose another folder or remove it")
    program, state = open_run(run, best)
    fix = "free space, or choose another folder with --to"
    with disk.writing("the bundle", to, fix):
        text = write_bundle(program, state, to)
    print(text)


def open_run(run: Path, best: bool = False) -> tuple[Program, State]:
    """Opens a run folder: its experiment on its devices, and the newest state.

    Raises:
      UserError: the folder holds no run, or no good checkpoint.
    """
    program = open_program(*request_of(run).resolve())
    return program, program.restore(_folder(run, best, program))


def _folder(run: Path, best: bool, program: Program) -> Path:
    if best and program.experiment.best is None:
        raise UserError(
            f"{run} has no best checkpoint: its experiment names no best metric"
        )
    return run / ("best" if best else "checkpoints")


def _newer_comes(run: Path, best: bool, step: int, program: Program) -> bool:
    """Waits for a checkpoint after `step`; False where training ends without one."""
    folder = _folder(run, best, program)
    if newest_step(folder) <= step:
        log.info("waiting for a newer checkpoint in %s", folder)
    while newest_step(folder) <= step:
        if newest_step(run / "checkpoints") >= program.experiment.steps:
            return False
        time.sleep(WATCH_SECONDS)
    return True


@contextlib.contextmanager
def _debugging(debug: str):
    with contextlib.ExitStack() as stack:
        if debug == "nans":
            stack.enter_context(jax.debug_nans(True))
        if debug == "nojit":
            stack.enter_context(jax.disable_jit())
        yield
