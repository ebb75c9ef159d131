"""A small data set, experiment and runtime that the tests of the core share.

It lies in memory, so that a test needs no preparation; the model has everything that
makes resuming hard: dropout, shared tables, row-wise and dense optimizers, a schedule.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import jax.numpy as jnp
import numpy as np

from recjax.data.interactions import Interactions
from recjax.data.next_item import NextItem, NextItemData
from recjax.experiment import Experiment, Runtime
from recjax.losses import SampledSoftmax
from recjax.models import Table, TwoTower
from recjax.nn.decayed_sum import RecencyBag
from recjax.nn.inputs import EmbeddingBag
from recjax.nn.tower import Tower
from recjax.optim import Adam, Optimizer, RowwiseAdagrad, WarmupCosine
from recjax.prepare import make
from recjax.text.features import NGrams

ROOT = Path(__file__).resolve().parents[2]
WIDTH = 8

EXPLODES = '''"""A small experiment whose learning rate is infinite from step 14 on."""

import small


def experiment():
    """Returns the experiment."""
    made = small.experiment()
    optimizer = small.replace(made.optimizer, schedule=small.Explode(14))
    return small.replace(made, optimizer=optimizer)
'''

EXPERIMENT = '''"""A small experiment."""

from small import experiment

__all__ = ["experiment"]
'''

CONFIG = '''"""A small runtime."""

from small import runtime

__all__ = ["runtime"]
'''


@dataclass(frozen=True)
class Explode:
    """The factor 1, and infinity from step `at` on."""

    at: int

    def __call__(self, step, steps):
        """Returns the factor."""
        return jnp.where(step < self.at, 1.0, jnp.inf)


@dataclass(frozen=True)
class InMemory:
    """Interactions with a pattern: item i is followed by item i + 1."""

    settings: NextItem
    users: int = 24
    items: int = 40
    each: int = 12

    def open(self, seed: int) -> NextItemData:
        """Returns the data set."""
        random = np.random.default_rng(0)
        start = random.integers(0, self.items, self.users)[:, None]
        noise = random.integers(0, 2, (self.users, self.each))
        items = (start + np.arange(self.each) + noise) % self.items
        when = 600 * np.arange(self.each) + random.integers(0, 500, (self.users, 1))
        named = [("red", "green", "blue", "grey")[i % 4] for i in range(self.items)]
        interactions = Interactions(
            user=np.repeat(np.arange(self.users, dtype=np.int32), self.each),
            item=items.ravel().astype(np.int32),
            timestamp=when.ravel().astype(np.int64),
            rating=np.ones(items.size, np.float32),
            tables={
                "user": make.entity([f"u{u}" for u in range(self.users)]),
                "item": make.entity(
                    [f"i{i}" for i in range(self.items)],
                    make.text("title", [f"{c} thing {i}" for i, c in enumerate(named)]),
                    make.text("tags", ["drama"] * self.items),
                ),
                "events": make.table(make.number("hour", when.ravel() / 3600)),
            },
        )
        return NextItemData(self.settings, seed, interactions)


def experiment(items: int = 40, **changes) -> Experiment:
    """Returns the experiment, parts of it replaced by `changes`."""
    text = NGrams(64, 64, 64)
    data = NextItem("memory", 16, 24, 6, text, 8, 8, 0.3)
    made = Experiment(
        name="small",
        seed=3,
        steps=30,
        data=InMemory(data, items=items),
        model=TwoTower(
            query=Tower(
                {
                    "history": RecencyBag(
                        "film", WIDTH, 2, age="history_age", dropout=0.2
                    ),
                    "text": EmbeddingBag("token", "importance", dropout=0.1),
                },
                WIDTH,
                hidden=(12,),
                dropout=0.1,
            ),
            candidate=Tower(
                {
                    "item": EmbeddingBag("film", norm=0.0),
                    "text": EmbeddingBag("token", "importance"),
                },
                WIDTH,
            ),
            tables={
                "film": Table(WIDTH),
                "token": Table(WIDTH),
                "importance": Table(1, from_weight=True),
            },
        ),
        losses={"softmax": SampledSoftmax(random=True)},
        optimizer=Optimizer(
            {"tables/.*": RowwiseAdagrad(0.05), ".*": Adam(1e-2)},
            WarmupCosine(5, final=0.1),
        ),
    )
    return replace(made, **changes)


def runtime() -> Runtime:
    """Returns the runtime of one CPU device, with a log line and a save often."""
    return Runtime(mesh={"data": 1}, log_every=5, checkpoint_every=10)


def write_files(folder: Path) -> tuple[Path, Path]:
    """Writes the experiment and the config as files, for the command line."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "experiment.py").write_text(EXPERIMENT)
    (folder / "config.py").write_text(CONFIG)
    return folder / "experiment.py", folder / "config.py"


def environment(**more: str) -> dict[str, str]:
    """Returns the environment of a fresh process that finds recjax and this module."""
    paths = [str(ROOT), str(Path(__file__).parent)]
    quiet = {"JAX_PLATFORMS": "cpu", "TF_CPP_MIN_LOG_LEVEL": "3"}
    return {**os.environ, **quiet, "PYTHONPATH": os.pathsep.join(paths), **more}


def devices(count: int) -> str:
    """Returns the XLA_FLAGS of a process that pretends to have so many devices."""
    flags = os.environ.get("XLA_FLAGS", "")
    return f"{flags} --xla_force_host_platform_device_count={count}"


def recjax(*arguments: object, **more: str) -> subprocess.CompletedProcess:
    """Runs `python -m recjax` in a fresh process."""
    return subprocess.run(
        [sys.executable, "-m", "recjax", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=ROOT,
        env=environment(**more),
    )
