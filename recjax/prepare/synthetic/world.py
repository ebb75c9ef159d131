"""What an invented catalogue is about: areas, their topics, and each topic's concepts.

A concept has several words for it, used unequally by those who write titles and by
those who search, and a vector. Everything follows from the settings.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recjax.rng import host_stream

WORDS_A_CONCEPT = 3
LATENT = 64
WIDTH = 256
CODE_BYTES = 128
FILLERS = 300
SYLLABLES = [c + v for c in "bdfghjklmnprstvz" for v in "aeiou"]

WRITER = (0.45, 0.3, 0.25)
"""How often those who write titles use each of a concept's words."""
SEEKER = (0.7, 0.2, 0.1)
"""The same for those who search, and who name boards."""


@dataclass(frozen=True)
class CatalogSettings:
    """How large an invented catalogue is, and how much each feature tells.

    Attributes:
      seed: of everything.
      pins: number of pins.
      products: number of products.
      areas: topics at the upper level.
      topics: topics an area.
      concepts: concepts of a topic; an area has as many again.
      images: most images of a product.
      pairs: training pairs a pin, on average; products half of that, related queries a
        fifth.
      asked: pairs of the evaluation window for each one of training.
      judged: share of entities with a relevance judgement in the evaluation window.
      titled: share of pins with a title; some of them have a description as well.
      boarded: share of pins and products with board titles.
      engaged: share with engaged queries.
      new: share that came after the features' logs ended; these have no engaged
        queries.
      caption_noise: share of a caption's concepts that are wrong.
      quality: cosine of a dense feature with the truth, before images add up.
      image_quality: the same of what the image codes are made from.
      legacy_quality: the same of the legacy embeddings.
      misclicks: share of engagements that came after an unrelated query.
    """

    seed: int = 0
    pins: int = 100_000
    products: int = 20_000
    areas: int = 20
    topics: int = 20
    concepts: int = 60
    images: int = 4
    pairs: float = 4.0
    asked: float = 0.03
    judged: float = 0.05
    titled: float = 0.7
    boarded: float = 0.91
    engaged: float = 0.65
    new: float = 0.08
    caption_noise: float = 0.35
    quality: float = 0.35
    image_quality: float = 0.3
    legacy_quality: float = 0.5
    misclicks: float = 0.05

    def sized(self, pins: int) -> CatalogSettings:
        """Returns the settings for so many pins: a fifth products, topics to match."""
        topics = max(2, min(20, round((pins / 250) ** 0.5)))
        return replace(self, pins=pins, products=pins // 5, areas=topics, topics=topics)


@dataclass(frozen=True)
class World:
    """Words and vectors, made from the settings once.

    Attributes:
      settings: the settings.
      words: all words; see the `*_word` methods.
      topic_weights: f64[topics], adding up to 1.
      concept_weights: f64[2 * concepts] of a topic's own, then of its area's.
      area_vectors: f32[areas, LATENT], of length 1 like those below.
      topic_vectors: f32[areas * topics, LATENT].
      concept_vectors: f32[all concepts, LATENT].
      maps: feature -> f32[LATENT, width], latent vectors to those that are written.
    """

    settings: CatalogSettings
    words: pa.Array
    topic_weights: np.ndarray
    concept_weights: np.ndarray
    area_vectors: np.ndarray
    topic_vectors: np.ndarray
    concept_vectors: np.ndarray
    maps: dict[str, np.ndarray]

    @property
    def topics(self) -> int:
        """Topics of all areas."""
        return len(self.topic_vectors)

    def concept_ids(self, topic: np.ndarray) -> np.ndarray:
        """Returns i64[n, 2 * concepts]: what a topic i64[n] is about, its own first."""
        count = self.settings.concepts
        area = topic // self.settings.topics
        own = np.stack([topic, self.topics + area], axis=1)[:, :, None] * count
        return (own + np.arange(count)).reshape(len(topic), -1)

    def concept_word(
        self, concept: np.ndarray, who: tuple[float, ...], draw: np.ndarray
    ) -> np.ndarray:
        """Returns a word for each concept; `draw` is uniform, of the same shape."""
        variant = np.searchsorted(np.cumsum(who)[:-1], draw, side="right")
        return concept * WORDS_A_CONCEPT + variant

    def topic_word(self, topic: np.ndarray) -> np.ndarray:
        """Returns the name of each topic."""
        return len(self.concept_vectors) * WORDS_A_CONCEPT + topic

    def area_word(self, topic: np.ndarray) -> np.ndarray:
        """Returns the name of each topic's area."""
        return self.topic_word(self.topics + topic // self.settings.topics)

    def filler(self, draw: np.ndarray) -> np.ndarray:
        """Returns words that say nothing, Zipf-distributed; `draw` is uniform."""
        rank = np.minimum(FILLERS**draw - 1, FILLERS - 1).astype(np.int64)
        return len(self.words) - FILLERS + rank

    def texts(self, ids: np.ndarray) -> pa.Array:
        """Returns the texts of word ids [n, k]; -1 is no word, none at all is null."""
        there = ids >= 0
        counts = there.sum(axis=1)
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
        each = self.words.take(pa.array(ids[there]))
        joined = pc.binary_join(pa.ListArray.from_arrays(offsets, each), " ")
        return pc.if_else(pa.array(counts > 0), joined, pa.scalar(None, pa.string()))


def make_world(settings: CatalogSettings) -> World:
    """Returns the world that the settings describe."""
    draw = host_stream(settings.seed, "catalog/world", 0)
    topics = settings.areas * settings.topics
    concepts = (topics + settings.areas) * settings.concepts
    words = concepts * WORDS_A_CONCEPT + topics + settings.areas + FILLERS
    rank = np.arange(settings.concepts)
    own = 1 / (rank + 3)
    weights = 1 / (np.arange(topics) + 5)
    widths = {"gs_v5": WIDTH, "item_is_v2": WIDTH, "legacy": WIDTH}
    widths["ue_v4"] = 8 * CODE_BYTES
    return World(
        settings=settings,
        words=pa.array(_spell(words)),
        topic_weights=draw.permutation(weights / weights.sum()),
        concept_weights=np.concatenate([own, 0.3 * own]),
        area_vectors=units(draw, settings.areas),
        topic_vectors=units(draw, topics),
        concept_vectors=units(draw, concepts),
        maps={
            name: draw.normal(0, width**-0.5, (LATENT, width)).astype(np.float32)
            for name, width in widths.items()
        },
    )


def units(draw: np.random.Generator, count: int) -> np.ndarray:
    """Returns f32[count, LATENT]: random directions."""
    return unit(draw.standard_normal((count, LATENT), np.float32))


def unit(vectors: np.ndarray) -> np.ndarray:
    """Returns the vectors with length 1."""
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def _spell(count: int) -> list[str]:
    """Returns distinct words that can be said, alike ones far apart."""
    base = len(SYLLABLES)
    length = 3 if count <= base**3 else 4
    codes = np.arange(count) * 7_368_787 % base**length
    digits = codes[:, None] // base ** np.arange(length) % base
    return ["".join(SYLLABLES[d] for d in row) for row in digits.tolist()]
