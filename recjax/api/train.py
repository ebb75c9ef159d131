"""Training from Python: an experiment -> a run."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path

from recjax import runs
from recjax.api import arguments
from recjax.api.logs import told
from recjax.api.run import Run
from recjax.errors import UserError
from recjax.experiment import Experiment, Runtime
from recjax.train.checkpoint import newest_step
from recjax.train.request import Request

log = logging.getLogger(__name__)
LINES = 20
"""Log lines of a run, at least."""


def train(
    experiment: Experiment | str | Path,
    workdir: str | Path | None = None,
    *,
    runtime: Runtime | None = None,
    start: Run | str | Path | None = None,
) -> Run:
    """Trains an experiment, evaluates it, and returns the run.

    Called again with the same experiment and workdir it goes on where it stopped; a
    changed experiment is refused there.

    Args:
      experiment: what to learn, or the file that says it.
      workdir: the run folder; None: a temporary one, which is told.
      runtime: where and how it runs; None: on all devices.
      start: a run to start from, whose data has been extended since.

    Returns:
      The run, also where an interrupt stopped it: see `Run.finished`.

    Raises:
      UserError: an argument is wrong, or the workdir holds another run.

    Example:
      >>> run = rj.train(rj.templates.two_tower(shop), "runs/shop")  # doctest: +SKIP
    """
    with told(), arguments.in_python():
        request = _request(experiment, runtime, start)
        if workdir is None:
            folder = Path(tempfile.mkdtemp(prefix="recjax_run_"))
            log.info("run folder: %s", folder)
        else:
            folder = arguments.path("workdir", workdir)
        finished = None
        try:
            finished = runs.train_run(request, folder)
        except KeyboardInterrupt:
            if newest_step(folder / "checkpoints") < 0:
                raise
        made, where = request.experiment, request.runtime
        assert isinstance(where, Runtime)
        given = made if isinstance(made, Experiment) else None
        return Run(folder, given, where, finished)


def _request(
    experiment: Experiment | str | Path,
    runtime: Runtime | None,
    start: Run | str | Path | None,
) -> Request:
    if isinstance(experiment, str | Path):
        experiment = str(experiment)
    elif not isinstance(experiment, Experiment):
        kind = type(experiment).__name__
        hint = ""
        if kind == "Prepared":
            hint = ": rj.templates.two_tower(data) makes one of prepared data"
        elif callable(experiment):
            hint = ": call the function that makes one"
        raise UserError(f"train: expected an Experiment, not a {kind}{hint}")
    if runtime is None:
        steps = experiment.steps if isinstance(experiment, Experiment) else 1_000
        every = max(1, min(50, steps // LINES))
        runtime = Runtime(checkpoint_every=500, log_every=every)
    elif not isinstance(runtime, Runtime):
        raise UserError(
            f"runtime: expected rj.Runtime(...), not a {type(runtime).__name__}"
        )
    folder = start.folder if isinstance(start, Run) else start
    begin = "" if folder is None else str(arguments.path("start", folder))
    return Request(experiment, runtime, start=begin)
