"""People with known interests that drift: to see whether clustering finds them.

Items lie around topics, topics around themes. A person's interests are of very unequal
size: a Pitman-Yor process, the more actions the more interests; some are given up and
others begin as days pass. Within a topic a person acts on what is near one item, more
often than on what is far. Topics are narrow or broad, of many items or few, and run
into each other.

The defaults of `breadth`, `discount`, `lifetime` and `stray` were chosen so that the
last action, a decayed mean, three means and the nearest past action foretell the next
about as well, beside each other, as in table 1 of the paper of PinnerSage.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recjax.seconds import DAY


@dataclass(frozen=True)
class PopulationSettings:
    """How large a population is, and how clear its interests.

    Attributes:
      seed: of everything.
      people: number of users.
      themes: groups of topics that are like each other.
      topics: number of topics.
      items: number of items, not below `topics`, which have unequal shares of them.
      width: `D`.
      kinship: length of a topic's part that is its theme's; its own part has length 1.
      breadth: least and largest length of an item's part that is not its topic's; of
        each topic anywhere between, by the logarithm.
      spread: directions in which a topic's items differ; the k-th by 1 / sqrt(k).
      leaning: share of items that lie towards another topic of their theme.
      actions: median number of a person's actions.
      unequal: standard deviation of the logarithm of that number.
      discount: of the Pitman-Yor process: n actions go to about n**discount interests.
      days: length of the record; it ends at `start + days`.
      lifetime: days that an interest lasts, on average.
      stray: share of actions on any item whatever.
      start: unix seconds.
    """

    seed: int = 0
    people: int = 1_000
    themes: int = 30
    topics: int = 300
    items: int = 200_000
    width: int = 64
    kinship: float = 0.7
    breadth: tuple[float, float] = (0.4, 0.9)
    spread: int = 8
    leaning: float = 0.1
    actions: float = 60.0
    unequal: float = 0.8
    discount: float = 0.4
    days: int = 97
    lifetime: float = 250.0
    stray: float = 0.1
    start: float = 1_600_000_000.0


@dataclass(frozen=True)
class Population:
    """Items and actions; the actions of a user together, by time.

    Attributes:
      vectors: unit vectors, float32 [N, D].
      topic: of each item, ascending, int64 [N].
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
    topic, vectors = _items(rng, s)
    popularity = _shares(s.topics)
    first = np.searchsorted(topic, np.arange(s.topics + 1))
    columns: list[tuple] = []
    for person in range(s.people):
        count = max(round(s.actions * np.exp(s.unequal * rng.standard_normal())), 1)
        time = np.sort(rng.uniform(0, s.days, count))
        interest = _interests(time, rng, popularity, s)
        item = np.empty(count, np.int64)
        for own in np.unique(interest):
            acts = np.flatnonzero(interest == own)
            item[acts] = _tastes(vectors, first[own], first[own + 1], len(acts), rng)
        stray = rng.uniform(size=count) < s.stray
        item[stray] = rng.integers(0, s.items, stray.sum())
        interest[stray] = -1
        columns.append((np.full(count, person), item, s.start + time * DAY, interest))
    user, item, time, interest = map(np.concatenate, zip(*columns, strict=True))
    return Population(vectors, topic, user, item, time, interest)


def _items(rng: np.random.Generator, s: PopulationSettings) -> tuple:
    """Returns the topic of each item, and the items' vectors."""
    theme = rng.integers(0, s.themes, s.topics)
    centers = _unit(rng.standard_normal((s.themes, s.width)))[theme] * s.kinship
    centers = _unit(centers + _unit(rng.standard_normal((s.topics, s.width))))
    # A topic that is popular has more items, but for chance.
    share = _shares(s.topics) * rng.gamma(4.0, size=s.topics)
    drawn = rng.choice(s.topics, s.items - s.topics, p=share / share.sum())
    topic = np.sort(np.concatenate([np.arange(s.topics), drawn]))
    breadth = np.exp(rng.uniform(*np.log(s.breadth), s.topics))
    strength = 1 / np.arange(1, s.spread + 1) ** 0.5
    strength /= np.linalg.norm(strength)
    ways = rng.standard_normal((s.topics, s.spread, s.width)) / np.sqrt(s.width)
    along = strength * rng.standard_normal((s.items, s.spread))
    own = np.einsum("nk,nkd->nd", along, ways[topic])
    vectors = centers[topic] + breadth[topic, None] * own
    for t in range(s.topics):
        others = np.flatnonzero((theme == theme[t]) & (np.arange(s.topics) != t))
        leaning = np.flatnonzero((topic == t) & (rng.uniform(size=s.items) < s.leaning))
        if len(others):
            to = centers[rng.choice(others, len(leaning))] - centers[t]
            vectors[leaning] += rng.uniform(0.2, 0.5, (len(leaning), 1)) * to
    return topic, _unit(vectors).astype(np.float32)


def _interests(
    time: np.ndarray,
    rng: np.random.Generator,
    popularity: np.ndarray,
    s: PopulationSettings,
) -> np.ndarray:
    """Returns the topic of each action: an old interest, by its size, or a new one."""
    chosen = np.empty(len(time), np.int64)
    topics: list[int] = []
    sizes: list[float] = []
    ends: list[float] = []
    for i, now in enumerate(time):
        weight = np.where(np.array(ends) > now, np.array(sizes) - s.discount, 0.0)
        new = s.discount * np.count_nonzero(weight) if i else 1.0
        drawn = rng.uniform(0, weight.sum() + max(new, s.discount))
        k = int(np.searchsorted(np.cumsum(weight), drawn, "right"))
        if k == len(topics):
            topics.append(int(rng.choice(s.topics, p=popularity)))
            sizes.append(0.0)
            ends.append(now + rng.exponential(s.lifetime))
        sizes[k] += 1
        chosen[i] = topics[k]
    return chosen


def _tastes(vectors, begin: int, end: int, count: int, rng) -> np.ndarray:
    """Returns items of one topic, most of them near one that the person likes."""
    liked = rng.integers(begin, end)
    order = np.argsort(-vectors[begin:end] @ vectors[liked])
    # The logarithm of the rank is uniform: near ones often, and far ones at times.
    rank = (end - begin) ** rng.uniform(size=count) - 1
    return begin + order[rank.astype(np.int64)]


def _shares(count: int) -> np.ndarray:
    share = 1 / np.arange(1, count + 1) ** 0.5
    return share / share.sum()


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
