"""Does the core of recjax train on this machine? Made data, in memory, in a minute.

    python tools/check_core.py

Needs jax, flax, optax, orbax-checkpoint, scipy, jaxtyping and numpy alone: no data
set, no grain, no TensorFlow. So it is the first thing to run on a machine with a GPU or
with a newer JAX. It trains a two-tower over histories, ranks the whole corpus before
and after, then throws away the last checkpoint, trains on from the one before, and
compares the states bit for bit. Exit status 1 where anything is not as it should be.
"""

from __future__ import annotations

import argparse
import logging
import platform
import tempfile
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import jax
import numpy as np
from jax.sharding import set_mesh

from recjax import rng
from recjax.evals.exact import rank_embeddings
from recjax.experiment import Experiment, Runtime
from recjax.features import IdFeature, Sides
from recjax.losses import SampledSoftmax
from recjax.metrics.ranking import ranking_metrics
from recjax.metrics.task import RankingTask
from recjax.models import Table, TwoTower
from recjax.nn.decayed_sum import RecencyBag
from recjax.nn.inputs import EmbeddingBag
from recjax.nn.tower import Tower
from recjax.optim import Adam, Optimizer, RowwiseAdagrad
from recjax.sharding.mesh import make_mesh
from recjax.train.loop import train
from recjax.train.memory import keep_freed_memory
from recjax.train.program import Program
from recjax.train.state import State
from recjax.train.writer import read_metrics

PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")
LENGTH, WIDTH, TASTE, QUERIES = 10, 32, 20, 500


@dataclass(frozen=True)
class Tastes:
    """Users who keep to a taste of 20 items: what comes next is one of them.

    Attributes:
      items: `N`, a multiple of 20.
      size: pairs a batch.
      seed: of all draws.
    """

    items: int
    size: int
    seed: int = 0

    @property
    def sides(self) -> Sides:
        """The features of both sides."""
        rows = self.items + 1
        return {
            "query": {"history": IdFeature(rows, LENGTH)},
            "candidate": {"item": IdFeature(rows, 1)},
        }

    def batch(self, step: int, host: tuple[int, int] = (0, 1)) -> dict:
        """Returns the batch of a step; it is a function of its number."""
        del host
        logq = np.full(self.size, -np.log(self.items), np.float32)
        draw = rng.host_stream(self.seed, "batch", step)
        history, item = self.draw(draw, self.size)
        other = draw.integers(0, self.items, self.size, np.int32)
        return {
            "query": {"history": history + 1},
            "positive": {"item": item[:, None] + 1},
            "negative": {"item": other[:, None] + 1},
            "query_id": np.arange(self.size, dtype=np.int32),
            "positive_id": item,
            "negative_id": other,
            "weight": np.ones(self.size, np.float32),
            **{
                f"{side}{kind}_logq": logq
                for side in ("positive", "negative")
                for kind in ("", "_draw")
            },
        }

    def draw(self, draw: np.random.Generator, count: int) -> tuple[np.ndarray, ...]:
        """Returns histories [count, L] and what comes next [count]."""
        taste = draw.integers(0, self.items // TASTE, (count, 1), np.int32)
        seen = taste * TASTE + draw.integers(0, TASTE, (count, LENGTH + 1), np.int32)
        return seen[:, 1:], seen[:, 0]


def main() -> None:
    """Trains, ranks, resumes, compares."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=10_000, help="rows of the table")
    parser.add_argument("--batch", type=int, default=512, help="pairs a step")
    parser.add_argument("--steps", type=int, default=300)
    args = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    logging.getLogger("absl").setLevel(logging.ERROR)
    keep_freed_memory()
    print(f"Python {platform.python_version()}, ", end="")
    print(", ".join(f"{name} {version(name)}" for name in PACKAGES))
    kinds = ", ".join(sorted({one.device_kind for one in jax.devices()}))
    print(f"{len(jax.devices())} device(s): {jax.default_backend()} ({kinds})")
    data = Tastes(args.items // TASTE * TASTE, args.batch)
    program = make_program(data, args.steps)
    with tempfile.TemporaryDirectory() as folder, set_mesh(program.mesh):
        before = recall(program, data, program.init())
        began = time.perf_counter()
        first = train(program, Path(folder), lambda state, done: {}).state
        seconds = time.perf_counter() - began
        lines = read_metrics(Path(folder))
        after = recall(program, data, first)
        last = Path(folder, "checkpoints", str(args.steps))
        last.rename(Path(folder, "set_aside"))
        again = train(program, Path(folder), lambda state, done: {})
    for line in lines[:: max(len(lines) // 5, 1)]:
        print(f"step {line['step']:>5}: loss {line['loss']:.4f}")
    rate = np.median([line["examples_per_s"] for line in lines])
    print(f"{args.steps} steps in {seconds:.1f} s, {rate:,.0f} examples a second")
    print(
        f"recall@10 of {data.items:,} items: {before:.3f} before, {after:.3f} after "
        f"(who knows all tastes: {10 / TASTE:.3f})"
    )
    same = jax.tree.map(np.array_equal, *map(jax.device_get, (first, again.state)))
    checks = {
        "the loss goes down": lines[-1]["loss"] < lines[0]["loss"],
        "ranking is learned": after > 2 * before,
        f"resumed at step {again.start} to the same bits": all(jax.tree.leaves(same)),
    }
    for what, fine in checks.items():
        print(f"{'ok  ' if fine else 'FAIL'} {what}")
    raise SystemExit(not all(checks.values()))


def make_program(data: Tastes, steps: int) -> Program:
    """Returns a small two-tower with everything that a step can have."""
    model = TwoTower(
        query=Tower({"history": RecencyBag("item", WIDTH)}, WIDTH),
        candidate=Tower({"item": EmbeddingBag("item", norm=0.0)}, WIDTH),
        tables={"item": Table(WIDTH)},
    )
    rules = {"tables/.*": RowwiseAdagrad(0.1), ".*": Adam(3e-3)}
    losses = {"softmax": SampledSoftmax(random=True)}
    experiment = Experiment("core", 0, steps, data, model, losses, Optimizer(rules))
    every = max(steps // 2, 1)
    runtime = Runtime(
        threads=0, prefetch=0, log_every=max(steps // 30, 1), checkpoint_every=every
    )
    return Program(experiment, runtime, data, make_mesh(runtime.mesh))


def recall(program: Program, data: Tastes, state: State) -> float:
    """Returns recall@10 over the whole corpus, for users who were not trained on."""
    history, item = data.draw(rng.host_stream(data.seed, "test", 0), QUERIES)
    everything = np.arange(1, data.items + 1, dtype=np.int32)[:, None]
    vectors = {}
    for side, features in (
        ("query", {"history": history + 1}),
        ("candidate", {"item": everything}),
    ):
        placed = jax.device_put(features)
        vectors[side] = np.asarray(program.embedders[side](state, placed))
    rows, none = np.arange(QUERIES + 1), np.zeros(0, np.int32)
    gains = np.ones(QUERIES, np.float32)
    task = RankingTask(data.items, rows, item, gains, rows * 0, none)
    found = rank_embeddings(
        vectors["query"], vectors["candidate"], task, 10, program.mesh
    )
    return ranking_metrics(task, found, (10,))["recall@10"]


if __name__ == "__main__":
    main()
