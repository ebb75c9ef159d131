"""Does the cost of a training step know how large the embedding table is?

    python tools/bench_embedding.py

Times `recjax.train.step` on a two-tower over a table of 100 k and of 10 M rows, and
beside it the naive step: the same model, but a gradient of the whole table and
optax's Adagrad on it. Rounds of steps of both sizes take turns, so that a busy machine
slows both alike; within a round the steps follow each other as in training, and the
first ones, which find the other size's data in the caches, do not count. Times are
medians over all steps, a ratio is the median of the rounds' ratios. The naive step runs
one size after the other, since both together need too much memory (13 GB at 10 M rows).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
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
from recjax.models import Table, TableSpec, TwoTower
from recjax.models.base import whole_tables
from recjax.nn.inputs import EmbeddingBag
from recjax.nn.tower import Tower
from recjax.optim import Adam, Optimizer, RowwiseAdagrad
from recjax.sharding.mesh import make_mesh
from recjax.sharding.placement import put_batch
from recjax.train import state as states
from recjax.train.step import compile_step, make_step
from recjax.typing import Array, Batch

STEPS = 1_000_000
BATCHES, WARM = 8, 3


@dataclass(frozen=True)
class CheapStart(TwoTower):
    """The two-tower with tables that start in seconds instead of minutes."""

    def table_specs(self, sides: Sides) -> dict[str, TableSpec]:
        """Returns the model's tables, filled by a sawtooth."""
        specs = super().table_specs(sides)
        return {name: replace(spec, init=_sawtooth) for name, spec in specs.items()}


@dataclass
class Runner:
    """A compiled step with its state, and the milliseconds of its steps by round."""

    rows: int
    step: Callable[[Any, Batch], tuple[Any, Any]]
    state: Any
    wall: list[list[float]] = field(default_factory=list)
    cpu: list[list[float]] = field(default_factory=list)

    def round(self, batches: Sequence[Batch], steps: int) -> None:
        """Does a round and notes the time of all its steps but the first ones."""
        walls, cpus = [], []
        for number in range(WARM + steps):
            batch = batches[number % len(batches)]
            cpu, wall = time.process_time(), time.perf_counter()
            self.state, out = self.step(self.state, batch)
            jax.block_until_ready((self.state, out))
            walls.append(1e3 * (time.perf_counter() - wall))
            cpus.append(1e3 * (time.process_time() - cpu))
        self.wall.append(walls[WARM:])
        self.cpu.append(cpus[WARM:])


def main() -> None:
    """Measures, prints the table, and the ratios as JSON in the last line."""
    args = parse()
    floor = print_floor(args)
    print(
        f"\n{'step':<6}{'rows':>11}{'ms':>10}{'10..90 %':>20}{'least':>9}{'CPU ms':>9}"
    )
    sizes = f"{short(args.large)}_over_{short(args.small)}"
    figures: dict[str, Any] = {}
    mesh = make_mesh({"data": 1})
    with set_mesh(mesh):
        for name, label in (("rows", "step"), ("dense", "dense")):
            found = measure(name, args, mesh)
            figures[f"{label}_ratio_{sizes}"] = found.pop("ratio", None)
            figures |= {f"{name}_{size}_ms": value for size, value in found.items()}
    if "rows_large_ms" in figures:
        print(f"\nA step on rows takes {figures['rows_large_ms'] / floor:.1f} floors.")
    print(json.dumps(figures))


def parse() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", type=int, default=100_000, help="rows")
    parser.add_argument("--large", type=int, default=10_000_000, help="rows")
    parser.add_argument("--batch", type=int, default=1_024, help="pairs a step")
    parser.add_argument("--bag", type=int, default=8, help="ids a query and an item")
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--steps", type=int, default=10, help="timed steps of a round")
    parser.add_argument("--dense-steps", type=int, default=8, help="0 leaves it out")
    return parser.parse_args()


def measure(name: str, args: argparse.Namespace, mesh: Mesh) -> dict[str, float]:
    """Measures one kind of step at both sizes and prints its lines of the table.

    Returns:
      Median milliseconds by size, and the ratio; nothing where it was left out.
    """
    dense = name == "dense"
    steps = args.dense_steps if dense else args.steps
    if not steps or not enough_memory(args, 5.0 if dense else 2.1):
        return {}
    batches = {
        rows: [put_batch(make_batch(rows, args, i), mesh) for i in range(BATCHES)]
        for rows in (args.small, args.large)
    }
    if dense:
        runners = []
        for rows in batches:
            runner = dense_runner(rows, args)
            runner.round(batches[rows], steps)
            runner.state = None  # Makes room for the next.
            runners.append(runner)
    else:
        runners = [row_runner(rows, args, mesh) for rows in batches]
        for _ in range(args.rounds):
            for runner in runners:
                runner.round(batches[runner.rows], steps)
    for runner in runners:
        wall = np.array(runner.wall)
        low, high = np.percentile(wall, [10, 90])
        print(
            f"{name:<6}{runner.rows:>11,}{np.median(wall):>10.1f}"
            f"{f'{low:.1f}..{high:.1f}':>20}{wall.min():>9.1f}"
            f"{np.median(runner.cpu):>9.1f}",
            flush=True,
        )
    small, large = (np.median(runner.wall, 1) for runner in runners)
    least = np.min(runners[1].wall) / np.min(runners[0].wall)
    cpu = np.median(runners[1].cpu) / np.median(runners[0].cpu)
    ratio = round(float(np.median(large / small)), 3)
    print(f"{name:<6}{'ratio':>11}{ratio:>10.2f}{'':>20}{least:>9.2f}{cpu:>9.2f}")
    middle = [round(float(np.median(runner.wall)), 2) for runner in runners]
    return {"ratio": ratio, "small": middle[0], "large": middle[1]}


