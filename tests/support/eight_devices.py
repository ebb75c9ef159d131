"""What tests/multidevice compares of tables: training, ranking, checkpoints.

`eight_devices_all.py` runs it in a process with 8 pretended devices.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import jax
import numpy as np
import small
from jax.sharding import set_mesh

from recjax.evals.exact import rank_embeddings
from recjax.metrics.task import RankingTask
from recjax.sharding import rows
from recjax.sharding.collectives import collectives
from recjax.sharding.mesh import make_mesh
from recjax.sharding.placement import put_batch
from recjax.train.checkpoint import Checkpoints
from recjax.train.program import open_program

MESHES = {
    "1": {"data": 1},
    "8": {"data": 8},
    "4x2": {"data": 4, "model": 2},
    "2x4": {"data": 2, "model": 4},
    "fsdp": {"data": 1, "fsdp": 8},
    "bfloat16": {"data": 4, "model": 2},
}
SAVED, LOOKED_INTO = ("1", "4x2"), ("8", "4x2")
STEPS = 8


@cache
def program(mesh: str):
    """Opens the small experiment, with tables far larger than a batch, on a mesh."""
    runtime = replace(small.runtime(), mesh=MESHES[mesh])
    if mesh == "bfloat16":
        runtime = replace(runtime, activations=mesh)
    return open_program(small.experiment(items=20_000), runtime)


def train(mesh: str, folder: Path) -> dict:
    """Trains some steps; saves a checkpoint of the last, where others restore it."""
    opened = program(mesh)
    losses = []
    with set_mesh(opened.mesh):
        state = opened.init()
        step = opened.step().lower(opened.like, opened.batch_shapes).compile()
        batches = opened.batches(0)
        for _ in range(STEPS):
            state, report = step(state, put_batch(next(batches), opened.mesh))
            losses.append(float(report.means["loss"][0]))
        if mesh in SAVED:
            checkpoints = Checkpoints(folder / f"checkpoints_{mesh}", 2)
            checkpoints.save(STEPS, state)
            checkpoints.close()
    np.savez(folder / f"trained_{mesh}.npz", **named(opened, state))
    film = state.tables["film"]
    shards = sorted({shard.data.shape[0] for shard in film.addressable_shards})
    told = {"losses": losses, "rows": film.shape[0], "shard_rows": shards}
    return told | (looked_into(opened, step) if mesh in LOOKED_INTO else {})


def named(opened, state) -> dict[str, np.ndarray]:
    """Returns the arrays of a state by path; tables without rows added for a mesh."""
    specs = opened.experiment.model.table_specs(opened.dataset.sides)
    state = jax.device_get(state)
    cut = {n: t[: specs[n].rows] for n, t in state.tables.items()}
    slots = {n: s[: specs[n].rows] for n, s in state.opt["rows"].items()}
    state = state.replace(tables=cut, opt={**state.opt, "rows": slots})
    leaves = jax.tree_util.tree_leaves_with_path(state)
    return {jax.tree_util.keystr(p, simple=True, separator="|"): v for p, v in leaves}


def restore(saved: str, mesh: str, folder: Path) -> None:
    """Restores a checkpoint of one mesh on another and saves its arrays."""
    opened = program(mesh)
    state = opened.restore(folder / f"checkpoints_{saved}")
    for leaf, like in zip(
        jax.tree.leaves(state), jax.tree.leaves(opened.like), strict=True
    ):
        assert leaf.sharding.is_equivalent_to(like.sharding, leaf.ndim)
    np.savez(folder / f"restored_{saved}_on_{mesh}.npz", **named(opened, state))


def dense_bytes(mesh: str) -> list[int]:
    """Returns bytes a device of wider towers and their optimizer's state, and all."""
    made = small.experiment()
    query = made.model.query.clone(hidden=(512, 256))
    made = replace(made, model=replace(made.model, query=query))
    opened = open_program(made, replace(small.runtime(), mesh=MESHES[mesh]))
    arrays = jax.tree.leaves((opened.like.params, opened.like.opt["dense"]))
    held = [np.prod(a.sharding.shard_shape(a.shape)) * 4 for a in arrays]
    return [int(sum(held)), 4 * sum(a.size for a in arrays)]


def looked_into(opened, step) -> dict:
    """Returns the sizes of a compiled step's collectives, in elements."""
    text, film = step.as_text(), opened.like.tables["film"]
    sizes = [one.elements for one in collectives(text, opened.mesh)]
    held = re.findall(rf"f32\[{film.shape[0]},{film.shape[1]}\]", text)
    return {"sizes": sizes, "whole_tables": len(held)}


def ranking(mesh: str, folder: Path) -> None:
    """Ranks a corpus with ties, exclusions and uneven tiles."""
    random = np.random.default_rng(0)
    queries = random.integers(-2, 3, (13, 4)).astype(np.float32)
    corpus = random.integers(-2, 3, (101, 4)).astype(np.float32)
    chosen = [random.permutation(101) for _ in queries]
    task = RankingTask.from_lists(
        101,
        [order[: q % 4] for q, order in enumerate(chosen)],
        exclude=[order[4 : 4 + 3 * q] for q, order in enumerate(chosen)],
    )
    devices = make_mesh(MESHES[mesh])
    got = rank_embeddings(queries, corpus, task, 9, devices, block=5, tile=4)
    some = {"ties": "worst", "ranked": 50}  # Of 101: judged items may lie behind.
    behind = rank_embeddings(queries, corpus, task, 9, devices, 5, 4, **some)
    np.savez(
        folder / f"ranking_{mesh}.npz",
        rank=got.rank,
        behind=behind.rank,
        top=got.top,
        query=got.query,
        queries=queries,
        corpus=corpus,
        offsets=task.offsets,
        items=task.items,
        exclude_offsets=task.exclude_offsets,
        exclude=task.exclude,
    )


def reads_and_writes(mesh: str, folder: Path) -> None:
    """Reads and writes rows of a sharded table, some ids outside it."""
    devices = make_mesh(MESHES[mesh])
    table = np.random.default_rng(0).normal(size=(24, 3)).astype(np.float32)
    ids = np.array([0, 2, 3, 7, 11, 12, 23, 24, 24], np.int32)
    values = np.arange(27, dtype=np.float32).reshape(9, 3)
    with set_mesh(devices):
        where = jax.sharding.NamedSharding(
            devices, jax.sharding.PartitionSpec(devices.axis_names)
        )
        placed = jax.device_put(table, where)
        read = rows.read(placed, ids, devices)
        written = rows.write(placed, ids, values, devices)
    np.savez(
        folder / f"rows_{mesh}.npz",
        table=table,
        ids=ids,
        values=values,
        read=read,
        written=written,
    )


def main(folder: Path) -> None:
    """Does everything."""
    report = {"devices": len(jax.devices()), "train": {}}
    for mesh in MESHES:
        if mesh != "2x4":
            report["train"][mesh] = train(mesh, folder)
        if mesh not in ("fsdp", "bfloat16"):
            ranking(mesh, folder)
            reads_and_writes(mesh, folder)
    report["dense"] = dense_bytes("fsdp")
    for mesh in ("4x2", "2x4", "1"):
        restore("4x2", mesh, folder)
    restore("1", "8", folder)
    (folder / "report.json").write_text(json.dumps(report))
