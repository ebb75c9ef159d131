"""Does the cost of a training step know how large the embedding table is?

    python tools/bench_embedding.py

Times `recjax.train.step` on a two-tower over a table of 100 k and of 10 M rows, and
beside it the naive step: the same model, but a gradient of the whole table and
optax's Adagrad on it. Steps of both sizes alternate, so that a busy machine slows both
alike; figures are medians. The naive step at 10 M rows needs about 11 GB.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh, set_mesh

from recjax import rng
from recjax.features import IdFeature, Sides
from recjax.losses import SampledSoftmax
from recjax.models import Table, TableSpec, Tower, TwoTower
from recjax.models.base import whole_tables
from recjax.nn.inputs import Bag
from recjax.optim import Adam, Optimizer, RowwiseAdagrad
from recjax.sharding.mesh import make_mesh
from recjax.sharding.placement import put_batch
from recjax.train import state as states
from recjax.train.step import compile_step, make_step
from recjax.typing import Array, Batch

STEPS = 1_000_000
BATCHES = 8


@dataclass(frozen=True)
class CheapStart(TwoTower):
    """The two-tower with tables that start in seconds instead of minutes."""

    def table_specs(self, sides: Sides) -> dict[str, TableSpec]:
        """Returns the model's tables, filled by a sawtooth."""
        specs = super().table_specs(sides)
        return {name: replace(spec, init=_sawtooth) for name, spec in specs.items()}


@dataclass
class Runner:
    """A compiled step with its state and the times that it took."""

    name: str
    rows: int
    step: Callable[[Any, Batch], tuple[Any, Any]]
    state: Any
    wall: list[float]
    cpu: list[float]

    def run(self, batch: Batch) -> None:
        """Does one step and notes its times."""
        cpu, wall = time.process_time(), time.perf_counter()
        self.state, out = self.step(self.state, batch)
        jax.block_until_ready((self.state, out))
        self.wall.append(time.perf_counter() - wall)
        self.cpu.append(time.process_time() - cpu)


def main() -> None:
    """Measures, prints the table, and the ratios as JSON in the last line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", type=int, default=100_000, help="rows")
    parser.add_argument("--large", type=int, default=10_000_000, help="rows")
    parser.add_argument("--batch", type=int, default=1_024, help="pairs a step")
    parser.add_argument("--bag", type=int, default=8, help="ids a query and an item")
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--steps", type=int, default=60, help="timed steps of a size")
    parser.add_argument("--dense-steps", type=int, default=5, help="0 leaves it out")
    args = parser.parse_args()
    mesh = make_mesh({"data": 1})
    print_floor(args)
    medians: dict[str, dict[str, float]] = {}
    for name, make, steps in (
        ("rows", row_runner, args.steps),
        ("dense", dense_runner, args.dense_steps),
    ):
        if steps and enough_memory(args, dense=name == "dense"):
            medians[name] = measure(name, make, steps, args, mesh)
    out = {}
    for name, label in (("rows", "step"), ("dense", "dense")):
        found = medians.get(name)
        ratio = found["large"] / found["small"] if found else None
        out[f"{label}_ratio_10m_over_100k"] = ratio and round(ratio, 3)
    for name, found in medians.items():
        out |= {f"{name}_{k}_ms": round(v, 3) for k, v in found.items()}
    out |= {"rows": [args.small, args.large], "device": jax.devices()[0].device_kind}
    print(json.dumps(out))


def print_floor(args: argparse.Namespace) -> None:
    """Prints what a step must at least compute and move."""
    ids, width = 2 * args.batch * args.bag, args.width
    softmax = 3 * 2 * args.batch**2 * width
    touched = ids * width * 4
    whole = args.large * width * 4
    print(
        f"jax {jax.__version__}, {jax.devices()[0].device_kind}, {os.cpu_count()} CPUs"
    )
    print(
        f"{args.batch} pairs, {args.bag} ids on each side, {ids} ids a step, D={width}"
    )
    print(
        f"floor of a step on rows: {(softmax + 6 * ids * width) / 1e6:.0f} MFLOP, "
        f"{3 * touched / 1e6:.1f} MB of table rows (read, gradient, write)"
    )
    print(
        f"floor of a dense step at {args.large:,} rows: {5 * whole / 1e9:.1f} GB "
        "(gradient written, read; table and accumulator read and written)"
    )


def enough_memory(args: argparse.Namespace, dense: bool) -> bool:
    """Says so and returns False where a CPU machine's memory would not do."""
    need = args.large * args.width * 4 * (4.2 if dense else 2.1)
    try:
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        for line in open("/proc/meminfo"):
            if line.startswith("MemAvailable"):
                free = int(line.split()[1]) * 1024
    except (OSError, ValueError):
        return True
    if jax.default_backend() == "cpu" and free < need:
        print(f"left out: needs {need / 1e9:.0f} GB, {free / 1e9:.0f} GB are free")
        return False
    return True


