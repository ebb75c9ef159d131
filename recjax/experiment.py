"""What is learned (Experiment) and where it runs (Runtime): two frozen trees.

An experiment file is a program: `experiments/x.py` defines `experiment()`, which
returns a tree of real objects, and `tiny()`, its twin for continuous integration.
`configs/y.py` defines `runtime()`. Neither knows of the other.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from recjax.errors import UserError, nearest
from recjax.losses import Loss
from recjax.models import Model
from recjax.optim import Optimizer


@dataclass(frozen=True)
class Experiment:
    """Everything that decides what a run learns.

    Attributes:
      name: short name, used in tables.
      seed: the only source of randomness.
      steps: optimizer steps.
      data: knows how to open the data set (`recjax.data.dataset.Source`).
      model: the model.
      losses: name -> loss; the total is their sum by share.
      optimizer: rules by parameter path.
      evals: name -> evaluation (`recjax.evals.base.Evaluation`).
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
    evals: Mapping[str, Any] = field(default_factory=dict)
    best: str | None = None
    export: Any = None


@dataclass(frozen=True)
class Runtime:
    """Everything that decides where and how a run runs.

    Attributes:
      mesh: axis name -> number of devices; one -1 takes all that are left. The axis
        `data` splits the batch; tables are split over all axes.
      log_every: steps between log lines. The loop waits for the device only there.
      checkpoint_every: steps between checkpoints.
      keep: newest checkpoints kept, beside the best one.
      prefetch: batches made ahead of the step.
      threads: host threads that make batches.
      matmul_precision: XLA's matmul precision ("default", "high", "highest").
    """

    mesh: Mapping[str, int] = field(default_factory=lambda: {"data": -1})
    log_every: int = 50
    checkpoint_every: int = 1_000
    keep: int = 2
    prefetch: int = 4
    threads: int = 1
    matmul_precision: str = "default"


def load_experiment(path: str, tiny: bool = False) -> Experiment:
    """Runs an experiment file and returns its experiment.

    Args:
      path: a Python file that defines `experiment()`.
      tiny: take `tiny()` instead.

    Raises:
      UserError: no such file, no such function, or it returns something else.
    """
    return _call(path, "tiny" if tiny else "experiment", Experiment, "experiments")


def load_runtime(path: str) -> Runtime:
    """Runs a config file and returns its runtime.

    Args:
      path: a Python file that defines `runtime()`.

    Raises:
      UserError: no such file, no such function, or it returns something else.
    """
    return _call(path, "runtime", Runtime, "configs")


def _call(path: str, function: str, kind: type, folder: str) -> Any:
    module = _import_file(Path(path), folder)
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


def _import_file(path: Path, folder: str) -> ModuleType:
    if not path.is_file():
        beside = path.parent if path.parent.is_dir() else Path(folder)
        options = [str(p) for p in sorted(beside.glob("*.py"))]
        raise UserError(f"no such file: {path}.{nearest(str(path), options)}")
    spec = importlib.util.spec_from_file_location(f"{folder}_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise UserError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{path} failed: {type(error).__name__}: {error}") from error
    return module
