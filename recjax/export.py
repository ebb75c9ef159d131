"""What the command export does with a run folder."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from recjax import disk, settings
from recjax.bundle import manifest
from recjax.errors import UserError
from recjax.launch.join import Address
from recjax.runs import open_run
from recjax.train.memory import keep_compiled
from recjax.train.program import Program
from recjax.train.state import State


def export_run(
    run: Path, to: Path, set: Sequence[str] = (), best: bool = False
) -> None:
    """Writes the bundle of a trained run and checks it.

    Args:
      run: the run folder.
      to: folder of the bundle.
      set: overrides of how it is exported, "export.path=value".
      best: export the best checkpoint.

    Raises:
      UserError: `to` exists, an override is wrong, or the bundle cannot be made.
    """
    keep_compiled()
    if Address.of(os.environ) is not None:
        raise UserError("export runs in one process: start it without `recjax launch`")
    _check_free(to)
    for text in set:
        if not text.startswith("export."):
            raise UserError(
                f"--set {text}: the run is trained; only how it is exported can be "
                "set, as in --set export.saved_model=false"
            )
    print(export_program(*open_run(run, best), to, set))


def export_program(
    program: Program, state: State, to: Path, set: Sequence[str] = ()
) -> str:
    """Writes the bundle of an opened run, checks it, and says what was measured.

    Args:
      program: the opened experiment.
      state: what is exported.
      to: folder of the bundle.
      set: overrides of how it is exported, "export.path=value".

    Raises:
      UserError: `to` exists, an override is wrong, or the bundle cannot be made.
    """
    _check_free(to)
    spec = settings.override(program.experiment, set).export
    if spec is None:
        raise UserError(f"experiment {program.experiment.name!r} has export=None")
    program = replace(program, experiment=replace(program.experiment, export=spec))
    fix = "free space, or choose another folder with --to"
    with disk.writing("the bundle", to, fix):
        spec.write(program, state, to)
    about = disk.read_json(to / manifest.NAME, "export it anew", info=dict)
    return in_words(to, about["info"]["check"])


def in_words(folder: Path, facts: Mapping[str, Any]) -> str:
    """Returns what the checks of a written bundle measured, for people.

    Args:
      folder: the bundle.
      facts: what its manifest has as "check".
    """
    lines, rest = [f"bundle: {folder}"], dict(facts)
    if "items" in rest and "width" in rest:
        lines.append(f"{rest.pop('items'):,} items, vectors [{rest.pop('width')}]")
    apart = [rest.pop(key) for key in facts if key.endswith("_difference")]
    trials = [rest.pop(key) for key in facts if key.endswith("_trials")]
    if apart:
        on = f" on {max(trials)} inputs" if trials else ""
        saved = any(key.startswith("saved_model_") for key in facts)
        form = "it and its SavedModel answer" if saved else "it answers"
        lines.append(
            f"loaded back{on}, {form} as the trained model does: scores differ by "
            f"{max(apart):.1e} at most"
        )
    for key, by in (("index", "index"), ("saved_model", "SavedModel")):
        found = rest.pop(f"{key}_recall_at_10", None)
        if found is not None:
            lines.append(f"its {by} finds {found:.1%} of the exact top 10")
    return "\n  ".join([*lines, *(f"{key}: {value}" for key, value in rest.items())])


def _check_free(to: Path) -> None:
    if to.exists():
        raise UserError(f"{to} exists; choose another folder or remove it")
