"""A bundle of a session model: the step that serves users, and the items they meet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from recjax.bundle import signatures
from recjax.bundle.check import Call, Function
from recjax.bundle.serving import BATCH_SIZES, Serving
from recjax.bundle.session_columns import EVENT, USER, ServedColumns
from recjax.bundle.session_state import SessionState, step_arrays
from recjax.bundle.session_step import empty_memory, step_function, tables_read
from recjax.bundle.write import Contents, write_bundle
from recjax.data.fitted import Fitted
from recjax.data.sessions.rules import SessionRules
from recjax.evals.embed import embed_all
from recjax.evals.model import session_data
from recjax.models import session_columns, tables
from recjax.models.base import whole_tables
from recjax.models.session_model import ITEM, TOWER, SessionModel
from recjax.train.program import Program
from recjax.train.state import State

STEP = "step"


@dataclass(frozen=True)
class SessionBundle:
    """What an experiment says of its bundle.

    The last number of an item's vector is its bias. When served, sessions end as those
    of the data did.

    Attributes:
      k: most results of an answer when it is served.
      batch_sizes: rows that are asked at once when it is served, rising.
      saved_model: write a SavedModel (needs TensorFlow).
      check_events: events of a made-up user that are asked live and from the bundle.
      tolerance: largest difference of a score.
    """

    k: int = 100
    batch_sizes: tuple[int, ...] = BATCH_SIZES
    saved_model: bool = True
    check_events: int = 8
    tolerance: float = 1e-4

    def write(self, program: Program, state: State, folder: Path) -> str:
        """See `write_bundle`."""
        made, limits = self.contents, (self.saved_model, self.tolerance)
        return write_bundle(program, state, folder, made, *limits)

    def contents(self, program: Program, state: State) -> Contents:
        """Returns what the bundle holds."""
        model, data = program.experiment.model, session_data(program)
        corpus = data.corpora["item"]
        ids, titles = corpus.ids, corpus.titles
        vectors = embed_all(program, state, "candidate", corpus.features)
        empty, step = empty_memory(model), step_function(model)
        known = {EVENT: data.columns.event, USER: data.columns.user}
        columns = [ServedColumns.of(table, one) for table, one in known.items()]
        rules = SessionRules.of({} if program.data is None else program.data.settings)
        if getattr(program.experiment.data, "sequences", False):
            rules = replace(rules, longest=1)
        kept = SessionState(empty, rules, data.pairs.values, *columns)
        every = np.arange(len(ids) + 1)
        rows = state.tables[ITEM] if data.fixed is None else data.fixed.of_ids(every)
        rows = with_columns(model, state, rows, data.corpora["item"].features)
        arrays = step_arrays(kept.blank, 1)
        read = {name: state.tables[name] for name in tables_read(model, arrays)}
        held = {"params": state.params, "items": rows, "tables": read}
        held = jax.device_get(held)
        asked = np.random.default_rng(0).integers(1, len(ids) + 1, self.check_events)
        did: dict[str, np.ndarray] = {}
        for one in columns:
            did |= _some(one, known[one.table], self.check_events)

        def ask(call: Call) -> np.ndarray:
            return _queries(call, arrays, asked, did)

        live = ask(partial(jax.jit(step), held))
        function = Function(step, arrays, live, None, ask)
        k = min(self.k, len(ids))
        graphs = partial(
            signatures.sessions,
            example=arrays,
            kept=kept,
            vectors=vectors,
            item_ids=ids,
            k=k,
            pairs=data.pairs.size,
        )
        table, functions = (ids, titles, vectors), {STEP: function}
        serving = Serving(k, self.batch_sizes)
        known = {"columns": corpus.table}
        return Contents(*table, functions, held, kept.save, graphs, serving, **known)


def with_columns(
    model: SessionModel, state: State, rows: Any, features: Mapping[str, Any]
) -> Any:
    """Returns the vectors of items that are read, with what their columns add.

    Args:
      model: the model.
      state: the trained state.
      rows: vectors by id, those of items from 1 to `N` [V, D].
      features: of all items, [N, ...].

    """
    if model.item is None:
        return rows
    read = {name: features[name][:] for name, _ in model.item.uses(False).values()}
    ids = tables.row_ids(model.item, "item", read, train=False)
    held = whole_tables({name: state.tables[name] for name in ids}, ids)
    of = state.params[TOWER["own"]], held, "item", read, None
    more = session_columns.vectors(model.item, *of)
    return jnp.asarray(rows).at[1 : len(more) + 1].add(more)


def _some(columns: ServedColumns, known: Fitted, count: int) -> dict[str, np.ndarray]:
    """Returns the arrays of a step of some rows of a table."""
    if not known.inputs:
        return {}
    made = known.take(np.arange(count) % known.table.rows)
    return {columns.named(name): array for name, array in made.items()}


def _queries(
    call: Call, arrays: Mapping[str, Any], items: Any, did: Mapping[str, np.ndarray]
) -> np.ndarray:
    """Returns a user's query before each event, f32[events, D + F].

    Args:
      call: the step.
      arrays: of a new user.
      items: of each event, from 1.
      did: features of the columns of each event, and of a user at it [events, L].
    """
    queries = []
    for age, item in enumerate(items):
        # Sessions of three events, an hour apart.
        at = {"item": item, "position": age % 3, "age": age, "gap": 3_600 * (age > 2)}
        at |= {name: array[age] for name, array in did.items()}
        asked = {name: np.full_like(arrays[name], value) for name, value in at.items()}
        out = call({**arrays, **asked})
        arrays = {**arrays, **{n: np.asarray(v) for n, v in out.items() if n != "user"}}
        queries.append(np.asarray(out["user"])[0])
    return np.stack(queries)
