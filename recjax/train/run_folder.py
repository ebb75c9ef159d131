"""The folder of a run: what was asked for, so that it can be done again.

`run.json` names the files and overrides; `experiment/` and `runtime/` hold copies of
them and of what they import, so that a later edit does not change what a finished run
was; and `experiment.txt` is the resolved tree with versions, for people and for
comparison.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import platform
import re
import subprocess
import time
import uuid
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from recjax import disk, python_file, settings, written
from recjax.errors import UserError
from recjax.experiment import Experiment, Runtime
from recjax.launch import hosts
from recjax.train.checkpoint import check_folder
from recjax.train.lock import locked
from recjax.train.request import Request

log = logging.getLogger(__name__)
PACKAGES = ("recjax", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")
FREE = (r"evals\..*", r"export.*", r"best", r"model\.tables\..*\.distinct")
"""Settings that may change between the attempts of one run: they learn nothing else."""
COPIES = ("experiment", "runtime")
SHARED_SECONDS = 10.0
"""How long a network disk may take to show a file to the other hosts."""
OTHER = "choose another --workdir, or remove the folder to start anew"


@contextlib.contextmanager
def begun(workdir: Path, request: Request) -> Iterator[None]:
    """Writes the record of a run, and keeps others out of its folder until the end.

    Raises:
      UserError: the folder holds states of another experiment, another training is in
        it, or it cannot be written.
    """
    experiment, runtime = request.resolve()
    check_folder(workdir)
    told = f"{settings.to_text(experiment)}{settings.to_text(runtime)}"
    hosts.agree("settings", told, "start all of them with the same files and --set")
    hosts.agree("versions", str(versions()), "install the same packages everywhere")
    with contextlib.ExitStack() as stack:
        error = ""
        try:
            if hosts.first():
                stack.enter_context(_recorded(workdir, request, experiment, runtime))
        except UserError as found:
            error = str(found)
        hosts.all_or_error("run folder", error)
        _check_shared(workdir)
        yield


@contextlib.contextmanager
def _recorded(
    workdir: Path, request: Request, experiment: Experiment, runtime: Runtime
) -> Iterator[None]:
    with disk.writing("the run folder", workdir, disk.GO_ON):
        workdir.mkdir(parents=True, exist_ok=True)
        _mine(workdir)
    with locked(workdir):
        agree(workdir, experiment)
        read_result(workdir)
        with disk.writing("the run folder", workdir, disk.GO_ON):
            _record(workdir, request, experiment, runtime)
        yield


def _check_shared(workdir: Path) -> None:
    """Finds out whether all hosts see the folder of the first.

    Raises:
      UserError: by all of them, where one does not.
    """
    if hosts.alone():
        return
    file, error = workdir / "hosts", ""
    if hosts.first():
        disk.write_text(file, uuid.uuid4().hex)
    wanted = hosts.from_first("sign", file.read_text() if hosts.first() else "")
    until = time.monotonic() + SHARED_SECONDS
    while not file.exists() or file.read_text() != wanted:
        if time.monotonic() > until:
            error = f"does not see the files that host 0 writes to {workdir}: give a "
            error += "--workdir on a disk that all hosts share"
            break
        time.sleep(0.1)
    hosts.all_or_error("sight of the run folder", error)


def _record(
    workdir: Path, request: Request, experiment: Experiment, runtime: Runtime
) -> None:
    facts = "\n".join(f"{k}: {v}" for k, v in environment().items())
    texts = (settings.to_text(experiment).strip(), settings.to_text(runtime).strip())
    disk.write_text(workdir / "experiment.txt", "\n\n".join((*texts, facts)) + "\n")
    saved = {
        "experiment": _kept(request.experiment, workdir / COPIES[0]),
        "runtime": _kept(request.runtime, workdir / COPIES[1]),
        "tiny": request.tiny,
        "set": list(request.set),
        "set_runtime": list(request.set_runtime),
        "variant": request.variant,
        "from": request.start and os.path.abspath(request.start),
    }
    disk.write_text(workdir / "run.json", json.dumps(saved, indent=2) + "\n")


def _kept(source: str | Experiment | Runtime, folder: Path) -> str:
    """Writes a file that was given, or one that builds what was made in memory.

    Returns:
      Name of the file; "" of none, and where none can build it.
    """
    if isinstance(source, str):
        return _copy(source, folder)
    _copy("", folder)
    name = folder.name
    try:
        text = written.file(source, name, f"The {name} of this run, made in memory.")
    except UserError as error:
        log.warning("%s", error)
        log.warning("so only this process can evaluate and export the run")
        return ""
    folder.mkdir(exist_ok=True)
    disk.write_text(folder / f"{name}.py", text)
    return f"{name}.py"


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
    if not saved["experiment"]:
        raise UserError(
            f"{workdir}: its experiment was made in memory and holds what no file can "
            "build, so only the process that trained it can open it; train it from an "
            "experiment file"
        )
    files = [saved[name] and str(workdir / name / saved[name]) for name in COPIES]
    sets = (tuple(saved["set"]), tuple(saved["set_runtime"]))
    told = saved["tiny"], *sets, saved["variant"], saved.get("from", "")
    return Request(files[0], files[1], *told)


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
    facts |= versions()
    here = Path(__file__).parent
    command = ["git", "-C", str(here), "describe", "--always", "--dirty"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=5)
        facts["commit"] = found.stdout.strip() or "unknown"
    except (OSError, subprocess.TimeoutExpired):
        facts["commit"] = "unknown"
    return facts


def versions() -> dict[str, str]:
    """Returns the versions of recjax and of what it computes with."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def _python() -> str:
    return f"{platform.python_version()} on {platform.platform()}"


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
