"""What grows with devices and with the vocabulary, and what does not.

    python tools/bench_scale.py
    python tools/bench_scale.py --json --no-times

A two-tower model on pretended CPU devices, one process for each number of them. Floor:
a table of V rows of D numbers and its optimizer's number a row on N devices are
4 V (D + 1) / N bytes; a step reads and writes the rows of a batch alone, so that its
collectives carry what U distinct rows are, whatever V is. Prints tables, and JSON in
the last line (`--json`: nothing else). Step times on pretended devices tell of ratios,
not of chips.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from typing import Any

DEVICES = (1, 2, 4, 8)
ROWS, SMALL, WIDTH, HIDDEN = (100_000, 1_000_000, 10_000_000), 100_000, 64, 1024
BATCH, LENGTH, NEGATIVES = 256, 20, 256
WARM, TIMED = 3, 15
PAPER = {"items": 1e9, "width": 64, "chips": 256, "batch": 65_536, "history": 50}
LINK, HBM = 45e9, 16e9
"""Bytes a second of a v5e chip's link in one direction, and bytes of its memory."""


def program(rows: int, mesh: Any) -> tuple[Any, Any, Any]:
    """Returns what compiles the step, shapes of its state, and what makes one."""
    import jax
    from jax.sharding import set_mesh

    from recjax import rng
    from recjax.features import IdFeature
    from recjax.losses import SampledSoftmax
    from recjax.models import Table, TwoTower
    from recjax.nn.decayed_sum import RecencyBag
    from recjax.nn.inputs import EmbeddingBag
    from recjax.nn.tower import Tower
    from recjax.optim import Adam, Optimizer, RowwiseAdagrad
    from recjax.sharding.placement import put_batch
    from recjax.train import state as states
    from recjax.train.checkpoint import like
    from recjax.train.step import compile_step, make_step

    model = TwoTower(
        query=Tower({"history": RecencyBag("item", WIDTH)}, WIDTH, hidden=(HIDDEN,)),
        candidate=Tower({"item": EmbeddingBag("item")}, WIDTH, hidden=(HIDDEN,)),
        tables={"item": Table(WIDTH)},
    )
    sides = {
        "query": {"history": IdFeature(rows, LENGTH)},
        "candidate": {"item": IdFeature(rows, 1)},
    }
    optimizer = Optimizer({"tables/.*": RowwiseAdagrad(0.1), ".*": Adam(1e-3)})
    key, losses = rng.root(0), {"softmax": SampledSoftmax(random=True)}
    given = (key, model, sides, losses, optimizer, 1_000, mesh)
    with set_mesh(mesh):
        placed = put_batch(batch(rows), mesh)

        def make() -> Any:
            return states.init(key, model, sides, optimizer, 1_000, placed, mesh)

        shape = jax.eval_shape(make)
        held = like(shape, states.shardings(shape, mesh))
        step: Any = compile_step(make_step(*given), held, mesh)
        return lambda: step.lower(held, placed).compile(), held, make


def batch(rows: int) -> dict[str, Any]:
    """Returns random pairs, as many distinct rows whatever the vocabulary."""
    import numpy as np

    random = np.random.default_rng(0)
    few = np.sort(random.choice(rows - 1, 4_096, replace=False)) + 1
    evenly = np.full(BATCH, -np.log(4_096), np.float32)
    ids = random.choice(few, (3, BATCH)).astype(np.int32)
    kinds = [f"{side}{kind}_logq" for side in _SIDES for kind in ("", "_draw")]
    return {
        "query": {"history": random.choice(few, (BATCH, LENGTH)).astype(np.int32)},
        "positive": {"item": ids[0][:, None]},
        "negative": {"item": ids[1][:, None]},
        "query_id": np.arange(BATCH, dtype=np.int32),
        "positive_id": ids[0],
        "negative_id": ids[1],
        "weight": np.ones(BATCH, np.float32),
        **dict.fromkeys(kinds, evenly),
    }


_SIDES = ("positive", "negative")


def bytes_a_device(held: Any) -> dict[str, int]:
    """Returns the bytes of tables and of dense state on each device."""
    import math

    import jax

    def size(arrays: Any) -> int:
        shards = [(a.sharding.shard_shape(a.shape), a) for a in jax.tree.leaves(arrays)]
        return sum(math.prod(shape) * a.dtype.itemsize for shape, a in shards)

    return {
        "tables": size((held.tables, held.opt["rows"])),
        "dense": size((held.params, held.opt["dense"])),
    }