def measure(
    name: str,
    make: Callable[..., Runner],
    steps: int,
    args: argparse.Namespace,
    mesh: Mesh,
) -> dict[str, float]:
    """Runs both sizes in turn; returns their median milliseconds."""
    sizes = {"small": args.small, "large": args.large}
    with set_mesh(mesh):
        runners = {size: make(rows, args, mesh) for size, rows in sizes.items()}
        batches = {
            size: [put_batch(make_batch(rows, args, i), mesh) for i in range(BATCHES)]
            for size, rows in sizes.items()
        }
        for turn in range(-3, steps):
            for size, runner in runners.items():
                runner.run(batches[size][turn % BATCHES])
    out = {}
    for size, runner in runners.items():
        wall, cpu = runner.wall[3:], runner.cpu[3:]
        out[size] = 1e3 * statistics.median(wall)
        spread = np.percentile(wall, [10, 90]) * 1e3
        print(
            f"{name:5} {runner.rows:>11,} rows: {out[size]:9.2f} ms a step "
            f"(10..90 %: {spread[0]:.2f}..{spread[1]:.2f}), "
            f"CPU {1e3 * statistics.median(cpu):9.2f} ms",
            flush=True,
        )
    print(f"{name:5} ratio {out['large'] / out['small']:.2f}", flush=True)
    return out


def row_runner(rows: int, args: argparse.Namespace, mesh: Mesh) -> Runner:
    """The step that training uses: gradients of the gathered rows alone."""
    model, key = make_model(args.width), rng.root(0)
    optimizer = Optimizer({"tables/.*": RowwiseAdagrad(0.1), ".*": Adam(1e-3)})
    sides, batch = make_sides(rows, args), make_batch(rows, args, 0)
    state = states.init(key, model, sides, optimizer, STEPS, batch, mesh)
    losses = {"softmax": SampledSoftmax()}
    step = make_step(key, model, sides, losses, optimizer, STEPS, mesh)
    return Runner("rows", rows, compile_step(step, state, mesh), state, [], [])


def dense_runner(rows: int, args: argparse.Namespace, mesh: Mesh) -> Runner:
    """The naive step: the table is one more dense parameter."""
    del mesh
    model, key, loss_fn = make_model(args.width), rng.root(0), SampledSoftmax()
    optimizer = optax.adagrad(0.1)

    def start() -> tuple[Any, Any]:
        batch = make_batch(rows, args, 0)
        tables = {"id": _sawtooth(key, (rows, args.width))}
        blank = whole_tables({"id": jnp.zeros((1, args.width))}, model.rows(batch))
        learned = {"params": model.init(key, blank, batch)[0], "tables": tables}
        return learned, optimizer.init(learned)

    @partial(jax.jit, donate_argnums=0)
    def step(state: tuple[Any, Any], batch: Batch) -> tuple[tuple[Any, Any], Array]:
        learned, slots = state

        def loss(learned: Any) -> Array:
            taken = whole_tables(learned["tables"], model.rows(batch))
            outputs, _ = model.apply(learned["params"], taken, batch, {}, key)
            return jnp.mean(loss_fn(outputs).value)

        value, grads = jax.value_and_grad(loss)(learned)
        updates, slots = optimizer.update(grads, slots, learned)
        return (optax.apply_updates(learned, updates), slots), value

    return Runner("dense", rows, step, jax.jit(start)(), [], [])


def make_model(width: int) -> CheapStart:
    """Returns two towers that sum bags of ids from one table."""
    return CheapStart(
        query=Tower({"ids": Bag("id")}, width, hidden=()),
        candidate=Tower({"ids": Bag("id")}, width, hidden=()),
        tables={"id": Table(width)},
    )


def make_sides(rows: int, args: argparse.Namespace) -> Sides:
    """Returns the features of both sides."""
    ids = IdFeature(rows, args.bag)
    return {"query": {"ids": ids}, "candidate": {"ids": ids}}


def make_batch(rows: int, args: argparse.Namespace, seed: int) -> Batch:
    """Returns a batch of ids drawn uniformly, the worst case for caches."""
    generator, size = np.random.default_rng(seed), args.batch

    def ids(count: int) -> dict[str, np.ndarray]:
        return {"ids": generator.integers(1, rows, (count, args.bag), np.int32)}

    log_share = np.full(size, -np.log(rows), np.float32)
    none = np.zeros(0, np.float32)
    return {
        "query": ids(size),
        "positive": ids(size),
        "negative": ids(0),
        "query_id": np.arange(size, dtype=np.int32),
        "positive_id": generator.integers(0, rows, size, np.int32),
        "negative_id": none.astype(np.int32),
        "positive_logq": log_share,
        "negative_logq": none,
        "positive_draw_logq": log_share,
        "negative_draw_logq": none,
        "weight": np.ones(size, np.float32),
    }


def _sawtooth(key: Array, shape: tuple[int, int]) -> Array:
    del key
    row = jax.lax.broadcasted_iota(jnp.uint32, shape, 0)
    column = jax.lax.broadcasted_iota(jnp.uint32, shape, 1)
    mixed = (row * 64 + column) * jnp.uint32(2_654_435_761)
    return ((mixed >> 16).astype(jnp.float32) / 65_536 - 0.5) * 0.1


if __name__ == "__main__":
    main()
