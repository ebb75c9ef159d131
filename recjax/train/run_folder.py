"""The folder of a run: what was asked for, so that it can be done again.

`run.json` names the files and overrides; `experiment/` and `runtime/` hold copies of
them and of what they import, so that a later edit does not change what a finished run
was; and `experiment.txt` is the resolved tree with versions, for people and for
comparison.
"""

from __future__ import annotations

import contextlib
import json
import platform
import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from recjax import disk, python_file, settings
from recjax.data.splits import SPLITS
from recjax.errors import UserError, nearest
from recjax.experiment import Experiment, Runtime, load_experiment, load_runtime
from recjax.train.checkpoint import check_folder
from recjax.train.lock import locked

PACKAGES = ("recjax", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")
FREE = (r"evals\..*", r"export.*", r"best", r"model\.tables\..*\.distinct")
"""Settings that may change between the attempts of one run: they learn nothing else."""
COPIES = ("experiment", "runtime")
OTHER = "choose another --workdir, or remove the folder to start anew"


@dataclass(frozen=True)
class Request:
    """What a user asked for.

    Attributes:
      experiment: path of the experiment file.
      runtime: path of the config file; "" takes the built-in runtime.
      tiny: the experiment's small twin.
      set: overrides of the experiment, "path=value".
      set_runtime: overrides of the runtime.
      variant: name in the experiment file's `sweep()`; "" takes the experiment itself.
    """

    experiment: str
    runtime: str = ""
    tiny: bool = False
    set: tuple[str, ...] = ()
    set_runtime: tuple[str, ...] = ()
    variant: str = ""

    def resolve(self) -> tuple[Experiment, Runtime]:
        """Returns the experiment and the runtime, overrides applied.

        Raises:
          UserError: a file, a path or a value is wrong.
        """
        experiment = load_experiment(self.experiment, self.tiny, self.variant)
        runtime = load_runtime(self.runtime)
        experiment = settings.override(experiment, self.set)
        _check_evals(experiment)
        return experiment, settings.override(runtime, self.set_runtime)


@contextlib.contextmanager
def begun(workdir: Path, request: Request) -> Iterator[None]:
    """Writes the record of a run, and keeps others out of its folder until the end.

    Raises:
      UserError: the folder holds states of another experiment, another training is in
        it, or it cannot be written.
    """
    experiment, runtime = request.resolve()
    check_folder(workdir)
    with disk.writing("the run folder", workdir, disk.GO_ON):
        workdir.mkdir(parents=True, exist_ok=True)
        _mine(workdir)
    with locked(workdir):
        agree(workdir, experiment)
        read_result(workdir)
        with disk.writing("the run folder", workdir, disk.GO_ON):
            _record(workdir, request, experiment, runtime)
        yield


def _record(
    workdir: Path, request: Request, experiment: Experiment, runtime: Runtime
) -> None:
    facts = "\n".join(f"{k}: {v}" for k, v in environment().items())
    texts = (settings.to_text(experiment).strip(), settings.to_text(runtime).strip())
    disk.write_text(workdir / "experiment.txt", "\n\n".join((*texts, facts)) + "\n")
    saved = {
        "experiment": _copy(request.experiment, workdir / COPIES[0]),
        "runtime": _copy(request.runtime, workdir / COPIES[1]),
        "tiny": request.tiny,
        "set": list(request.set),
        "set_runtime": list(request.set_runtime),
        "variant": request.variant,
    }
    disk.write_text(workdir / "run.json", json.dumps(saved, indent=2) + "\n")


def _copy(source: str, folder: Path) -> str:
    """Makes a folder hold a file with those that it imports, and no others.

    Returns:
      Name of the file, "" of none.
    """
    path = Path(source)
    found = python_file.files(path) if source else {}
    # Read first: the files may be the copies.
    content = {folder / name: file.read_bytes() for name, file in found.items()}
    for copy, text in content.items():
        copy.parent.mkdir(parents=True, exist_ok=True)
        disk.write_bytes(copy, text)
    for stale in set(folder.rglob("*.py")) - content.keys():
        stale.unlink()
    return path.name if source else ""


def agree(workdir: Path, experiment: Experiment) -> None:
    """Checks that a run that has begun in a folder is of these settings.

    Raises:
      UserError: it is not; the message names the settings.
    """
    record = workdir / "experiment.txt"
    if record.exists() and _has_state(workdir):
        try:
            before = record.read_text("utf-8").split("\n\n")[0]
        except ValueError as error:
            raise UserError(f"{record} is damaged: {error}; {OTHER}") from error
        _same(workdir, before, experiment)


def request_of(workdir: Path) -> Request:
    """Returns what the run in a folder was asked for.

    Raises:
      UserError: the folder holds no run.
    """
    path = workdir / "run.json"
    if not path.exists():
        raise UserError(
            f"{workdir} is no run folder ({path.name} is missing); "
            "give the --workdir of a `recjax train`"
        )
    kinds = {"tiny": bool, "set": list, "set_runtime": list, "variant": str}
    saved = disk.read_json(path, "train the run again", **kinds)
    if not all(isinstance(saved.get(name), str) for name in COPIES):
        raise UserError(
            f"{workdir} is a run of recjax 0.1, which 0.2 cannot open: train it again, "
            "with another --workdir"
        )
    files = [saved[name] and str(workdir / name / saved[name]) for name in COPIES]
    sets = (tuple(saved["set"]), tuple(saved["set_runtime"]))
    return Request(files[0], files[1], saved["tiny"], *sets, saved["variant"])


def read_result(workdir: Path) -> dict[str, Any] | None:
    """Returns `result.json`, what tables of results are made of; None before the end.

    Raises:
      UserError: it is damaged.
    """
    path = workdir / "result.json"
    kinds = {"settings": list, "results": dict}
    return disk.read_json(path, "remove it", **kinds) if path.exists() else None


def write_result(workdir: Path, result: Mapping[str, Any]) -> None:
    """Adds to `result.json`."""
    text = json.dumps({**(read_result(workdir) or {}), **result}, indent=2)
    with disk.writing("the run folder", workdir, disk.GO_ON):
        disk.write_text(workdir / "result.json", text + "\n")


def environment() -> dict[str, str]:
    """Returns versions, machine and commit, for the record."""
    facts = {"date": time.strftime("%Y-%m-%d %H:%M:%S"), "python": _python()}
    for package in PACKAGES:
        try:
            facts[package] = version(package)
        except PackageNotFoundError:
            facts[package] = "not installed"
    here = Path(__file__).parent
    command = ["git", "-C", str(here), "describe", "--always", "--dirty"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=5)
        facts["commit"] = found.stdout.strip() or "unknown"
    except (OSError, subprocess.TimeoutExpired):
        facts["commit"] = "unknown"
    return facts


def _python() -> str:
    return f"{platform.python_version()} on {platform.platform()}"


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
        )


def _mine(workdir: Path) -> None:
    """Refuses a folder whose files would be taken for those of a run."""
    there = [name for name in COPIES if (workdir / name).exists()]
    if there and not (workdir / "experiment.txt").exists():
        raise UserError(
            f"{workdir} holds {there[0]} but no experiment.txt, so it is no run "
            "folder; choose another --workdir"
        )


def _has_state(workdir: Path) -> bool:
    """Whether there is a state to go on from; else nothing binds the next attempt."""
    return any(path.name.isdigit() for path in (workdir / "checkpoints").glob("*"))


def _same(workdir: Path, before: str, experiment: Experiment) -> None:
    changed = [
        f"  {sign} {line}"
        for sign, lines in zip("-+", settings.changes(before, experiment), strict=True)
        for line in lines
        if not any(re.fullmatch(free, settings.path_of(line)) for free in FREE)
    ]
    if changed:
        raise UserError(
            f"{workdir} holds a run with other settings:\n"
            + "\n".join(changed[:20])
            + f"\n{OTHER}"
        )
