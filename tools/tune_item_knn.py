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
from dataclasses import asdict

from recjax.evals.baselines.item_knn import ItemKnn
from recjax.evals.baselines.tune import SPACE, Tried, tune_item_knn
from recjax.experiment import load_experiment


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
    main()
