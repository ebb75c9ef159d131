"""PinnerSage on people whose interests are known: are they found, and does it help?

    python experiments/pinnersage_synthetic.py

The population (`recjax.prepare.synthetic.population`) is fitted to the paper's table 1,
which tells how scattered people's interests are; tables 3 and 4 are then what follows.
Alpha, the threshold of complete linkage and k, as many values each, are chosen by
relevance on another population. What is reported are several populations together.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np

from recjax.prepare.synthetic.population import (
    DAY,
    Population,
    PopulationSettings,
    make_population,
)
from recjax.users.paper.bootstrap import report
from recjax.users.paper.methods import (
    Clustered,
    CompleteLinkage,
    KMeans,
    Ward,
    single,
    table,
)
from recjax.users.paper.nearest_embedding_accuracy import nearest_embedding_accuracy
from recjax.users.paper.rolling_evaluation import METRICS, RollingEvaluation, evaluate

GRIDS = {
    "alpha": (Ward, (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)),
    "apart": (CompleteLinkage, (0.5, 0.8, 1.1, 1.4, 1.7, 1.9)),
    "k": (KMeans, (2, 3, 5, 8, 12, 20)),
}
BREADTHS = ((0.1, 0.2), (0.2, 0.4), (0.4, 0.6), (0.4, 0.9))
"""From narrow topics to those of the tables, for the agreement with the interests."""
VALIDATION = 1_000
"""Seed of the population that settings are chosen on."""


def adjusted_rand(one: np.ndarray, other: np.ndarray) -> float:
    """Returns the adjusted Rand index of two partitions (Hubert and Arabie, 1985)."""
    _, one = np.unique(one, return_inverse=True)
    _, other = np.unique(other, return_inverse=True)
    both = np.bincount(one * (other.max() + 1) + other)
    pairs = [(n * (n - 1) / 2).sum() for n in (both, *map(np.bincount, (one, other)))]
    chance = pairs[1] * pairs[2] / max(len(one) * (len(one) - 1) / 2, 1)
    most = (pairs[1] + pairs[2]) / 2
    return 1.0 if most == chance else (pairs[0] - chance) / (most - chance)


def agreement(label, people: Population) -> np.ndarray:
    """Returns the adjusted Rand index of each user; stray actions are left out."""
    found = []
    for user in np.unique(people.user):
        own = (people.user == user) & (people.interest >= 0)
        points = people.vectors[people.item[own]]
        if len(points) > 1:
            found.append(adjusted_rand(label(points), people.interest[own]))
    return np.array(found)


def best(scores: dict) -> float:
    """Returns the setting of the highest score, and prints all."""
    shown = {key: round(float(score), 3) for key, score in scores.items()}
    print("  ", shown)
    return max(scores, key=scores.get)


def recovery(settings: PopulationSettings, people: int) -> None:
    """Prints how well clusters agree with the interests, at several breadths."""
    print("\n## Adjusted Rand index with the planted interests, mean of the users\n")
    rows = []
    for breadth in BREADTHS:
        own = replace(settings, breadth=breadth, people=people)
        choose, test = (make_population(replace(own, seed=s)) for s in (VALIDATION, 0))
        cells = []
        for kind, grid in GRIDS.values():
            scores = {value: agreement(kind(value), choose).mean() for value in grid}
            found = agreement(kind(best(scores)), test)
            cells.append(f"{found.mean():.3f}")
        rows.append(f"| {breadth[0]} .. {breadth[1]} | {' | '.join(cells)} |")
    print("\n| breadth of topics | Ward | complete linkage | k-means |")
    print("|---|---|---|---|")
    print("\n".join(rows))


def run(methods, people: Population, walk: RollingEvaluation) -> dict[str, np.ndarray]:
    """Returns each user's figures by method."""
    columns = people.vectors, people.user, people.item, people.time
    return evaluate(methods, *columns, walk)


def joined(parts: list[dict]) -> dict[str, np.ndarray]:
    """Returns the figures of all populations' users."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def main() -> None:
    """Runs the experiment."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--people", type=int, default=150, help="in each population")
    parser.add_argument("--populations", type=int, default=3)
    parser.add_argument("--items", type=int, default=PopulationSettings.items)
    parser.add_argument("--days", type=int, default=7, help="days to predict")
    chosen = parser.parse_args()
    settings = PopulationSettings(people=chosen.people, items=chosen.items)
    end = settings.start + settings.days * DAY
    walk = RollingEvaluation(begin=end - chosen.days * DAY, days=chosen.days)
    recovery(settings, min(chosen.people, 100))
    print("\n## Chosen by relevance on a population that is not reported\n")
    validation = make_population(replace(settings, seed=VALIDATION))
    picked = {}
    for name, (kind, grid) in GRIDS.items():
        print(name)
        ways = {value: (Clustered(kind(value)), 3) for value in grid}
        found = run(ways, validation, walk)
        picked[name] = best({value: rows[:, 0].mean() for value, rows in found.items()})
    near, parts, several = [], [], []
    for seed in range(chosen.populations):
        people = make_population(replace(settings, seed=seed))
        columns = people.vectors, people.user, people.item, people.time
        near.append(nearest_embedding_accuracy(single(), *columns, walk))
        parts.append(run(table(**picked), people, walk))
        ward = Clustered(Ward(picked["alpha"]))
        ways = {f"e = {e}": (ward, e) for e in (1, 3, 5, 10)}
        several.append(run(ways, people, walk))
        means = {name: rows[:, 0].mean().round(3) for name, rows in parts[-1].items()}
        print(f"\npopulation {seed}, relevance:", means, flush=True)
    figures = joined(parts)
    print(f"\n{len(figures['last item']):,} users")
    print("\n## Table 1\n\n" + report(joined(near), ["accuracy"], ["accuracy"]))
    print("\n## Table 3\n\n" + report(figures, METRICS, ["relevance", "recall"]))
    print("\n## Table 4\n\n" + report(figures, METRICS, METRICS[3:]))
    show = [METRICS[0], METRICS[1], METRICS[3]]
    print("\n## Over PinnerSage\n\n" + report(figures, METRICS, show, "PinnerSage"))
    print("\n## By embeddings asked\n")
    print(report(joined(several), METRICS, METRICS[:3], "e = 1"))


if __name__ == "__main__":
    main()
