"""Writing a bundle: in a folder beside its place, loaded back, compared, renamed."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
import numpy as np

from recjax.bundle import item_columns, jax_export, manifest, saved_model, tf_serving
from recjax.bundle.check import Function, check
from recjax.bundle.open import FUNCTIONS, SAVED_MODEL
from recjax.bundle.serving import Serving
from recjax.index import scann
from recjax.index.compact import Vectors
from recjax.index.item_vectors import write_vectors
from recjax.pytree import named_leaves
from recjax.tables.typed import Table
from recjax.train.program import Program
from recjax.train.state import State


@dataclass(frozen=True)
class Contents:
    """What a bundle is made of.

    Attributes:
      ids: item ids [N].
      titles: what to show a person [N].
      vectors: item vectors [N, D].
      functions: by name.
      held: what the functions need of the state.
      save: writes what else there is into a folder.
      graphs: of the SavedModel's signatures.
      serving: how it is served.
      index: finds items; None searches exactly.
      measured: what else the report is to say.
      asked: input of a signature -> values that warm-up requests repeat, beside what
        functions are tried with.
      columns: what else is known of the items, in their order.
    """

    ids: Sequence[str]
    titles: Sequence[str]
    vectors: Vectors
    functions: Mapping[str, Function]
    held: Any
    save: Callable[[Path], Any]
    graphs: saved_model.Graphs
    serving: Serving
    index: scann.Index | None = None
    measured: Mapping[str, Any] = field(default_factory=dict)
    asked: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    columns: Table | None = None


def write_bundle(
    program: Program,
    state: State,
    folder: Path,
    contents: Callable[[Program, State], Contents],
    with_saved_model: bool,
    tolerance: float,
    min_recall: float = 0.0,
) -> str:
    """Writes a bundle, loads it back, compares it, and says what was measured.

    The folder appears only once all is written and checked.

    Raises:
      UserError: the bundle cannot be made, a package is missing, or it does not do what
        the live model does.
      OSError: the folder cannot be written.
    """

    def fill(at: Path) -> Mapping[str, Any]:
        made, limits = contents(program, state), (tolerance, min_recall)
        return fill_bundle(at, folder, made, with_saved_model, *limits)

    return write_folder(about(program, state), folder, fill)


def fill_bundle(
    at: Path,
    folder: Path,
    made: Contents,
    with_saved_model: bool,
    tolerance: float,
    min_recall: float = 0.0,
) -> dict[str, Any]:
    """Writes the files of the bundle `folder` at another place, and compares them.

    See `write_bundle`.
    """
    write_vectors(at, made.ids, made.titles, made.vectors)
    made.save(at)
    item_columns.save(at, made.columns)
    made.serving.save(at)
    calls = {name: one.call for name, one in made.functions.items()}
    examples = {name: one.example for name, one in made.functions.items()}
    if calls:
        jax_export.save(at / FUNCTIONS, calls, made.held, examples)
    if made.index is not None:
        scann.save(made.index, at)
    if with_saved_model:
        place, name = at / SAVED_MODEL, manifest.model_name(folder)
        specs = saved_model.write(place, calls, made.held, examples, made.graphs)
        asked = {
            n: v for f in made.functions.values() for n, v in (f.raw or {}).items()
        }
        asked |= made.asked
        tf_serving.write(at, name, made.serving, specs, asked)
    found = check(at, made.functions, with_saved_model, tolerance, min_recall)
    return {**found, **made.measured}


def about(program: Program, state: State) -> dict[str, Any]:
    """Returns what a manifest says of a run."""
    return {
        "experiment": program.experiment.name,
        "step": int(state.step),
        "data": None if program.data is None else program.data.told,
        "parameters": _digest(state.params),
    }


def write_folder(
    about: Mapping[str, Any], folder: Path, fill: Callable[[Path], Mapping]
) -> str:
    """Has a folder beside `folder` filled and checked, lists its files, renames it.

    The manifest says what it is `about`, and what `fill` returns: what it measured; see
    `write_bundle`.
    """
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        facts = fill(partial)
        manifest.write(partial, {**about, "check": dict(facts)})
        manifest.verify(partial)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    lines = [f"bundle: {folder}", *(f"  {k}: {v}" for k, v in facts.items())]
    return "\n".join(lines)


def _digest(params: Any) -> str:
    """Returns what tells parameters from others."""
    found = hashlib.sha256()
    for name, leaf in named_leaves(jax.device_get(params)):
        found.update(name.encode())
        found.update(np.ascontiguousarray(leaf).tobytes())
    return found.hexdigest()
