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

from recjax import rng, tree
from recjax.features import DenseFeature, IdFeature, Sides
from recjax.losses import SampledSoftmax
from recjax.models import OmniSearch, PairCounts, Table, TableSpec, Tower
from recjax.nn.fields import HashFields
from recjax.nn.sketch import CountMin
from recjax.nn.transformer import Transformer, TransformerSettings
from recjax.nn.vectors import Vectors
from recjax.optim import Lamb, Optimizer, RowwiseAdagrad, WarmupCosine
from recjax.sharding.mesh import make_mesh
from recjax.sharding.placement import put_batch
from recjax.train import state as states
from recjax.train.step import compile_step, make_step
from recjax.typing import Array, Batch

PUBLISHED = {256: 35.0, 1_024: 93.8}
"""Pairs a 2-core CPU-second of the published step, torch 2.13 (32-38 at 256 pairs)."""
KINDS = {"pin": 8, "product": 6, "query": 2}
"""Sixteenths of a batch: pins 8, products 4 + 2, queries 2."""
NEGATIVES, FIELDS, WIDTH = 4, 19, 512
TOKENS = 1_264_004
WIDTHS = tuple((w, 1.0 if w >= 256 else 0.05) for w in (16, 32, 64, 128, 256, 512))
BATCHES, STEPS = 4, 1_000_000


