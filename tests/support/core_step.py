"""One step and one evaluation of the core, with most packages masked.

Run by tests/test_imports.py in a fresh process: `core_step.py NAME...` masks the
packages NAME, as if they were not installed.
"""

import sys

from masked import mask

mask(sys.argv[1:])

import jax  # noqa: E402
import numpy as np  # noqa: E402

from recjax.evals.exact import rank_embeddings  # noqa: E402
from recjax.experiment import Experiment, Runtime  # noqa: E402
from recjax.features import IdFeature  # noqa: E402
from recjax.losses import SampledSoftmax  # noqa: E402
from recjax.metrics.ranking import ranking_metrics  # noqa: E402
from recjax.metrics.task import RankingTask  # noqa: E402
from recjax.models import Table, TwoTower  # noqa: E402
from recjax.nn.decayed_sum import RecencyBag  # noqa: E402
from recjax.nn.inputs import EmbeddingBag  # noqa: E402
from recjax.nn.tower import Tower  # noqa: E402
from recjax.optim import Adam, Optimizer, RowwiseAdagrad  # noqa: E402
from recjax.sharding.mesh import make_mesh  # noqa: E402
from recjax.sharding.placement import put_batch  # noqa: E402
from recjax.train.loop import train  # noqa: E402
from recjax.train.nan_check import check  # noqa: E402
from recjax.train.program import Program  # noqa: E402

BATCH, ITEMS, LENGTH, WIDTH = 8, 20, 5, 4


class Arrays:
    """A data set of one batch."""

    def __init__(self):
        """Names the features."""
        history, item = IdFeature(ITEMS + 1, LENGTH), IdFeature(ITEMS + 1, 1)
        self.sides = {"query": {"history": history}, "candidate": {"item": item}}
        self.items = np.arange(1, ITEMS + 1, dtype=np.int32)[:, None]
        random = np.random.default_rng(0)
        self.history = random.integers(0, ITEMS + 1, (BATCH, LENGTH)).astype(np.int32)

    def batch(self, step, host=(0, 1)):
        """Returns the batch, whatever the step."""
        rows = np.arange(BATCH, dtype=np.int32)
        evenly = np.full(BATCH, -np.log(ITEMS), np.float32)
        logq = {
            f"{side}{kind}_logq": evenly
            for side in ("positive", "negative")
            for kind in ("", "_draw")
        }
        return {
            "query": {"history": self.history},
            "positive": {"item": self.items[:BATCH]},
            "negative": {"item": self.items[-BATCH:]},
            "query_id": rows,
            "positive_id": rows,
            "negative_id": rows + ITEMS - BATCH,
            "weight": np.ones(BATCH, np.float32),
            **logq,
        }


def main():
    """Takes a step, then ranks the corpus."""
    model = TwoTower(
        query=Tower({"history": RecencyBag("item", WIDTH)}, WIDTH),
        candidate=Tower({"item": EmbeddingBag("item", norm=0.0)}, WIDTH),
        tables={"item": Table(WIDTH)},
    )
    optimizer = Optimizer({"tables/.*": RowwiseAdagrad(0.1), ".*": Adam(1e-2)})
    losses = {"softmax": SampledSoftmax(random=True)}
    data = Arrays()
    experiment = Experiment("core", 0, 1, data, model, losses, optimizer)
    mesh = make_mesh({"data": 1})
    program = Program(experiment, Runtime(), data, mesh)
    start = program.init()
    before = jax.device_get(start)
    batch = put_batch(data.batch(0), mesh)
    state, report = program.step()(start, batch)
    check(1, report)
    assert int(state.step) == 1 and callable(train)
    moved = np.any(np.asarray(state.tables["item"]) != before.tables["item"], 1)
    named = np.unique(np.r_[0, data.history.ravel(), np.arange(1, 9), range(13, 21)])
    assert np.array_equal(np.flatnonzero(moved), named), (moved, named)
    vectors = {
        side: np.asarray(program.embedders[side](state, {name: array}))
        for side, name, array in (
            ("query", "history", data.history),
            ("candidate", "item", data.items),
        )
    }
    rows = np.arange(BATCH + 1)
    gains = np.ones(BATCH, np.float32)
    task = RankingTask(ITEMS, rows, rows[:-1], gains, rows * 0, rows[:0])
    ranks = rank_embeddings(vectors["query"], vectors["candidate"], task, 10, mesh)
    assert 0 <= ranking_metrics(task, ranks, (10,))["recall@10"] <= 1
    print(f"loss {float(report.means['loss'][0]):.4f}")


if __name__ == "__main__":
    main()
