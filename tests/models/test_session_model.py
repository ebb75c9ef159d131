"""A session model: what training scores is what evaluation and serving score."""

import jax
import numpy as np
import pytest
import sessions as support

from recjax.data.sessions.fixed import VectorsFromEvents
from recjax.data.sessions.packing import PAD
from recjax.data.sessions.repeats import Repeats
from recjax.data.sessions.transitions import Transitions
from recjax.models.base import TableRows
from recjax.models.session_model import SessionModel

SHAPE = {"cosine": True, "scale": 3.0}


def rows_of(model, tables, batch):
    """Returns the rows of a batch, the whole tables: what `gather` does, plainly."""
    found = {}
    for name, uses in model.rows(batch).items():
        found[name] = TableRows(tables[name], uses)
    return found


@pytest.mark.parametrize(
    ("tied", "vectors"),
    [(True, None), (False, None), (True, VectorsFromEvents(support.WIDTH))],
)
def test_scores_of_training_are_those_of_queries_and_items(tied, vectors):
    known = support.sessions(2, users=9)
    pairs = Repeats(5), Transitions(3, 2)
    data = support.opened(known, pairs=pairs, vectors=vectors)
    encoder = support.ENCODERS["gru4rec"]
    model = SessionModel(encoder, support.WIDTH, tied=tied, **SHAPE)
    batch, (plan, step) = data.batch(1), data.epochs.at(1)
    random = np.random.default_rng(0)
    tables = {
        name: random.normal(size=(spec.rows, spec.width)).astype(np.float32)
        for name, spec in model.table_specs(data.sides).items()
    }
    rows = rows_of(model, tables, batch)
    params, memory = jax.jit(model.init)(jax.random.key(0), rows, batch)
    params["pair"] = {
        name: random.normal(size=a.shape) for name, a in params["pair"].items()
    }
    key = jax.random.key(1)
    outputs, _ = jax.jit(model.apply)(params, rows, batch, memory, key)
    assert ("item" in tables) == (vectors is None)
    if vectors is None:
        events = tables["item"][batch["item"]]
    else:
        events = data.fixed.of_ids(batch["item"])
    queries = np.asarray(jax.jit(model.users)(params, (events, None), batch, memory)[0])
    column = data.corpora["item"].features
    features = {name: values[0:20] for name, values in column.items()}
    asked = model.side_rows("candidate", features)
    held = {name: TableRows(tables[name], uses) for name, uses in asked.items()}
    items = np.asarray(model.embed(params, held, "candidate", features))
    grid, width, position = plan.grid(step), items.shape[1], 0
    for lane, position in np.ndindex(grid.event.shape):
        event = grid.event[lane, position]
        if event != PAD:
            query = queries[lane, position]
            scores = items @ query[:width]
            for weight, one in zip(
                query[width:], data.pairs.at(np.array([event])), strict=True
            ):
                scores += weight * one.toarray()[0]
            wanted = scores[batch["negative_id"]]
            np.testing.assert_allclose(outputs.drawn[position], wanted, atol=1e-4)
            own = scores[known.item[event]]
            np.testing.assert_allclose(outputs.own[position], own, atol=1e-4)
        position += 1


@pytest.mark.parametrize(("width", "tied"), [(4, True), (support.WIDTH, False)])
def test_fixed_vectors_of_another_width_are_refused(width, tied):
    data = support.opened(support.sessions(), vectors=VectorsFromEvents(width))
    model = SessionModel(support.ENCODERS["gru4rec"], support.WIDTH, tied=tied)
    with pytest.raises(ValueError, match=f"fixed vectors of {width}"):
        model.table_specs(data.sides)
