"""The command `recjax launch`: a run of several processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated, Literal

import tyro

from recjax.errors import UserError
from recjax.launch.command import train_words

Positional = tyro.conf.Positional
Repeated = tyro.conf.UseAppendAction


def launch(
    experiment: Positional[str],
    workdir: Path,
    on: str = "",
    backend: Literal["local", "slurm", "gke"] = "local",
    processes: Annotated[int | None, tyro.conf.arg(aliases=["-n"])] = None,
    devices: int = 0,
    restarts: int = 0,
    set: Repeated[tuple[str, ...]] = (),
    set_runtime: Repeated[tuple[str, ...]] = (),
    tiny: bool = False,
    variant: str = "",
    start: Annotated[str, tyro.conf.arg(name="from")] = "",
    name: str = "recjax",
    slurm: Repeated[tuple[str, ...]] = (),
    image: str = "",
    accelerator: str = "",
    bucket: str = "",
    dry_run: bool = False,
) -> None:
    """Trains an experiment in several processes: here, by SLURM, or on GKE.

    Args:
      experiment: file that defines experiment().
      workdir: run folder, on a disk that all processes share.
      on: file that defines runtime(); without it, all devices of all processes.
      backend: "local" starts the processes here, "slurm" an sbatch job, "gke" a JobSet.
      processes: local: how many; slurm: nodes, with one process on each. By default 2.
      devices: local: CPU devices that each process pretends to have; 0 leaves its own.
      restarts: how often all start again after a failure that a restart may mend.
      set: as of `recjax train`.
      set_runtime: as of `recjax train`.
      tiny: as of `recjax train`.
      variant: as of `recjax train`.
      start: as of `recjax train`.
      name: of the job.
      slurm: option of sbatch, such as --slurm partition=gpu; may be repeated.
      image: gke: container image with recjax in it.
      accelerator: gke: nodes, such as v5e-16, v5p-64, v6e-16 or h100x8.
      bucket: gke: Cloud Storage bucket mounted at /data.
      dry_run: print what would be started, and start nothing.
    """
    _refuse_unused(
        backend,
        local={"--devices": devices},
        slurm={"--slurm": slurm},
        gke={"--image": image, "--accelerator": accelerator, "--bucket": bucket},
    )
    if backend == "gke" and processes is not None:
        raise UserError("--processes: of --backend gke, --accelerator says how many")
    processes = 2 if processes is None else processes
    told = set, set_runtime, tiny, variant, start
    words = train_words(experiment, workdir, on, *told)
    if backend == "local":
        _local(words, processes, devices, restarts, dry_run)
    elif backend == "slurm":
        from recjax.launch.slurm import SlurmJob, batch_file

        options = dict(_option(text) for text in slurm)
        text = batch_file(words, SlurmJob(name, processes, restarts, options))
        _hand_over(["sbatch"], text, dry_run, "sbatch")
    else:
        from recjax.launch.gke import Pods, manifest

        text = manifest(words, Pods(name, image, accelerator, bucket, restarts))
        _hand_over(["kubectl", "apply", "-f", "-"], text, dry_run, "kubectl")


def _refuse_unused(backend: str, **options: dict[str, object]) -> None:
    """Raises a `UserError` for an option that another backend takes."""
    for other, given in options.items():
        for option, value in given.items():
            if value and other != backend:
                raise UserError(f"{option} is for --backend {other}, not {backend}")


def _local(
    words: list[str], processes: int, devices: int, restarts: int, dry_run: bool
) -> None:
    for option, value, least in (
        ("--processes", processes, 1),
        ("--devices", devices, 0),
        ("--restarts", restarts, 0),
    ):
        if value < least:
            raise UserError(f"{option} {value}: must be at least {least}")
    if dry_run:
        print(f"{processes} processes of: recjax {' '.join(words)}")
        return
    from recjax.launch import local

    ended = local.run(words, processes, devices, restarts)
    if ended.status:
        print(f"recjax: {ended}", file=sys.stderr)
        raise SystemExit(ended.status if ended.status > 0 else 128 - ended.status)


def _option(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise UserError(f"--slurm {text}: expected option=value")
    return name.removeprefix("--"), value


def _hand_over(command: list[str], text: str, dry_run: bool, program: str) -> None:
    """Gives a file to the program that starts it, or prints it."""
    if dry_run:
        print(text, end="")
        return
    try:
        done = subprocess.run(command, input=text, text=True)
    except FileNotFoundError as error:
        raise UserError(
            f"{program} is not installed here; --dry-run prints the file that it takes"
        ) from error
    if done.returncode:
        raise SystemExit(done.returncode)