@dataclass(frozen=True)
class Sizes:
    """Sizes of a configuration.

    Attributes:
      encoder: of the query tower.
      query_length: word pieces of a query.
      field_length: n-grams of a field, in the mean.
      tokens: rows of the table of importances.
      buckets: rows of the hash table.
      sketch: cells of a row of the sketches.
      dtype: what the towers multiply in.
    """

    encoder: TransformerSettings
    query_length: int = 16
    field_length: int = 12
    tokens: int = TOKENS
    buckets: int = 100_000
    sketch: int = 1 << 20
    dtype: str = "float32"

    @property
    def length(self) -> int:
        """Room for the n-grams of an entity: three deviations above the mean."""
        spread = 3 * self.field_length / 3**0.5 * FIELDS**0.5
        return -(-int(FIELDS * self.field_length + spread) // 8) * 8


CONFIGS = {
    "small": Sizes(TransformerSettings(30_522, 128, 2, 2, 512, 16, 0)),
    "full": Sizes(
        TransformerSettings(119_547, 768, 6, 12, 3_072, 64, 0),
        query_length=64,
        dtype="bfloat16",
    ),
}


@dataclass(frozen=True)
class CheapStart(OmniSearch):
    """The model with tables that start in no time."""

    def table_specs(self, sides: Sides) -> dict[str, TableSpec]:
        """Returns the model's tables, filled by a sawtooth."""
        specs = super().table_specs(sides)
        return {name: replace(spec, init=_sawtooth) for name, spec in specs.items()}


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
    """Measures, prints the table, and the figures as JSON in the last line."""
    args, sizes = parse()
    mesh = make_mesh({"data": -1})
    print(
        f"jax {jax.__version__}, Python {platform.python_version()}, "
        f"{mesh.size} x {jax.devices()[0].device_kind}, {os.cpu_count()} CPUs"
    )
    with set_mesh(mesh):
        runners = [runner(sizes, pairs, mesh) for pairs in args.pairs]
        names = [f"{args.config}, {pairs} pairs" for pairs in args.pairs]
        for rows in args.rows:
            for name, more in (
                ("tokens", replace(sizes, tokens=rows)),
                ("buckets", replace(sizes, buckets=rows)),
            ):
                if name in args.vary:
                    runners.append(runner(more, args.pairs[0], mesh))
                    names.append(f"{rows:,} {name}")
        for _ in range(args.rounds):
            for one in runners:
                one.run(args.steps)
    figures = report(names, runners, sizes, args)
    print(json.dumps(figures))


def parse() -> tuple[argparse.Namespace, Sizes]:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", choices=CONFIGS, default="small")
    parser.add_argument("--pairs", type=int, nargs="+", default=[256, 1_024])
    parser.add_argument(
        "--rows", type=int, nargs="*", default=[100_000, 10_000_000], help="of tables"
    )
    parser.add_argument("--vary", nargs="*", default=["tokens"])
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--steps", type=int, default=3, help="of a round")
    args = parser.parse_args()
    return args, CONFIGS[args.config]


def report(
    names: list[str], runners: list[Runner], sizes: Sizes, args: argparse.Namespace
) -> dict[str, Any]:
    """Prints a line a runner, and returns the figures."""
    rate = matmul_rate()
    print(f"matrix products: {rate / 1e9:.0f} GFLOP a CPU-second")
    print(
        f"\n{'':<22}{'ms':>8}{'CPU ms':>9}{'pairs/s':>9}{'pairs/2-core CPU-s':>20}"
        f"{'x published':>13}{'x floor':>9}"
    )
    figures: dict[str, Any] = {"pairs_per_cpu_s": {}, "x_published": {}, "x_floor": {}}
    for name, one in zip(names, runners, strict=True):
        wall, cpu = np.median(one.wall), np.median(one.cpu)
        speed, known = 2 * one.pairs / cpu, PUBLISHED.get(one.pairs)
        over = speed / known if known and args.config == "small" else float("nan")
        floor = flops(sizes, one.pairs) / rate
        print(
            f"{name:<22}{1e3 * wall:>8.0f}{1e3 * cpu:>9.0f}{one.pairs / wall:>9.0f}"
            f"{speed:>20.1f}{over:>13.1f}{cpu / floor:>9.1f}",
            flush=True,
        )
        if "pairs" in name:
            key = str(one.pairs)
            figures["pairs_per_cpu_s"][key] = round(float(speed), 1)
            figures["x_floor"][key] = round(float(cpu / floor), 2)
            if known and args.config == "small":
                figures["x_published"][key] = round(float(over), 2)
        else:
            figures[f"{name.replace(',', '').replace(' ', '_')}_ms"] = round(1e3 * cpu)
    by_name = dict(zip(names, (np.median(one.cpu) for one in runners), strict=True))
    for kind in args.vary:
        if len(args.rows) == 2:
            small, large = (by_name[f"{rows:,} {kind}"] for rows in args.rows)
            figures[f"row_ratio_{kind}"] = round(float(large / small), 3)
            print(f"{args.rows[1]:,} {kind} over {args.rows[0]:,}: {large / small:.2f}")
    return figures


def flops(sizes: Sizes, pairs: int) -> float:
    """Returns what the matrix products of a step must compute, forward and backward."""
    each = 1 + NEGATIVES
    queries = pairs * (1 + KINDS["query"] * each / 16)
    entities = pairs * (KINDS["pin"] + KINDS["product"]) * each / 16
    encoder = sizes.encoder
    width, length = encoder.width, sizes.query_length
    layer = 4 * width**2 + 2 * width * encoder.feed_forward + 2 * length * width
    query = length * encoder.layers * layer + width * WIDTH
    entity = 1_792 * 1_024 + 1_024**2 + 1_024 * WIDTH
    return 3 * 2 * (queries * query + entities * entity)


def matmul_rate() -> float:
    """Returns the FLOPs of a CPU-second of square matrix products, the best of ten."""
    square, multiply, best = jnp.eye(2_048), jax.jit(lambda a: a @ a), 0.0
    for _ in range(10):
        began = time.process_time()
        square = jax.block_until_ready(multiply(square))
        best = max(best, 2 * 2_048**3 / (time.process_time() - began))
    return best


def runner(sizes: Sizes, pairs: int, mesh: Mesh) -> Runner:
    """Returns the compiled step for batches of so many pairs."""
    model, sides, key = make_model(sizes), make_sides(sizes), rng.root(0)
    batches = [put_batch(make_batch(sizes, pairs, i), mesh) for i in range(BATCHES)]
    optimizer = Optimizer(
        {"tables/.*": RowwiseAdagrad(0.02), ".*": Lamb(10**-2.7)}, WarmupCosine(750)
    )
    losses = make_losses()
    state = states.init(key, model, sides, optimizer, STEPS, batches[0], mesh)
    if pairs == min(PUBLISHED):
        dense = sum(leaf.size for _, leaf in tree.named_leaves(state.params))
        held = sum(table.size for table in state.tables.values())
        print(f"{dense + held:,} parameters, {held:,} of them in tables")
    step = make_step(key, model, sides, losses, optimizer, STEPS, mesh)
    return Runner(pairs, compile_step(step, state, mesh), state, batches)


def make_losses() -> dict[str, SampledSoftmax]:
    """Returns the published losses: two for each of five keys, at all widths."""
    keys = ("pin", "pin/legacy", "product", "product/legacy", "query")
    losses = {}
    for key in keys:
        widths = WIDTHS[:5] if key.endswith("legacy") else WIDTHS
        for random in (False, True):
            losses[f"{key}/{'random' if random else 'in_batch'}"] = SampledSoftmax(
                of=key,
                in_batch=not random,
                random=random,
                given_query=True,
                widths=widths,
                share=1 / len(keys),
            )
    return losses


def make_model(sizes: Sizes) -> CheapStart:
    """Returns the model."""
    text = HashFields(
        "hash", "importance", "text.field", FIELDS, buckets=sizes.buckets, empty=True
    )
    inputs = {
        "text": text,
        "gs_v5": Vectors(),
        "item_is_v2": Vectors(),
        "ue_v4": Vectors(bits=True),
    }
    encoder = Transformer(sizes.encoder, "cls", WIDTH, sizes.dtype)
    return CheapStart(
        towers={
            "query": Tower({"text": encoder}, WIDTH),
            "entity": Tower(
                inputs, WIDTH, hidden=(1_024, 1_024), join="concat", norm=False
            ),
        },
        tower_of={"pin": "entity", "product": "entity"},
        tables={
            "hash": Table(256, rows=sizes.buckets + 1),
            "importance": Table(2),
        },
        legacy={"pin": "gs_v5", "product": "item_is_v2"},
        counts=PairCounts(CountMin(sizes.sketch), given_query=True),
    )


def make_sides(sizes: Sizes) -> Sides:
    """Returns the features of queries and entities."""
    entity = {
        "text": IdFeature(sizes.tokens, sizes.length),
        "gs_v5": DenseFeature(256),
        "item_is_v2": DenseFeature(256),
        "ue_v4": DenseFeature(1_024),
    }
    query = {"text": IdFeature(sizes.encoder.vocabulary, sizes.query_length)}
    return {"query": query, "pin": entity, "product": entity}


def make_batch(sizes: Sizes, pairs: int, seed: int) -> Batch:
    """Returns random pairs: as in the published benchmark, ids are uniform."""
    draw, batch = np.random.default_rng(seed), {}
    for kind, share in KINDS.items():
        rows = pairs * share // 16
        make = queries if kind == "query" else entities
        negatives = NEGATIVES * rows
        uniform = -np.log(1_000_000)
        batch[kind] = {
            "query": queries(draw, sizes, rows),
            "positive": make(draw, sizes, rows),
            "negative": make(draw, sizes, negatives),
            "query_id": draw.integers(0, 1_000_000, rows, np.int32),
            "positive_id": draw.integers(0, 1_000_000, rows, np.int32),
            "negative_id": draw.integers(0, 1_000_000, negatives, np.int32),
            "positive_logq": np.full(rows, uniform, np.float32),
            "negative_logq": np.full(negatives, uniform, np.float32),
            "positive_draw_logq": np.full(rows, uniform, np.float32),
            "negative_draw_logq": np.full(negatives, uniform, np.float32),
            "weight": np.ones(rows, np.float32),
        }
    return batch


def queries(draw: np.random.Generator, sizes: Sizes, rows: int) -> Batch:
    """Returns full queries of random word pieces."""
    shape = (rows, sizes.query_length)
    return {"text": draw.integers(1, sizes.encoder.vocabulary, shape, np.int32)}


def entities(draw: np.random.Generator, sizes: Sizes, rows: int) -> Batch:
    """Returns entities with all vectors, and fields of 0 to twice the mean n-grams."""
    ids = np.zeros((rows, sizes.length), np.int32)
    fields = np.zeros((rows, sizes.length), np.uint8)
    for row in range(rows):
        lengths = draw.integers(0, 2 * sizes.field_length + 1, FIELDS)
        number = np.repeat(np.arange(FIELDS), lengths)[: sizes.length]
        fields[row, : len(number)] = number
        ids[row, : len(number)] = draw.integers(1, sizes.tokens, len(number))
    found: dict[str, Array] = {"text": ids, "text.field": fields}
    for name, width in (("gs_v5", 256), ("item_is_v2", 256)):
        found[name] = draw.standard_normal((rows, 1, width), np.float32)
    found["ue_v4"] = draw.integers(0, 256, (rows, 1, 128), np.uint8)
    there = {f"{n}.present": np.ones((rows, 1), bool) for n in found if "text" not in n}
    return found | there


def _sawtooth(key: Array, shape: tuple[int, int]) -> Array:
    del key
    row = jax.lax.broadcasted_iota(jnp.uint32, shape, 0)
    column = jax.lax.broadcasted_iota(jnp.uint32, shape, 1)
    mixed = (row * 64 + column) * jnp.uint32(2_654_435_761)
    return ((mixed >> 16).astype(jnp.float32) / 65_536 - 0.5) * 0.1


if __name__ == "__main__":
    main()