def print_floor(args: argparse.Namespace) -> float:
    """Prints what a step must at least compute and move; returns its milliseconds."""
    ids, width = 2 * args.batch * args.bag, args.width
    flops = 3 * 2 * args.batch**2 * width + 6 * ids * width
    touched, whole = 3 * ids * width * 4, 5 * args.large * width * 4
    # What this machine takes for arithmetic and for streaming bytes alone, now.
    square, long = jnp.eye(1_024), jnp.ones(1 << 26)
    flop_ms = quickest(jax.jit(lambda a: a @ a), square) / (2 * 1_024**3)
    byte_ms = quickest(jax.jit(jnp.negative, donate_argnums=0), long) / (2 * 4 << 26)
    device = jax.devices()[0].device_kind
    print(
        f"jax {jax.__version__}, Python {platform.python_version()}, {device}, "
        f"{os.cpu_count()} CPUs\n"
        f"{args.batch} pairs, {args.bag} ids a side: {ids} ids a step, D={width}\n"
        f"This machine: {1e-6 / flop_ms:.0f} GFLOP/s, {1e-6 / byte_ms:.1f} GB/s\n"
        f"Floor of a step on rows: {flops / 1e6:.0f} MFLOP = {flops * flop_ms:.1f} ms, "
        f"{touched / 1e6:.1f} MB (rows read, gradient, rows written) = "
        f"{touched * byte_ms:.1f} ms\n"
        f"Floor of a dense step at {args.large:,} rows: {whole / 1e9:.1f} GB (gradient "
        f"written, table and accumulator read and written) = {whole * byte_ms:.0f} ms"
    )
    return flops * flop_ms + touched * byte_ms


def quickest(function: Callable[[Array], Array], value: Array) -> float:
    """Returns the milliseconds of the quickest of twenty calls, each on the last's."""
    times = []
    for _ in range(20):
        began = time.perf_counter()
        value = jax.block_until_ready(function(value))
        times.append(1e3 * (time.perf_counter() - began))
    return min(times)


def enough_memory(args: argparse.Namespace, tables: float) -> bool:
    """Says so where a CPU machine has no room for that many tables."""
    need, free = args.large * args.width * 4 * tables, float("inf")
    if jax.default_backend() == "cpu" and os.path.exists("/proc/meminfo"):
        known = dict(line.split(":") for line in open("/proc/meminfo"))
        free = int(known["MemAvailable"].split()[0]) * 1024
    if free < need:
        print(f"left out: needs {need / 1e9:.0f} GB, {free / 1e9:.0f} GB are free")
    return free >= need


def short(rows: int) -> str:
    """Returns "10m" of 10,000,000."""
    return f"{rows // 10**6}m" if rows % 10**6 == 0 else f"{rows // 1_000}k"


def row_runner(rows: int, args: argparse.Namespace, mesh: Mesh) -> Runner:
    """Returns the step that training uses: gradients of the gathered rows alone."""
    model, key = make_model(args.width), rng.root(0)
    optimizer = Optimizer({"tables/.*": RowwiseAdagrad(0.1), ".*": Adam(1e-3)})
    sides, batch = make_sides(rows, args), make_batch(rows, args, 0)
    state = states.init(key, model, sides, optimizer, STEPS, batch, mesh)
    losses = {"softmax": SampledSoftmax()}
    step = make_step(key, model, sides, losses, optimizer, STEPS, mesh)
    return Runner(rows, compile_step(step, state, mesh), state)


def dense_runner(rows: int, args: argparse.Namespace) -> Runner:
    """Returns the naive step: the table is one more dense parameter."""
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

    return Runner(rows, step, jax.jit(start)())


def make_model(width: int) -> CheapStart:
    """Returns two towers that sum bags of ids from one table."""
    return CheapStart(
        query=Tower({"ids": EmbeddingBag("id")}, width, hidden=()),
        candidate=Tower({"ids": EmbeddingBag("id")}, width, hidden=()),
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