def child(devices: int, times: bool) -> dict[str, Any]:
    """Returns what one process with so many devices finds."""
    from jax.sharding import set_mesh

    from recjax.sharding.collectives import collectives
    from recjax.sharding.mesh import make_mesh

    out: dict[str, Any] = {"devices": devices, "vocabulary": {}}
    mesh = make_mesh({"data": 1, "fsdp": devices})
    out["bytes_a_device"] = bytes_a_device(program(SMALL, mesh)[1])
    turns = {}
    for rows in ROWS if devices == DEVICES[-1] or (times and devices == 1) else ():
        mesh = make_mesh({"data": devices})
        compiles, _, make = program(rows, mesh)
        with set_mesh(mesh):
            step = compiles()
        found = collectives(step.as_text(), mesh)
        out["vocabulary"][rows] = {
            "collectives": len(found),
            "looped": sum(one.looped for one in found),
            "collective_bytes": sum(one.bytes for one in found),
        }
        turns[rows] = step, make, mesh
    for rows, told in timed(turns).items() if times else ():
        out["vocabulary"][rows] |= told
    return out


def timed(turns: dict[int, Any]) -> dict[int, dict[str, float]]:
    """Returns the times of steps that take turns, since other work comes and goes."""
    import jax
    from jax.sharding import set_mesh

    from recjax.sharding.placement import put_batch

    seconds: dict[int, list[tuple[float, float]]] = {rows: [] for rows in turns}
    held = {}
    for rows, (_, make, mesh) in turns.items():
        with set_mesh(mesh):
            held[rows] = make(), put_batch(batch(rows), mesh)
    for turn in range(WARM + TIMED):
        for rows, (step, _, mesh) in turns.items():
            state, given = held.pop(rows)
            wall, cpu = time.perf_counter(), time.process_time()
            with set_mesh(mesh):
                state, report = step(state, given)
                jax.block_until_ready((state, report))
            took = time.perf_counter() - wall, time.process_time() - cpu
            if turn >= WARM:
                seconds[rows].append(took)
            held[rows] = state, given
    smallest = seconds[min(turns)] if turns else []
    return {
        rows: {
            "step_ms": round(1e3 * statistics.median(wall for wall, _ in found), 2),
            "cpu_ms": round(1e3 * statistics.median(cpu for _, cpu in found), 2),
            "cpu_to_smallest": round(
                statistics.median(
                    own / least
                    for (_, own), (_, least) in zip(found, smallest, strict=True)
                ),
                2,
            ),
        }
        for rows, found in seconds.items()
    }


def paper() -> dict[str, float]:
    """Returns bytes and seconds of a step of 1 B items on 256 chips, on paper."""
    chips, width, pairs = PAPER["chips"], PAPER["width"], PAPER["batch"]
    table = 4 * PAPER["items"] * (width + 1) / chips
    # At most as many distinct rows as ids; histories, positives, negatives.
    distinct = pairs * (PAPER["history"] + 2)
    # Read and written: rows come as a sum over devices, gradients as another one.
    sent = 2 * 2 * 4 * distinct * width * (chips - 1) / chips
    columns = 2 * 4 * 2 * pairs * width
    return {
        "table_gb_a_chip": table / 1e9,
        "share_of_memory": table / HBM,
        "row_gb_sent": sent / 1e9,
        "column_gb_sent": columns / 1e9,
        "seconds_of_links": (sent + columns) / LINK,
    }


def measure(devices: int, times: bool) -> dict[str, Any]:
    """Runs a child that pretends to have so many devices."""
    flag = f"--xla_force_host_platform_device_count={devices}"
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": flag}
    told = [sys.executable, __file__, "--child", str(devices)]
    told += [] if times else ["--no-times"]
    done = subprocess.run(told, env=environment, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f"the process with {devices} devices failed")
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--no-times", action="store_true")
    parser.add_argument("--child", type=int, default=0)
    given = parser.parse_args()
    if given.child:
        print(json.dumps(child(given.child, not given.no_times)))
        return
    found = [measure(devices, not given.no_times) for devices in DEVICES]
    one = found[0]["bytes_a_device"]
    for part in found:
        own = part["bytes_a_device"]
        part["share"] = {k: round(own[k] / one[k] * part["devices"], 3) for k in own}
    if not given.json:
        for part in found:
            print(f"{part['devices']} devices: {part['bytes_a_device']} bytes a device")
            for rows, told in part["vocabulary"].items():
                print(f"  vocabulary {int(rows):>12,}: {told}")
        print("1 B items on 256 chips, on paper:", paper())
    print(json.dumps({"devices": found, "paper": paper()}))


if __name__ == "__main__":
    main()
