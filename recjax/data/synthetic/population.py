"""People with known interests that drift: to see whether clustering finds them.

Items lie around topics on the unit sphere. A person has a few
interests, each a topic with a weight; some are given up and others begin as days pass.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

DAY = 86_400.0


@dataclass(frozen=True)
class PopulationSettings:
    """How large a population is, and how clear its interests.

    Attributes:
      seed: of everything.
      people: number of users.
      topics: number of topics.
      items: items a topic.
      width: `D`.
      noise: length of an item's part that is not its topic's, before normalising.
      interests: mean number of a person's interests, at least 1.
      actions: mean number of actions a person a day.
      days: length of the record; it ends at `start + days`.
      lifetime: days that an interest lasts, on average.
      stray: share of actions on any item whatever.
      start: unix seconds.
    """

    seed: int = 0
    people: int = 1_000
    topics: int = 200
    items: int = 100
    width: int = 64
    noise: float = 0.7
    interests: float = 5.0
    actions: float = 2.0
    days: int = 90
    lifetime: float = 60.0
    stray: float = 0.02
    start: float = 1_600_000_000.0


@dataclass(frozen=True)
class Population:
    """Items and actions; the actions of a user together, by time.

    Attributes:
      vectors: unit vectors, float32 [N, D].
      topic: of each item, int64 [N].
      user: of each action, int64 [E].
      item: of each action, int64 [E].
      time: unix seconds of each action, float64 [E].
      interest: topic that the person acted for, -1 for none, int64 [E].
    """

    vectors: np.ndarray
    topic: np.ndarray
    user: np.ndarray
    item: np.ndarray
    time: np.ndarray
    interest: np.ndarray


def make_population(settings: PopulationSettings) -> Population:
    """Returns a population; the same for the same settings."""
    s = settings
    rng = np.random.default_rng(s.seed)
    centers = _unit(rng.standard_normal((s.topics, s.width)))
    topic = np.repeat(np.arange(s.topics), s.items)
    own = rng.standard_normal((len(topic), s.width)) * s.noise / np.sqrt(s.width)
    vectors = _unit(centers[topic] + own).astype(np.float32)
    popularity = 1 / np.arange(1, s.topics + 1) ** 0.5
    popularity /= popularity.sum()
    liked = 1 / np.arange(1, s.items + 1) ** 0.5
    liked /= liked.sum()
    columns: list[tuple] = []
    for person in range(s.people):
        count = max(rng.poisson(s.actions * s.days), 1)
        time = np.sort(rng.uniform(0, s.days, count))
        interest = _interests(time, rng, popularity, s)
        item = interest * s.items + rng.choice(s.items, count, p=liked)
        stray = interest < 0
        item[stray] = rng.integers(0, len(topic), stray.sum())
        columns.append((np.full(count, person), item, s.start + time * DAY, interest))
    user, item, time, interest = map(np.concatenate, zip(*columns, strict=True))
    return Population(vectors, topic, user, item, time, interest)


def _interests(
    time: np.ndarray,
    rng: np.random.Generator,
    popularity: np.ndarray,
    s: PopulationSettings,
) -> np.ndarray:
    """Returns the topic of each action, -1 for a stray one."""
    # Interests are born at a rate that keeps their mean number, from long before on.
    span = s.days + 5 * s.lifetime
    births = max(rng.poisson(s.interests * span / s.lifetime), 1)
    topic = rng.choice(s.topics, births, p=popularity)
    born = rng.uniform(-5 * s.lifetime, s.days, births)
    dies = born + rng.exponential(s.lifetime, births)
    # One for life: there is always something to do.
    born[0], dies[0] = -np.inf, np.inf
    weight = rng.gamma(2.0, 1.0, births) + 0.1
    alive = (born <= time[:, None]) & (time[:, None] < dies)
    share = np.cumsum(np.where(alive, weight, 0), 1)
    drawn = rng.uniform(0, share[:, -1])
    chosen = topic[(share <= drawn[:, None]).sum(1)]
    return np.where(rng.uniform(size=len(time)) < s.stray, -1, chosen)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
