"""What the commands train, eval and export do with a run folder."""

from __future__ import annotations

import contextlib
import json
import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import jax

from recjax import disk
from recjax.data.identity import stamp
from recjax.errors import UserError
from recjax.evals import finished, results, run_evaluations
from recjax.evals.evaluation import Evaluated, check_evals
from recjax.evals.finished import Finished
from recjax.evals.reports.run_report import report_run
from recjax.launch import hosts
from recjax.seconds import DAY
from recjax.train import data_record
from recjax.train.checkpoint import newest_step
from recjax.train.hooks import Profiler
from recjax.train.loop import train
from recjax.train.memory import keep_compiled, keep_freed_memory
from recjax.train.nan_check import TrainingBroken
from recjax.train.program import Program, open_program
from recjax.train.request import Request, join_all
from recjax.train.run_folder import begun, request_of
from recjax.train.state import State

if TYPE_CHECKING:  # Polars is for those who read a file.
    from recjax.evals.triplet_scorers import TripletScorer
    from recjax.tables.result import Options

log = logging.getLogger(__name__)
WATCH_SECONDS, WEEK = 5, 7 * DAY


def train_run(
    request: Request | str,
    workdir: Path | str,
    profile: bool = False,
    debug: str = "no",
    hosts_from: Literal["", "auto"] = "",
) -> Finished | None:
    """Trains, evaluates, and writes `result.json`.

    Args:
      request: what the user asked for, or an experiment file.
      workdir: the run folder.
      profile: trace some steps.
      debug: "nans" or "nojit".
      hosts_from: "auto" asks the cluster for the other processes of this run; see
        `recjax.launch.join`.

    Returns:
      What was found when all steps were done; None where a signal asked for a stop.

    Raises:
      UserError: bad input.
    """
    keep_freed_memory()  # Too late once JAX has started its threads.
    keep_compiled()
    request = Request(request) if isinstance(request, str) else request
    join_all(request, hosts_from)
    with begun(Path(workdir), request):
        return _train(request, Path(workdir), profile, debug)


def _train(
    request: Request, workdir: Path, profile: bool, debug: str
) -> Finished | None:
    earlier = Path(request.start) if request.start else None
    experiment, runtime = request.resolve()
    data = stamp(experiment.data)
    program = open_program(experiment, runtime, earlier)
    data_record.checked_or_written(workdir, program)
    check_evals(program)
    for name, value in program.dataset.facts().items():
        log.info("%s: %s", name, value)
    wall, cpu = time.perf_counter(), time.process_time()
    with _debugging(debug):
        try:
            trained = train(
                program,
                workdir,
                # Steps are what --debug nojit is for; evaluations would take minutes.
                jax.disable_jit(False)(run_evaluations.during_training(program)),
                Profiler(workdir / "profile" if profile else None),
            )
        except TrainingBroken as error:
            raise UserError(str(error)) from error
    seconds = {
        "wall_s": time.perf_counter() - wall,
        "cpu_s": time.process_time() - cpu,
        "steps": int(trained.state.step) - trained.start,
    }
    if not trained.finished:
        return None
    known = None if seconds["steps"] else finished.before(workdir, program, data)
    return known or finished.evaluate(workdir, program, trained, seconds, data)


def eval_run(
    run: Path,
    watch: bool = False,
    best: bool = False,
    hosts_from: Literal["", "auto"] = "",
) -> None:
    """Evaluates a trained run.

    Args:
      run: the run folder.
      watch: evaluate each new checkpoint as it appears, until interrupted.
      best: evaluate the best checkpoint.
      hosts_from: as of `train_run`.
    """
    keep_compiled()
    join_all(request_of(run), hosts_from)
    program = _opened(run)
    step, known = -1, dict[str, Evaluated]()
    while not watch or _newer_comes(run, best, step, program):
        state = program.restore(_folder(run, best, program))
        found = run_evaluations.run_all(program, state, done=known)
        known = run_evaluations.untrained(program, found)
        step = int(state.step)
        if hosts.first():
            told = results.told(found, program.experiment.evals, finished.where(run))
            print(f"step {step}\n{told}", flush=True)
            _note(run, program, step, found)
        if not watch:
            return


