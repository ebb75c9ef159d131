"""What a user asks to be trained: files, overrides, variant."""

from __future__ import annotations

from dataclasses import dataclass

from recjax import settings
from recjax.data.splits import SPLITS
from recjax.errors import UserError, nearest
from recjax.experiment import Experiment, Runtime, load_experiment, load_runtime
from recjax.launch.join import join


@dataclass(frozen=True)
class Request:
    """What a user asked for.

    Attributes:
      experiment: path of the experiment file, or an experiment made in memory.
      runtime: path of the config file, or a runtime; "" takes the built-in one.
      tiny: the experiment's small twin.
      set: overrides of the experiment, "path=value".
      set_runtime: overrides of the runtime.
      variant: name in the experiment file's `sweep()`; "" takes the experiment itself.
      start: folder of a run to start from; "" starts at random.
    """

    experiment: str | Experiment
    runtime: str | Runtime = ""
    tiny: bool = False
    set: tuple[str, ...] = ()
    set_runtime: tuple[str, ...] = ()
    variant: str = ""
    start: str = ""

    def resolve(self) -> tuple[Experiment, Runtime]:
        """Returns the experiment and the runtime, overrides applied.

        Raises:
          UserError: a file, a path or a value is wrong.
        """
        experiment, runtime = self.experiment, self.runtime
        if isinstance(experiment, str):
            experiment = load_experiment(experiment, self.tiny, self.variant)
        if isinstance(runtime, str):
            runtime = load_runtime(runtime)
        experiment = settings.override(experiment, self.set)
        _check_evals(experiment)
        return experiment, settings.override(runtime, self.set_runtime)


def _check_evals(experiment: Experiment) -> None:
    """Finds before training what would be found at its end, or never.

    Raises:
      UserError: an evaluation of a split that does not exist, or a best metric that no
        evaluation computes.
    """
    for name, evaluation in experiment.evals.items():
        split = getattr(evaluation, "split", "test")
        if split not in SPLITS:
            raise UserError(
                f"evals.{name}.split = {split!r}: there is no such split."
                + nearest(split, SPLITS)
            )
    if experiment.best is None:
        return
    name = experiment.best.split("/")[0]
    during = [
        other
        for other, evaluation in experiment.evals.items()
        if evaluation.trained and evaluation.every
    ]
    if name not in during:
        raise UserError(
            f"best = {experiment.best!r}: no evaluation {name!r} runs in training; "
            f"those that do (every > 0): {', '.join(during) or 'none'}."
            + nearest(name, during)
            + " best=None keeps none"
        )


def join_all(request: Request, hosts_from: str) -> None:
    """Joins this process to the others of its run, where there are others.

    Raises:
      UserError: they are not found.
    """
    _, runtime = request.resolve()
    join(hosts_from, runtime.join_s, runtime.heartbeat_s, runtime.shutdown_s)
