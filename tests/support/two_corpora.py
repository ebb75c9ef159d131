"""A data set in memory with two corpora and two tasks, and a model that looks it up.

All numbers are small integers, so that scores tie often and are exact.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from recjax.data.dataset import Corpus, Queries
from recjax.experiment import Experiment, Runtime
from recjax.metrics.task import RankingTask
from recjax.sharding.mesh import make_mesh
from recjax.train.program import Program
from recjax.train.state import State

WIDTH, PINS, PRODUCTS, QUERIES = 4, 203, 61, 29


@dataclass(frozen=True)
class Lazy:
    """A column that can do no more than a corpus's column must."""

    array: np.ndarray

    def __len__(self):
        return len(self.array)

    def __getitem__(self, rows):
        assert isinstance(rows, slice | np.ndarray)
        return self.array[rows]


def vectors(seed, size):
    random = np.random.default_rng(seed)
    return random.integers(-2, 3, (size, WIDTH)).astype(np.float32)


class TwoCorpora:
    """Pins, which the side "candidate" embeds, and products, which "product" does."""

    tasks = ("pin_save", "product_save")

    @cached_property
    def corpora(self):
        return {
            "pin": self.corpus("pin", PINS, 1, "candidate"),
            "product": self.corpus("product", PRODUCTS, 2, "product"),
        }

    def corpus(self, name, size, seed, side):
        ids = tuple(f"{name} {i}" for i in range(size))
        plain, legacy = vectors(seed, size), vectors(seed + 10, size)
        features = {"plain": Lazy(plain), "legacy": Lazy(legacy)}
        return Corpus(ids, ids, features, side)

    def training_items(self, corpus):
        return np.arange(len(self.corpora[corpus]) // 2)

    def queries(self, split, task=""):
        name = task.split("_")[0]
        size = len(self.corpora[name])
        random = np.random.default_rng(len(split))
        order = [random.permutation(size).tolist() for _ in range(QUERIES)]
        ranking = RankingTask.from_lists(
            size,
            [items[: q % 4] for q, items in enumerate(order)],
            [[2.0, 0.0, 1.0][: q % 4] for q in range(QUERIES)],
            [items[4 : 4 + q] for q, items in enumerate(order)],
        )
        features = {"plain": vectors(3, QUERIES), "legacy": vectors(13, QUERIES)}
        new = random.random(len(ranking.items)) < 0.4
        cohorts = {"new": new, "nobody": np.zeros_like(new)}
        return Queries(features, ranking, corpus=name, cohorts=cohorts)


class LookUp:
    """Every side gives back a feature, some of them turned."""

    def table_specs(self, sides):
        return {}

    def side_rows(self, side, features):
        return {}

    def embed(self, params, rows, side, features):
        kind = "legacy" if side.endswith("/legacy") else "plain"
        return features[kind] * params.get(side, 1.0)


def program():
    data, mesh = TwoCorpora(), make_mesh({"data": 1})
    data.sides = {}
    made = Experiment("two", 0, 1, data, LookUp(), {"some": None}, None)
    return Program(made, Runtime(), data, mesh)


def state():
    return State(0, {"product": np.float32(-1)}, {}, {}, {})


def scores(name, kind="plain"):
    """Returns the scores of all items for all queries, in NumPy."""
    legacy = 10 * (kind == "legacy")
    size, seed = {"pin": (PINS, 1), "product": (PRODUCTS, 2)}[name]
    sign = -1 if (name, kind) == ("product", "plain") else 1
    return sign * vectors(3 + legacy, QUERIES) @ vectors(seed + legacy, size).T


def naive_ranks(task, table, index, share):
    """Returns the rank of every judged item among the items of an index, one by one."""
    ranks = []
    for q in range(len(task)):
        out = task.exclude[task.exclude_offsets[q] : task.exclude_offsets[q + 1]]
        for item in task.items[task.offsets[q] : task.offsets[q + 1]]:
            others = [i for i in index if i != item and i not in out]
            above = sum(table[q, i] > table[q, item] for i in others)
            equal = sum(table[q, i] == table[q, item] for i in others)
            ranks.append(1 + above + share * equal)
    return np.array(ranks)


def naive_tops(task, table, index, k):
    """Returns the best items of an index for each query, the first ones first."""
    tops = []
    for q in range(len(task)):
        out = task.exclude[task.exclude_offsets[q] : task.exclude_offsets[q + 1]]
        left = [i for i in index if i not in out]
        tops.append(sorted(left, key=lambda i, q=q: (-table[q, i], i))[:k])
    return tops
