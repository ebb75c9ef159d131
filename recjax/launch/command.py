"""The command that trains an experiment, for other processes to run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def train_words(
    experiment: str,
    workdir: str | Path,
    on: str = "",
    set: Sequence[str] = (),
    set_runtime: Sequence[str] = (),
    tiny: bool = False,
    variant: str = "",
    start: str = "",
) -> list[str]:
    """Returns what stands after `recjax`, as `recjax train` takes it."""
    words = ["train", experiment, "--workdir", str(workdir)]
    words += ["--on", on] if on else []
    for flag, values in (("--set", set), ("--set-runtime", set_runtime)):
        words += [part for value in values for part in (flag, value)]
    words += ["--tiny"] if tiny else []
    words += ["--variant", variant] if variant else []
    return words + (["--from", start] if start else [])
