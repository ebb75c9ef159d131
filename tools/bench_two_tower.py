"""How many pairs a second does the OmniSearchSage training step take?

    python tools/bench_two_tower.py --config small
    python tools/bench_two_tower.py --config full        # with a GPU

The small configuration is the one at which the published step was timed on a CPU
(`PUBLISHED`): a DistilBERT of 2 layers of 128, 19 text fields of 12 n-grams in the
mean, drawn uniformly from 1,264,003, a hash table of 100,000 x 256, the MLP
1792-1024-1024-512, four random negatives a pair, tasks 8:4:2:2, in-batch and random
softmax at all Matryoshka widths against learned and frozen embeddings, count-min
sketches of 2^20.
Steps of different sizes take turns, so that a busy machine slows all alike. A "2-core
CPU-second" is two seconds of CPU time, as the published figure is given.

Then tables grow from 100 k to 10 M rows. Drawn by Zipf's law, as words of texts are,
about as many rows are touched either way; drawn uniformly, a batch of 256 pairs touches
100 k rows of the small hash table and 480 k of the large one, and pays for them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, set_mesh
from omnisearch_workload import (
    CONFIGS,
    Sizes,
    bytes_moved,
    distinct_rows,
    flops,
    make_batch,
    make_losses,
    make_model,
    make_sides,
)

from recjax import rng
from recjax.execution import Execution
from recjax.optim import Lamb, Optimizer, RowwiseAdagrad, WarmupCosine
from recjax.sharding.mesh import make_mesh
from recjax.sharding.placement import put_batch
from recjax.train import state as states
from recjax.train.step import compile_step, make_step
from recjax.typing import Batch

PUBLISHED = {256: 35.0, 1_024: 93.8}
"""Pairs a 2-core CPU-second of the published step, torch 2.13 (32-38 at 256 pairs)."""
GROUP = 16
"""Pairs of the smallest batch with whole tasks."""
ROWS = (100_000, 10_000_000)
TABLES = ("tokens", "buckets")
"""The importances, by n-gram, and the vectors, by hash."""
BATCHES, STEPS = 4, 1_000_000


@dataclass
class Runner:
    """A compiled step, its state, its batches and what its steps took."""

    pairs: int
    step: Callable[[Any, Batch], tuple[Any, Any]]
    state: Any
    batches: Sequence[Batch]
    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def run(self, steps: int) -> None:
        """Does some steps; the first finds others' data in the caches: not noted."""
        for number in range(1 + steps):
            batch = self.batches[number % len(self.batches)]
            cpu, wall = time.process_time(), time.perf_counter()
            self.state, out = self.step(self.state, batch)
            jax.block_until_ready((self.state, out))
            if number:
                self.wall.append(time.perf_counter() - wall)
                self.cpu.append(time.process_time() - cpu)


def main() -> None:
    """Measures, prints the tables, and the figures as JSON in the last line."""
    args = parse()
    sizes, mesh = CONFIGS[args.config], make_mesh({"data": -1})
    if args.memory:
        print(json.dumps({"gib": memory(args, sizes, mesh)}))
        return
    print(
        f"jax {jax.__version__}, Python {platform.python_version()}, "
        f"{mesh.size} x {jax.devices()[0].device_kind}, {os.cpu_count()} CPUs"
    )
    with set_mesh(mesh):
        figures = speeds(args, sizes, mesh)
        ratios = {
            f"{table}, {draw}": ratio(args, replace(sizes, draw=draw), table, mesh)
            for draw in args.draws
            for table in args.tables
        }
    figures["row_ratios"] = ratios
    of_text = [value for name, value in ratios.items() if "zipf" in name and value]
    figures["row_ratio_10m_over_100k"] = max(of_text, default=None)
    print(json.dumps(figures))


def parse() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", choices=CONFIGS, default="small")
    parser.add_argument("--pairs", type=int, nargs="+", default=[256, 1_024])
    parser.add_argument(
        "--tables",
        nargs="*",
        choices=TABLES,
        default=TABLES,
        help="whose rows are varied from 100 k to 10 M",
    )
    parser.add_argument("--draws", nargs="*", default=["zipf", "uniform"])
    parser.add_argument(
        "--memory",
        action="store_true",
        help="compile alone, and say what memory a step needs",
    )
    parser.add_argument(
        "--rows-at-once", type=int, default=None, help="of logits, in the losses"
    )
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--steps", type=int, default=3, help="of a round")
    return parser.parse_args()


def speeds(args: argparse.Namespace, sizes: Sizes, mesh: Mesh) -> dict[str, Any]:
    """Measures steps of all numbers of pairs, prints a line each, returns figures."""
    rate, moved = matmul_rate(), move_rate()
    print(
        f"This machine: {rate / 1e9:.0f} GFLOP and {moved / 1e9:.1f} GB a CPU-second\n"
        f"\n{'pairs':>6}{'ms':>8}{'CPU ms':>9}{'pairs/s':>9}{'pairs/2-core CPU-s':>20}"
        f"{'x published':>13}{'floor, CPU ms':>26}{'x floor':>9}"
    )
    runners = [runner(sizes, pairs, mesh, args) for pairs in args.pairs]
    for _ in range(args.rounds):
        for one in runners:
            one.run(args.steps)
    figures: dict[str, Any] = {"pairs_per_cpu_s": {}, "x_published": {}, "x_floor": {}}
    for one in runners:
        wall, cpu = np.median(one.wall), np.median(one.cpu)
        known = PUBLISHED.get(one.pairs) if args.config == "small" else None
        speed = 2 * one.pairs / cpu
        products, bytes_ = flops(sizes, one.pairs), bytes_moved(sizes, one.pairs)
        floor = products / rate + bytes_ / moved
        text = f"{1e3 * products / rate:.0f} FLOPs + {1e3 * bytes_ / moved:.0f} bytes"
        over = f"{speed / known:.1f}" if known else ""
        print(
            f"{one.pairs:>6}{1e3 * wall:>8.0f}{1e3 * cpu:>9.0f}{one.pairs / wall:>9.0f}"
            f"{speed:>20.1f}{over:>13}{text:>26}{cpu / floor:>9.1f}",
            flush=True,
        )
        key = str(one.pairs)
        figures["pairs_per_cpu_s"][key] = round(float(speed), 1)
        figures["x_floor"][key] = round(float(cpu / floor), 2)
        if known:
            figures["x_published"][key] = round(float(speed / known), 2)
    return figures


