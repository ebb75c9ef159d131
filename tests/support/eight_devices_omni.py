"""The step of several kinds of candidates on one device and on 4 x 2 pretended ones."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import omni
from jax.sharding import set_mesh

from recjax import pytree, rng
from recjax.execution import Execution
from recjax.losses import SampledSoftmax
from recjax.models import PairCounts
from recjax.nn.sketch import CountMin
from recjax.optim import Lamb, Optimizer, RowwiseAdagrad
from recjax.sharding.collectives import collectives
from recjax.sharding.mesh import make_mesh
from recjax.sharding.placement import put_batch
from recjax.train import state as states
from recjax.train.step import compile_step, make_step

MESHES = {"1": {"data": 1}, "4x2": {"data": 4, "model": 2}}
STEPS, GROUPS, BUCKETS = 4, 16, 40_000
WIDTHS = ((4, 0.1), (12, 1.0))


def model():
    """Returns a model whose table and sketches are far larger than a batch."""
    small = omni.model(counts=PairCounts(CountMin(1 << 17), given_query=True))
    entity = small.towers["entity"]
    text = entity.inputs["text"].clone(buckets=BUCKETS)
    towers = {
        **small.towers,
        "entity": entity.clone(inputs={**entity.inputs, "text": text}),
    }
    table = replace(small.tables["hash"], rows=BUCKETS + 1)
    return replace(small, towers=towers, tables={**small.tables, "hash": table})


def losses():
    """Returns in-batch and random softmax for every key."""
    keys = ("pin", "pin/legacy", "product", "query")
    return {
        f"{key}/{random}": SampledSoftmax(
            of=key,
            in_batch=not random,
            random=random,
            given_query=True,
            widths=() if "legacy" in key else WIDTHS,
        )
        for key in keys
        for random in (False, True)
    }


def train(name: str, folder: Path) -> dict:
    """Trains some steps and looks into the compiled one."""
    mesh, key, made = make_mesh(MESHES[name]), rng.root(0), model()
    rules = {"tables/.*": RowwiseAdagrad(0.1), ".*": Lamb(1e-2)}
    given = (key, made, omni.sides(), losses(), Optimizer(rules), STEPS, mesh)
    given += (Execution(softmax_rows=8),)
    batches = [omni.batch(i, GROUPS) for i in range(STEPS)]
    with set_mesh(mesh):
        state = states.init(
            key, made, omni.sides(), given[4], STEPS, put_batch(batches[0], mesh), mesh
        )
        lowered = compile_step(make_step(*given), state, mesh).lower(
            state, put_batch(batches[0], mesh)
        )
        step, found = lowered.compile(), []
        text = step.as_text()
        for batch in batches:
            state, report = step(state, put_batch(batch, mesh))
            means = {k: float(t / w) for k, (t, w) in report.means.items()}
            found.append(means)
    cells = state.memory["counts"]["pin"]["pair"].cells
    shards = {shard.data.shape[1] for shard in cells.addressable_shards}
    state = jax.device_get(state)
    specs = made.table_specs(omni.sides())
    cut = {n: t[: specs[n].rows] for n, t in state.tables.items()}
    named = pytree.named_leaves(
        {"params": state.params, "tables": cut, "memory": state.memory}
    )
    arrays = {path.replace("/", "|"): leaf for path, leaf in named}
    np.savez(folder / f"omni_{name}.npz", **arrays)
    sent = [(one.elements, one.looped) for one in collectives(text, mesh)]
    return {"means": found, "collectives": sent, "cells": sorted(shards)}


def main(folder: Path) -> None:
    """Does everything."""
    report = {name: train(name, folder) for name in MESHES}
    (folder / "report.json").write_text(json.dumps(report))
