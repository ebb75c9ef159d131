"""PinnerSage on people whose interests are known: are they found, and does it help?

    python experiments/pinnersage_synthetic.py

Chooses alpha and the threshold of complete linkage on one population, and reports on
another: how well clusters agree with the planted interests (adjusted Rand index of each
user), and the paper's table 3 by a walk over the last days.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np

from recjax.data.synthetic.population import (
    DAY,
    Population,
    PopulationSettings,
    make_population,
)
from recjax.users.methods import CompleteLinkage, KMeans, Ward, table
from recjax.users.walk import Walk, evaluate, report

SETTINGS = PopulationSettings(
    people=1_000, topics=1_000, items=40, width=16, noise=0.4, lifetime=200.0
)
"""Many topics in few dimensions: a mean of two interests lies near a third one."""
ALPHAS = (1.0, 2.0, 3.0, 4.0, 6.0)
APARTS = (0.6, 0.8, 1.0, 1.2)


def adjusted_rand(one: np.ndarray, other: np.ndarray) -> float:
    """Returns the adjusted Rand index of two partitions (Hubert and Arabie, 1985)."""
    _, one = np.unique(one, return_inverse=True)
    _, other = np.unique(other, return_inverse=True)
    both = np.bincount(one * (other.max() + 1) + other)
    pairs = [(n * (n - 1) / 2).sum() for n in (both, *map(np.bincount, (one, other)))]
    chance = pairs[1] * pairs[2] / max(len(one) * (len(one) - 1) / 2, 1)
    most = (pairs[1] + pairs[2]) / 2
    return 1.0 if most == chance else (pairs[0] - chance) / (most - chance)


def agreement(label, people: Population, count: int) -> np.ndarray:
    """Returns the adjusted Rand index of each of the first users."""
    found = []
    for user in range(count):
        own = (people.user == user) & (people.interest >= 0)
        points = people.vectors[people.item[own]]
        if len(points) > 1:
            found.append(adjusted_rand(label(points), people.interest[own]))
    return np.array(found)


def main() -> None:
    """Runs the experiment."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--people", type=int, default=SETTINGS.people)
    parser.add_argument("--noise", type=float, default=SETTINGS.noise)
    parser.add_argument("--days", type=int, default=7, help="days to predict")
    chosen = parser.parse_args()
    settings = replace(SETTINGS, people=chosen.people, noise=chosen.noise)
    validation = make_population(replace(settings, seed=1, people=200))
    wards = {a: agreement(Ward(a), validation, 200).mean() for a in ALPHAS}
    chains = {a: agreement(CompleteLinkage(a), validation, 200).mean() for a in APARTS}
    alpha, apart = max(wards, key=wards.get), max(chains, key=chains.get)
    print("validation, adjusted Rand by alpha:", _round(wards))
    print("validation, adjusted Rand by threshold of complete linkage:", _round(chains))
    people = make_population(settings)
    counts = np.bincount(people.user)
    print(f"test: {len(counts)} people, {len(people.user):,} actions")
    ways = {"Ward": Ward(alpha), "complete linkage": CompleteLinkage(apart)}
    for name, label in {**ways, "k-means, k = 5": KMeans(5)}.items():
        found = agreement(label, people, min(300, chosen.people))
        print(
            f"adjusted Rand, {name}: {found.mean():.3f}, median {np.median(found):.3f}"
        )
    end = settings.start + settings.days * DAY
    walk = Walk(begin=end - chosen.days * DAY, days=chosen.days)
    columns = people.vectors, people.user, people.item, people.time
    print(report(evaluate(table(alpha, apart), *columns, walk)))


def _round(values: dict) -> dict:
    return {key: round(float(value), 3) for key, value in values.items()}


if __name__ == "__main__":
    main()
