"""A run that starts from what an earlier one learned, on data that has grown since."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np

from recjax import pytree
from recjax.data.identity import refuse_other
from recjax.errors import UserError
from recjax.features import Names
from recjax.sharding.placement import by_rows, replicated
from recjax.train import checkpoint
from recjax.train.data_record import DataRecord, Rows, read_names
from recjax.train.program import Program
from recjax.train.state import State
from recjax.typing import Array

log = logging.getLogger(__name__)
OF_ITS_SIZE = ("tables/", "opt/rows/", "memory/")
"""Arrays whose sizes follow the data or the batch, and not the model."""


def begin(program: Program) -> State:
    """Returns the state of step 0, with what the earlier run learned, if there is one.

    Raises:
      UserError: the earlier run does not fit, or a warm start.
    """
    state = program.init()
    run = program.earlier
    return state if run is None else start_from(run, program, state)


def start_from(run: Path, program: Program, state: State) -> State:
    """Returns a state of step 0 that knows what another run learned.

    Dense parameters are taken as they are. The rows of tables that stand for an id, a
    category or an n-gram that the other run knew are its rows, with their optimizer's
    state; the others keep their starting values. Step, dense optimizer and memory
    start anew.

    Args:
      run: folder of the other run; its newest checkpoint counts.
      program: the opened experiment.
      state: its starting state.

    Raises:
      UserError: that is no run, it is of data that this does not extend, or its model
        is another.
    """
    made, now = DataRecord.read(run), DataRecord.of(program)
    if made.data is None or now.data is None:
        raise UserError(
            f"--from {run}: not of data that `recjax data prepare` made, so what its "
            "rows stand for is not known; train from the start"
        )
    if not now.data.keeps(made.data):
        refuse_other(f"--from {run}", made.data, now.data, str(run))
    before = _restored(run.absolute(), program)  # Orbax takes no relative path.
    tables, slots, known = {}, {}, {}
    for name, table in state.tables.items():
        if name not in made.rows:
            raise UserError(f"--from {run}: its model has no table {name!r}")
        names = program.specs[name].names
        at, to = _same_rows(run, name, made.rows[name], now.rows[name], names)
        known[name] = len(to) - 1
        tables[name] = _taken(table, before.tables[name], at, to)
        old = before.opt["rows"][name]
        slots[name] = _taken(state.opt["rows"][name], old, at, to)
    log.info(
        "starts from step %d of %s: %s",
        int(before.step),
        run,
        ", ".join(
            f"{known[name]:,} of {rows.count - 1:,} rows of {name}"
            for name, rows in now.rows.items()
        ),
    )
    opt = {**state.opt, "rows": slots}
    return replace(state, params=before.params, tables=tables, opt=opt)


def _same_rows(
    run: Path, table: str, old: Rows, new: Rows, names: Sequence[Names | None]
) -> tuple[np.ndarray, np.ndarray]:
    """Returns old rows, and the new rows that stand for the same; padding is first."""
    if old.names == new.names:
        if new.count < old.count:
            raise UserError(
                f"--from {run}: table {table!r} had {old.count} rows there and has "
                f"{new.count} here; give it as many"
            )
        both = np.arange(old.count)
        return both, both
    (give, *more), (wrote, *others) = names, old.names
    if more or others or give is None or wrote is None:
        raise UserError(
            f"--from {run}: a row of table {table!r} stands for several texts, which "
            "have changed since; train from the start"
        )
    known = {name: at for at, name in enumerate(read_names(run, wrote), 1)}
    at = np.array([0, *(known.get(name, -1) for name in give())])
    to = np.flatnonzero(at >= 0)
    return at[to], to


def _taken(new: Array, old: Array, at: np.ndarray, to: np.ndarray) -> Array:
    """Returns an array whose rows `to` are the rows `at` of another."""

    def take(new: Array, old: Array) -> Array:
        return new.at[to].set(old[at])

    return jax.jit(take, out_shardings=new.sharding)(new, old)


def _restored(run: Path, program: Program) -> State:
    """Returns the newest state of a run, whose tables may be less tall than ours."""
    folder, mesh = run / "checkpoints", program.mesh
    if checkpoint.newest_step(folder) < 0:
        raise UserError(f"--from {run}: it holds no checkpoint; train it first")
    saved = checkpoint.saved_shapes(folder / str(checkpoint.newest_step(folder)))

    def as_saved(path: Any, leaf: jax.ShapeDtypeStruct) -> jax.ShapeDtypeStruct:
        name = pytree.path_text(path)
        shape = saved.get(name, leaf.shape)
        if not name.startswith(OF_ITS_SIZE) or shape == leaf.shape:
            return leaf
        even = name.startswith(OF_ITS_SIZE[:2]) and shape[0] % mesh.size == 0
        where = by_rows(mesh) if even else replicated(mesh)
        return jax.ShapeDtypeStruct(shape, leaf.dtype, sharding=where)

    like = jax.tree_util.tree_map_with_path(as_saved, program.like)
    try:
        return checkpoint.read_state(folder, like)
    except UserError as error:
        raise UserError(f"--from {run}: {error}") from error
