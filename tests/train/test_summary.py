"""What `recjax show` says of an experiment."""

import re
from dataclasses import dataclass

import numpy as np
import pytest
import small

from recjax.data.interactions import Interactions
from recjax.data.next_item import NextItem, NextItemData
from recjax.experiment import Experiment, Runtime
from recjax.losses import SampledSoftmax
from recjax.models import Table, TwoTower
from recjax.nn.inputs import EmbeddingBag
from recjax.nn.tower import Tower
from recjax.optim import Adam, Optimizer, RowwiseAdagrad
from recjax.prepare import make
from recjax.text.features import NGrams
from recjax.train import summary
from recjax.train.summary import _size, summarize

USERS, ITEMS, EACH, WIDTH = 6, 20, 10, 8


@dataclass(frozen=True)
class InMemory:
    """Interactions that need no preparation."""

    settings: NextItem

    def open(self, seed):
        generator = np.random.default_rng(0)
        events = USERS * EACH
        return NextItemData(
            self.settings,
            seed,
            Interactions(
                user=np.repeat(np.arange(USERS, dtype=np.int32), EACH),
                item=generator.integers(0, ITEMS, events).astype(np.int32),
                timestamp=np.tile(np.arange(EACH, dtype=np.int64), USERS) * 60,
                rating=np.ones(events, np.float32),
                tables={
                    "user": make.entity([str(u) for u in range(USERS)]),
                    "item": make.entity(
                        [str(i) for i in range(ITEMS)],
                        make.text("title", [f"title {i}" for i in range(ITEMS)]),
                    ),
                    "events": make.table(),
                },
            ),
        )


def experiment():
    return Experiment(
        name="small",
        seed=0,
        steps=2,
        data=InMemory(NextItem("none", 4, 4, 5, NGrams(50, 50, 50), 8, 8)),
        model=TwoTower(
            query=Tower({"history": EmbeddingBag("film")}, WIDTH, hidden=()),
            candidate=Tower({"item": EmbeddingBag("film")}, WIDTH, hidden=()),
            tables={"film": Table(WIDTH)},
        ),
        losses={"softmax": SampledSoftmax(random=True)},
        optimizer=Optimizer({"tables/.*": RowwiseAdagrad(0.1), ".*": Adam(1e-3)}),
    )


@pytest.fixture(scope="module")
def text():
    return summarize(experiment(), Runtime(mesh={"data": 1}), compiled=True)


def part(text, name):
    return re.search(rf"^== {name}\n(.*?)(\n\n|\Z)", text, re.M | re.S)[1]


def test_settings_are_there_as_the_run_folder_writes_them(text):
    assert "model.tables.film.width = 8" in part(text, "experiment")
    assert "log_every = 50" in part(text, "runtime")


@pytest.mark.slow
def test_a_mesh_that_is_not_here_is_rehearsed(tmp_path):
    file, _ = small.write_files(tmp_path)
    told = ("show", file, "--on", "configs/gpu8.py", "--memory", "10kB")
    shown = small.recjax(*told)
    assert shown.returncode == 0, shown.stderr[-2000:]
    assert "8 pretended CPU devices" in part(shown.stdout, "devices")
    assert "32x8 on each device" in part(shown.stdout, "tables")
    sent = part(shown.stdout, "what devices send each other in a step")
    assert re.search(r"all-reduce +\d+ x .* along data +once", sent)
    assert "in a loop" not in sent
    room = part(shown.stdout, "memory of a device")
    assert "DOES NOT FIT into 10.0 kB" in room and "--set-runtime mesh.data=" in room


def test_tables_have_shape_type_and_bytes(text):
    (line, total) = part(text, "tables").splitlines()
    assert line.split()[:5] == ["film", "256x8", "float32", "8.2", "kB"]
    assert total == "all tables: 8.2 kB"


def test_the_optimizer_keeps_one_number_a_row(text):
    lines = part(text, "optimizer state").splitlines()
    (rows,) = [line for line in lines if line.startswith("rows/film")]
    assert rows.split()[1:5] == ["256", "float32", "1.0", "kB"]


def test_nothing_is_compiled_unless_asked_for(text, monkeypatch):
    monkeypatch.setattr(summary, "compiled_step", None)
    quick = summarize(experiment(), Runtime(mesh={"data": 1}))
    assert text.startswith(quick) and "== batch" in quick and "FLOPs" not in quick


def test_batch_and_costs_are_there(text):
    assert re.search(r"query/history\s+4x5\s+int32", part(text, "batch"))
    costs = part(text, "compiled step, on each device")
    assert re.search(r"FLOPs\s+[\d.]+ M", costs) and "working memory" in costs


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, "0 B"), (999, "999 B"), (1_500, "1.5 kB"), (2_560_000_000, "2.6 GB")],
)
def test_sizes_are_for_people(count, shown):
    assert _size(count) == shown
