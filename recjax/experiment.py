"""What is learned (Experiment) and where it runs (Runtime): two frozen trees.

An experiment file is a program: `experiments/x.py` defines `experiment()`, which
returns a tree of real objects, and `tiny()`, its twin for continuous integration.
`configs/y.py` defines `runtime()`. Neither knows of the other. A file may import others
that lie beside it.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, TypeVar

from recjax import settings, written
from recjax.errors import UserError, nearest
from recjax.execution import Activations, Execution
from recjax.losses import Loss
from recjax.models import Model
from recjax.optim import Optimizer
from recjax.pretrained.warm_start import Bert
from recjax.python_file import running
from recjax.rehearse import rehearse
from recjax.sharding.dense import SPLIT, Rules
from recjax.sharding.mesh import AXES
from recjax.shown import Shown

T = TypeVar("T")


@dataclass(frozen=True)
class Experiment:
    """Everything that decides what a run learns.

    Attributes:
      name: short name, used in tables.
      seed: the only source of randomness.
      steps: optimizer steps.
      data: knows how to open the data set (`recjax.data.dataset.Source`).
      model: the model.
      losses: name -> loss; the total is their weighted sum.
      optimizer: rules by parameter path.
      warm_start: path of an encoder among the model's parameters -> where its starting
        values come from; everything else starts at random.
      evals: name -> evaluation (`recjax.evals.evaluation.Evaluation`).
      best: metric that decides which checkpoint is best, as "eval/metric"; larger is
        better. None keeps the newest only.
      export: how to write a bundle; None for experiments that export nothing.
    """

    name: str
    seed: int
    steps: int
    data: Any
    model: Model
    losses: Mapping[str, Loss]
    optimizer: Optimizer
    warm_start: Mapping[str, Bert] = field(default_factory=dict)
    evals: Mapping[str, Any] = field(default_factory=dict)
    best: str | None = None
    export: Any = None

    def __post_init__(self) -> None:
        """Checks what needs no data.

        Raises:
          ValueError: a number of steps below 0, or nothing to learn from.
        """
        if self.steps < 0:
            raise ValueError(f"steps = {self.steps}: must be at least 0")
        if not self.losses:
            raise ValueError("losses is empty: there is nothing to learn from")

    def replace(self, path: str, value: Any) -> Experiment:
        """Returns the experiment with one setting replaced.

        Args:
          path: of the setting, such as "model.query.width".
          value: its new value.

        Raises:
          UserError: there is no such setting, or the value is of another kind.

        Example:
          >>> wide = experiment.replace("model.query.width", 128)  # doctest: +SKIP
        """
        return settings.replaced(self, path, value)

    def check(self) -> Shown:
        """Returns what a step is made of, if data, model and losses fit.

        It takes a few seconds: shapes are followed, nothing is compiled.

        Raises:
          UserError: the data is not prepared, or the parts do not fit.
        """
        parts = (self.data, self.seed, self.model, self.losses, self.optimizer)
        return rehearse(*parts)

    def __repr__(self) -> str:
        """Returns the Python that builds it, without what has its default."""
        return written.expression(self)

    def _repr_html_(self) -> str:
        title = html.escape(f"{self.name}: {self.steps:,} steps, seed {self.seed}")
        text = html.escape(repr(self))
        return f"<details><summary>{title}</summary><pre>{text}</pre></details>"


@dataclass(frozen=True)
class Runtime:
    """Everything that decides where and how a run runs.

    Attributes:
      mesh: axis name -> number of devices; one -1 takes all that are left. The axes
        `data` and `fsdp` split the batch, `fsdp` dense parameters and their optimizer
        state too, and tables are split over all axes, also over `model`. Where there
        are several slices or hosts, the first axis that they divide runs over them.
      dense: pattern of the paths of dense parameters -> "split" over `fsdp`, or "whole"
        on each device; the first that matches decides, and each must be covered.
      log_every: steps between log lines. The loop waits for the device only there.
      checkpoint_every: steps between checkpoints.
      keep: newest checkpoints kept, beside the best one.
      prefetch: batches made ahead of the step.
      threads: host threads that make batches.
      matmul_precision: XLA's matmul precision ("default", "high", "highest").
      micro_batches: parts in which a network goes over the rows of a batch, one after
        the other. Losses compare the rows of the whole batch as before, and the
        gradient is that of the whole batch; dropout is drawn anew.
      remat: on the way back, compute anew what is inside a network's blocks: layers,
        convolutions.
      softmax_rows: rows whose logits a softmax over the batch holds at a time; 0 for
        all.
      activations: type of what layers give in training; parameters, tables, sums and
        losses stay float32.
      join_s: seconds that the processes of a run wait for each other at the start.
      heartbeat_s: seconds without a sign after which a process counts as dead.
      shutdown_s: seconds that they wait for each other at a good end.
      stall_s: seconds without a step after which a run of several processes is
        stopped; 0 takes ten times the median step, and at least two minutes.
    """

    mesh: Mapping[str, int] = field(default_factory=lambda: {"data": -1})
    dense: Rules = field(default_factory=lambda: dict(SPLIT))
    log_every: int = 50
    checkpoint_every: int = 1_000
    keep: int = 2
    prefetch: int = 4
    threads: int = 1
    matmul_precision: Literal["default", "high", "highest"] = "default"
    micro_batches: int = 1
    remat: bool = False
    softmax_rows: int = 0
    activations: Activations = "float32"
    join_s: int = 300
    heartbeat_s: int = 30
    shutdown_s: int = 30
    stall_s: int = 0

    def __post_init__(self) -> None:
        """Checks what needs no devices.

        Raises:
          ValueError: a mesh without the axis `data` or with an axis of another name,
            or a number that is too small.
        """
        if "data" not in self.mesh:
            raise ValueError(f"mesh {dict(self.mesh)} has no axis 'data'")
        if other := [axis for axis in self.mesh if axis not in AXES]:
            raise ValueError(
                f"mesh has an axis {other[0]!r}; there are {', '.join(AXES)}"
            )
        for name, least in _LEAST.items():
            if getattr(self, name) < least:
                value = getattr(self, name)
                raise ValueError(f"{name} = {value}: must be at least {least}")

    @property
    def execution(self) -> Execution:
        """How a step computes."""
        names = (one.name for one in fields(Execution))
        return Execution(**{name: getattr(self, name) for name in names})


_LEAST = {
    **{"log_every": 1, "checkpoint_every": 1, "keep": 1, "prefetch": 0, "threads": 0},
    **{"micro_batches": 1, "softmax_rows": 0},
    **{"join_s": 1, "heartbeat_s": 1, "shutdown_s": 1, "stall_s": 0},
}


def load_experiment(path: str, tiny: bool = False, variant: str = "") -> Experiment:
    """Runs an experiment file and returns its experiment.

    Args:
      path: a Python file that defines `experiment()`.
      tiny: take `tiny()` instead.
      variant: take what `sweep()` makes of it under this name.

    Raises:
      UserError: no such file, it fails, no such function, no such variant, or it
        returns something else.
    """
    if not variant:
        with running(Path(path), "experiments") as module:
            return _base(path, module, tiny)
    variants = load_sweep(path, tiny)
    if variant not in variants:
        known = ", ".join(variants) or "none: it defines no sweep()"
        raise UserError(
            f"{path}: there is no variant {variant!r}; there are {known}."
            + nearest(variant, variants)
        )
    return variants[variant]


def load_sweep(path: str, tiny: bool = False) -> dict[str, Experiment]:
    """Returns the variants of an experiment file, {} where it defines no `sweep()`.

    Args:
      path: a Python file; its `sweep(base)` returns name -> variant, the first of
        which is what the others are compared with.
      tiny: the base is `tiny()` instead of `experiment()`.

    Raises:
      UserError: as `load_experiment`.
    """
    with running(Path(path), "experiments") as module:
        base = _base(path, module, tiny)
        variants = module.sweep(base) if hasattr(module, "sweep") else None
    if variants is None and not hasattr(module, "sweep"):
        return {}
    named = isinstance(variants, Mapping) and all(
        isinstance(name, str) and name and isinstance(one, Experiment)
        for name, one in variants.items()
    )
    if not named or not variants:
        raise UserError(f"{path}: sweep() must return a mapping: name -> Experiment")
    return dict(variants)


def load_runtime(path: str) -> Runtime:
    """Runs a config file and returns its runtime.

    Args:
      path: a Python file that defines `runtime()`; "" takes all devices of this
        process, the batch split over them.

    Raises:
      UserError: no such file, it fails, no such function, or it returns something else.
    """
    if not path:
        return Runtime(checkpoint_every=500)
    with running(Path(path), "configs") as module:
        return _call(path, module, "runtime", Runtime)


def _base(path: str, module: ModuleType, tiny: bool) -> Experiment:
    return _call(path, module, "tiny" if tiny else "experiment", Experiment)


def _call(path: str, module: ModuleType, function: str, kind: type[T]) -> T:
    if not hasattr(module, function):
        raise UserError(
            f"{path} defines no function {function}()."
            + nearest(function, [n for n in vars(module) if not n.startswith("_")])
        )
    got = getattr(module, function)()
    if not isinstance(got, kind):
        raise UserError(
            f"{path}: {function}() returned {type(got).__name__}, "
            f"expected {kind.__name__}"
        )
    return got
