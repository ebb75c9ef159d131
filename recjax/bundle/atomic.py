"""A bundle's folder appears once all that is in it is written and checked."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from recjax.bundle import manifest
from recjax.train.program import Program
from recjax.train.state import State


def write_atomic(
    program: Program,
    state: State,
    folder: Path,
    fill: Callable[[Path], tuple[Mapping[str, Any], Mapping[str, Any]]],
) -> str:
    """Fills a folder beside the bundle's, lists it, renames it; says what was measured.

    Args:
      program: the opened experiment.
      state: what was trained.
      folder: of the bundle.
      fill: writes and checks the files in a folder; returns what the checks measured,
        and what else the manifest should say.

    Raises:
      UserError: a file is not what was written.
      OSError: the folder cannot be written.
    """
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        facts, more = fill(partial)
        info = {
            "experiment": program.experiment.name,
            "step": int(state.step),
            **more,
            "check": facts,
        }
        manifest.write(partial, info)
        manifest.verify(partial)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    lines = [f"bundle: {folder}", *(f"  {k}: {v}" for k, v in facts.items())]
    return "\n".join(lines)
