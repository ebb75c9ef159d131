"""Writing a bundle: in a folder beside its place, loaded back, compared, renamed."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recjax.bundle import jax_export, manifest, saved_model
from recjax.bundle.check import Limits, Trial, check
from recjax.bundle.open import FUNCTIONS
from recjax.index import scann
from recjax.index.item_vectors import write_vectors
from recjax.train.program import Program
from recjax.train.state import State


@dataclass(frozen=True)
class Contents:
    """What a bundle is made of.

    Attributes:
      ids: item ids [N].
      titles: what to show a person [N].
      vectors: item vectors f32[N, D].
      functions: by name, pure: (held, arrays) -> vectors [B, D], or arrays with "user".
      held: names of functions -> what they need of the state.
      examples: what each function takes: arrays with a leading axis.
      trials: how each function is tried.
      save: writes what else there is.
      signatures: of the SavedModel of the first function.
      index: finds items; None where they are few or never asked for.
    """

    ids: Sequence[str]
    titles: Sequence[str]
    vectors: np.ndarray
    functions: Mapping[str, Callable[[Any, Any], Any]]
    held: Callable[[Sequence[str]], Any]
    examples: Mapping[str, Mapping[str, Any]]
    trials: Mapping[str, Trial]
    save: Callable[[Path], None]
    signatures: Mapping[str, saved_model.Signature]
    index: scann.Index | None = None


def write_bundle(
    program: Program,
    state: State,
    folder: Path,
    contents: Callable[[], Contents],
    with_saved_model: bool,
    limits: Limits,
) -> str:
    """Writes a bundle and loads it back; says what was measured.

    Args:
      program: the opened experiment.
      state: what was trained.
      folder: appears only once all is written and checked.
      contents: makes what it holds.
      with_saved_model: write a SavedModel (needs TensorFlow).
      limits: of the checks.

    Raises:
      UserError: a package is missing, or the bundle does not do what the live model
        does.
      OSError: the folder cannot be written.
    """

    def fill(at: Path) -> dict[str, Any]:
        made = contents()
        write_vectors(at, made.ids, made.titles, made.vectors)
        made.save(at)
        names = list(made.functions)
        jax_export.save(
            at / FUNCTIONS, made.functions, made.held(names), made.examples
        )
        if made.index is not None:
            scann.save(made.index, at)
        if with_saved_model:
            saved_model.write(
                at / "saved_model",
                made.functions[names[0]],
                made.held(names[:1]),
                made.examples[names[0]],
                made.signatures,
            )
        return check(at, made.trials, with_saved_model, limits)

    return write_folder(program, state, folder, fill)


def write_folder(
    program: Program,
    state: State,
    folder: Path,
    fill: Callable[[Path], Mapping[str, Any]],
) -> str:
    """Fills a folder beside `folder`, lists its files, renames it.

    Args:
      program: the opened experiment.
      state: what was trained.
      folder: what appears.
      fill: writes and checks the files in a folder; returns what the checks measured.

    Raises:
      UserError: a file is not what was written.
      OSError: the folder cannot be written.
    """
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        facts = fill(partial)
        about = {"experiment": program.experiment.name, "step": int(state.step)}
        manifest.write(partial, {**about, "check": dict(facts)})
        manifest.verify(partial)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    lines = [f"bundle: {folder}", *(f"  {k}: {v}" for k, v in facts.items())]
    return "\n".join(lines)
