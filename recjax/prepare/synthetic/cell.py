"""What the invented entities of one cell are about, and how often they are met."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from recjax.prepare.synthetic.world import World
from recjax.rng import host_stream

CELL = 1_024
"""Entities of a cell."""
CONCEPTS = 6
"""Concepts of an entity."""
TAIL, MOST = 1.1, 60
"""Pareto exponent and upper end of popularity."""
CAP = {"pin": 50, "product": 200}
"""Most training pairs of an entity (arXiv 2404.16260)."""


@dataclass(frozen=True)
class Cell:
    """Entities of one cell, and everything drawn for them.

    Attributes:
      topic: i64[n].
      concepts: i64[n, CONCEPTS], what matters most first.
      history: i64[n] engagements in the history.
      train: i64[n] those to train on.
      related: i64[n] pairs of related queries.
      test: i64[n] engagements in the evaluation window.
      judged: i64[n] judgements of relevance, 0 or 1.
      new: bool[n]: came to be after the training.
      draw: the generator for what follows.
    """

    topic: np.ndarray
    concepts: np.ndarray
    history: np.ndarray
    train: np.ndarray
    related: np.ndarray
    test: np.ndarray
    judged: np.ndarray
    new: np.ndarray
    draw: Callable[[str], np.random.Generator]


def draw_cell(world: World, kind: str, number: int) -> Cell:
    """Returns what the entities of one cell are about, and how often they are met."""
    settings = world.settings

    def stream(name: str) -> np.random.Generator:
        return host_stream(settings.seed, f"catalog/{kind}/{name}", number)

    draw = stream("cell")
    topic = draw.choice(world.topics, CELL, p=world.topic_weights)
    among = world.concept_ids(topic)
    keys = np.log(world.concept_weights) + draw.gumbel(size=among.shape)
    best = np.argsort(-keys, axis=1)[:, :CONCEPTS]
    new = draw.random(CELL) < settings.new
    found = settings.engaged / (1 - settings.new)
    popularity = found ** (1 / TAIL) * (1 - draw.random(CELL)) ** (-1 / TAIL)
    popularity = np.minimum(popularity, MOST)
    logged = 1 + (0.4 * (popularity - 1)).astype(np.int64)
    share = popularity / 2.5  # its mean is about 2.5
    pairs = settings.pairs * (0.5 if kind == "product" else 1)
    related = settings.pairs * (0.2 if kind == "pin" else 0)
    return Cell(
        topic=topic,
        concepts=np.take_along_axis(among, best, axis=1),
        history=np.where(new | (popularity < 1), 0, logged),
        train=np.minimum(draw.poisson(pairs * share), CAP[kind]) * ~new,
        related=draw.poisson(related * share) * ~new,
        test=draw.poisson(settings.asked * pairs * share),
        judged=(draw.random(CELL) < settings.judged).astype(np.int64),
        new=new,
        draw=stream,
    )