def memory(args: argparse.Namespace, sizes: Sizes, mesh: Mesh) -> dict[str, float]:
    """Returns pairs -> GiB that a compiled step needs beside its state and batch."""
    found = {}
    for pairs in args.pairs:
        made = make_batch(sizes, GROUP, 0)
        batch = jax.tree.map(
            lambda a, n=pairs // GROUP: jax.ShapeDtypeStruct(
                (n * len(a), *a.shape[1:]), a.dtype
            ),
            made,
        )
        given, start = parts(sizes, args, None, mesh)
        with set_mesh(mesh):
            state = jax.eval_shape(start, batch)
            step = compile_step(make_step(*given), state, mesh)
            needs = step.lower(state, batch).compile().memory_analysis()
        found[str(pairs)] = round(needs.temp_size_in_bytes / 2**30, 2)
        print(f"{pairs} pairs: {found[str(pairs)]} GiB beside state and batch")
    return found


def ratio(
    args: argparse.Namespace, sizes: Sizes, table: str, mesh: Mesh
) -> float | None:
    """Returns the cost of a step over 10 M rows of a table over that over 100 k."""
    need = ROWS[1] * 256 * 4 * 1.4 if table == "buckets" else 1e9
    if (free := free_memory()) < need:
        print(f"{table}: left out: {need / 1e9:.0f} GB, {free / 1e9:.0f} GB are free")
        return None
    runners = [
        runner(replace(sizes, **{table: rows}), args.pairs[0], mesh, args)
        for rows in ROWS
    ]
    for _ in range(args.rounds):
        for one in runners:
            one.run(args.steps)
    small, large = (np.median(one.cpu) for one in runners)
    found = round(float(large / small), 3)
    print(
        f"{table}, drawn {sizes.draw}: {1e3 * small:.0f} CPU ms at {ROWS[0]:,}, "
        f"{1e3 * large:.0f} at {ROWS[1]:,}: {found:.2f}",
        flush=True,
    )
    return found


def free_memory() -> float:
    """Returns the bytes of memory that are free on this host."""
    if not os.path.exists("/proc/meminfo"):
        return float("inf")
    known = dict(line.split(":") for line in open("/proc/meminfo"))
    return int(known["MemAvailable"].split()[0]) * 1024


def move_rate() -> float:
    """Returns the bytes of a CPU-second of copying, the best of ten."""
    long, best = jnp.ones(1 << 26), 0.0
    negative = jax.jit(jnp.negative, donate_argnums=0)
    for _ in range(10):
        began = time.process_time()
        long = jax.block_until_ready(negative(long))
        best = max(best, 2 * 4 * (1 << 26) / (time.process_time() - began))
    return best


def matmul_rate() -> float:
    """Returns the FLOPs of a CPU-second of square matrix products, the best of ten."""
    square, multiply, best = jnp.eye(2_048), jax.jit(lambda a: a @ a), 0.0
    for _ in range(10):
        began = time.process_time()
        square = jax.block_until_ready(multiply(square))
        best = max(best, 2 * 2_048**3 / (time.process_time() - began))
    return best


def runner(sizes: Sizes, pairs: int, mesh: Mesh, args: argparse.Namespace) -> Runner:
    """Returns the compiled step for batches of so many pairs."""
    made = [make_batch(sizes, pairs, i) for i in range(BATCHES)]
    batches = [put_batch(batch, mesh) for batch in made]
    given, start = parts(sizes, args, distinct_rows(made), mesh)
    state = start(batches[0])
    return Runner(pairs, compile_step(make_step(*given), state, mesh), state, batches)


def parts(
    sizes: Sizes, args: argparse.Namespace, distinct: int | None, mesh: Mesh
) -> tuple[tuple[Any, ...], Callable[[Batch], Any]]:
    """Returns what `make_step` takes, and what makes the first state of a batch."""
    model, sides, key = make_model(sizes, distinct), make_sides(sizes), rng.root(0)
    optimizer = Optimizer(
        {"tables/.*": RowwiseAdagrad(0.02), ".*": Lamb(10**-2.7)}, WarmupCosine(750)
    )

    def start(batch: Batch) -> Any:
        return states.init(key, model, sides, optimizer, STEPS, batch, mesh)

    execution = Execution(
        remat=sizes.remat,
        softmax_rows=args.rows_at_once or 0,
        activations=sizes.activations,
    )
    made = (key, model, sides, make_losses(), optimizer, STEPS, mesh, execution)
    return made, start


if __name__ == "__main__":
    main()