def _note(
    run: Path, program: Program, step: int, found: Mapping[str, Evaluated]
) -> None:
    """Writes what an evaluation found, where the run folder may be written."""
    text = json.dumps({"step": step, **results.figures_of(found)}, indent=2)
    try:
        with disk.writing("the run folder", run, "free space and run it again"):
            disk.write_text(run / "eval.json", text + "\n")
        report_run(run, program, found, step)
    except UserError as error:
        log.warning("nothing was written: %s", error)


def write_report(run: Path, program: Program, state: State) -> None:
    """Evaluates an opened run, and writes its report.

    Raises:
      UserError: the run folder cannot be written.
    """
    found = run_evaluations.run_all(program, state)
    report_run(run, program, found, int(state.step))


def eval_triplets(
    run: Path,
    triplets: Path,
    images: Path,
    pools: Path | None = None,
    k: int = 30,
    best: bool = False,
    options: Options | None = None,
    beside: Sequence[str] = (),
) -> None:
    """Prints how a run, or what was exported of it, does on judged triplets of images.

    Args:
      run: the run folder, or a bundle of an image model.
      triplets: table of query_image, positive_image, negative_image[, text_query].
      images: folder of the images.
      pools: table of text_query and image, for score-at-top-K.
      k: `K` of it.
      best: take the best checkpoint.
      options: how the tables are read.
      beside: what else judges them: "lab", "hog", "handcrafted"; "imagenet",
        "imagenet1" or "imagenet2" (EfficientNet-Lite0, 1 and 2), also several joined,
        as in "imagenet+imagenet2"; or the folder of another run or bundle.
    """
    from recjax.evals import triplet_file
    from recjax.evals.triplet_scorers import fixed
    from recjax.pretrained.efficientnet import ImageNet

    weights = {"imagenet": ImageNet(), **{f"imagenet{n}": ImageNet(n) for n in (1, 2)}}
    scorers = {str(run): _triplet_scorer(run, best)}
    for name in beside:
        if name in scorers:
            raise UserError(f"--beside {name}: it is there already, name it once")
        scorers[name] = fixed(name, weights) or _triplet_scorer(Path(name), best)
    print(triplet_file.evaluate_triplets(scorers, triplets, images, pools, k, options))


def _triplet_scorer(run: Path, best: bool) -> TripletScorer:
    from recjax.bundle.manifest import NAME
    from recjax.bundle.open import open_bundle
    from recjax.evals.triplet_scorers import ByModel, RunImageEmbedder

    if (run / NAME).is_file():
        return ByModel(open_bundle(run).images)
    return ByModel(RunImageEmbedder(*open_run(run, best)))


def open_run(run: Path, best: bool = False) -> tuple[Program, State]:
    """Opens a run folder: its experiment on its devices, and the newest state.

    Raises:
      UserError: the folder holds no run, or no good checkpoint.
    """
    program = _opened(run)
    return program, program.restore(_folder(run, best, program))


def _opened(run: Path) -> Program:
    """Opens the experiment of a run, on the data that it was trained on."""
    program = open_program(*request_of(run).resolve())
    told = (run / data_record.NAME).exists()
    if told or newest_step(run / "checkpoints") >= 0:  # Else there is no state.
        data_record.check(run, program)
    return program


def _folder(run: Path, best: bool, program: Program) -> Path:
    if best and program.experiment.best is None:
        raise UserError(
            f"{run} has no best checkpoint: its experiment names no best metric"
        )
    return run / ("best" if best else "checkpoints")


def _newer_comes(run: Path, best: bool, step: int, program: Program) -> bool:
    """Waits for a checkpoint after `step`; False where training ends without one."""
    comes = hosts.first() and _comes(run, best, step, program)
    return hosts.from_first("newer checkpoint", str(comes), WEEK) == "True"


def _comes(run: Path, best: bool, step: int, program: Program) -> bool:
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
