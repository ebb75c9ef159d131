"""Tunes the item-kNN baseline of an experiment on its validation queries.

    python tools/tune_item_knn.py experiments/two_tower_movielens.py

Settings are tried one after the other, from the defaults of `ItemKnn`, until a
sweep over all of them brings nothing better. The test events are not looked at. Takes
some ten minutes on MovieLens-100K.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from recjax.data.cooccurrence import EventPairs, count_pairs
from recjax.data.events import Events, Histories
from recjax.errors import told
from recjax.evals.baselines.item_knn import ItemKnn
from recjax.evals.scorer import rank_scores
from recjax.experiment import load_experiment
from recjax.metrics.ranking import ranking_metrics
from recjax.metrics.task import RankingTask

SPACE: Mapping[str, Sequence] = {
    "recency_power": (0.5, 0.75, 1.0, 1.2, 1.4, 1.7, 2.0),
    "age_scale": (10.0, 30.0, 60.0, 120.0, 300.0),
    "gap_power": (0.0, 0.25, 0.4, 0.5, 0.6, 0.75, 1.0),
    "window": (5, 20, 50, 100),
    "source_power": (0.3, 0.5, 0.6, 0.7, 0.8, 1.0),
    "target_power": (0.2, 0.3, 0.4, 0.5, 0.6, 0.7),
    "backward": (0.0, 0.25, 0.5, 0.75, 1.0),
    "shrinkage": (0.0, 1.0, 5.0, 20.0),
    "popularity_weight": (1e-3, 5e-3, 0.01, 0.03, 0.1),
    "popularity_days": (None, 3.0, 7.0, 14.0, 30.0),
    "history": (20, 50, 200, 1_000),
    "neighbours": (50, 200, 400, 1_000),
}


@dataclass(frozen=True)
class Tried:
    """One setting and its validation figures: metric -> value."""

    options: ItemKnn
    figures: Mapping[str, float]

    @property
    def goal(self) -> float:
        """What tuning raises: the sum of recall@10 and ndcg@10."""
        return self.figures["recall@10"] + self.figures["ndcg@10"]


@dataclass(frozen=True)
class Tuned:
    """The best setting and all that were tried, in order."""

    best: Tried
    tried: tuple[Tried, ...]


def tune_item_knn(
    events: Events,
    task: RankingTask,
    histories: Histories,
    start: ItemKnn | None = None,
    space: Mapping[str, Sequence] = SPACE,
    sweeps: int = 3,
) -> Tuned:
    """Searches settings one after the other, until a sweep brings nothing better.

    Args:
      events: the training events.
      task: validation queries.
      histories: their histories.
      start: where to begin.
      space: setting -> values to try, in this order.
      sweeps: at most so many passes over `space`.

    Raises:
      ValueError: task and histories are of different queries.
    """
    if len(task) != len(histories):
        raise ValueError(f"{len(task)} queries but {len(histories)} histories")
    tried: dict[ItemKnn, Tried] = {}
    pairs: dict[tuple, EventPairs] = {}

    def attempt(options: ItemKnn) -> Tried:
        if options not in tried:
            key = options.window, options.gap_power
            if key not in pairs:
                pairs[key] = count_pairs(events, *key)
            scores = options.of_events(events, histories, pairs[key])
            figures = ranking_metrics(task, rank_scores(task, scores), (10,))
            tried[options] = Tried(options, figures)
        return tried[options]

    best = attempt(start or ItemKnn())
    for _ in range(sweeps):
        before = best
        for name, values in space.items():
            options = [replace(best.options, **{name: value}) for value in values]
            best = max([best, *map(attempt, options)], key=lambda one: one.goal)
        if best is before:
            break
    return Tuned(best, tuple(tried.values()))


def main() -> None:
    """Prints every setting tried, and the best as JSON in the last line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("experiment")
    parser.add_argument(
        "--sweeps", type=int, default=3, help="passes over all settings"
    )
    parser.add_argument(
        "--only", nargs="*", choices=SPACE, default=list(SPACE), help="settings to tune"
    )
    args = parser.parse_args()
    experiment = load_experiment(args.experiment)
    data = experiment.data.open(experiment.seed)
    queries = data.queries("validation")
    began = time.perf_counter()
    tuned = tune_item_knn(
        data.log.where(data.train),
        queries.task,
        queries.past,
        space={name: SPACE[name] for name in args.only},
        sweeps=args.sweeps,
    )
    best = asdict(tuned.best.options)
    print(f"{len(queries.task)} validation queries, {len(tuned.tried)} settings tried")
    print("recall@10  ndcg@10  what differs from the best")
    for one in sorted(tuned.tried, key=lambda one: -one.goal):
        print(row(one, best))
    print(
        json.dumps(
            {
                "options": best,
                "recall@10": tuned.best.figures["recall@10"],
                "ndcg@10": tuned.best.figures["ndcg@10"],
                "tried": len(tuned.tried),
                "start": asdict(ItemKnn()),
                "seconds": round(time.perf_counter() - began, 1),
            }
        )
    )


def row(one: Tried, best: dict) -> str:
    """Returns the line of one setting."""
    options = asdict(one.options)
    other = [f"{name}={options[name]}" for name in best if options[name] != best[name]]
    figures = f"{one.figures['recall@10']:9.4f}  {one.figures['ndcg@10']:7.4f}"
    return f"{figures}  {', '.join(other) or '(the best)'}"


if __name__ == "__main__":
    with told():
        main()
