"""The workload of `tools/bench_two_tower.py`: OmniSearchSage's model and batches.

Sizes are those at which the published step was timed (`small`) and trained (`full`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np

from recjax.features import DenseFeature, IdFeature, Sides
from recjax.losses import SampledSoftmax
from recjax.models import OmniSearch, PairCounts, Table, TableSpec
from recjax.nn.fields import HashEmbedding
from recjax.nn.sketch import CountMin
from recjax.nn.tower import Tower
from recjax.nn.transformer import Transformer, TransformerSettings
from recjax.nn.vectors import Vectors
from recjax.typing import Array, Batch

KINDS = {"pin": 8, "product": 6, "query": 2}
"""Sixteenths of a batch: pins 8, products 4 + 2, queries 2."""
NEGATIVES, FIELDS, WIDTH = 4, 19, 512
TOKENS = 1_264_004
PARTS = ("positive", "negative")
WIDTHS = tuple((w, 1.0 if w >= 256 else 0.05) for w in (16, 32, 64, 128, 256, 512))


@dataclass(frozen=True)
class Sizes:
    """Sizes of a configuration.

    Attributes:
      encoder: of the query tower.
      query_length: word pieces of a query.
      field_length: n-grams of a field, in the mean.
      tokens: rows of the table of importances.
      buckets: rows of the hash table.
      sketch: cells of a row of the sketches.
      activations: what the towers multiply in.
      remat: layers of the query tower are computed again in the backward pass.
      draw: n-grams are drawn uniformly, as in the published benchmark, or by Zipf's
        law, as texts do.
    """

    encoder: TransformerSettings
    query_length: int = 16
    field_length: int = 12
    tokens: int = TOKENS
    buckets: int = 100_000
    sketch: int = 1 << 20
    activations: Literal["float32", "bfloat16"] = "float32"
    remat: bool = False
    draw: Literal["uniform", "zipf"] = "uniform"

    @property
    def length(self) -> int:
        """Room for the n-grams of an entity: three deviations above the mean."""
        spread = 3 * self.field_length / 3**0.5 * FIELDS**0.5
        return -(-int(FIELDS * self.field_length + spread) // 8) * 8


CONFIGS = {
    "small": Sizes(TransformerSettings(30_522, 128, 2, 2, 512, 16, 0)),
    "full": Sizes(
        TransformerSettings(119_547, 768, 6, 12, 3_072, 64, 0),
        query_length=64,
        activations="bfloat16",
        remat=True,
    ),
}


@dataclass(frozen=True)
class CheapStart(OmniSearch):
    """The model with tables that start in no time."""

    def table_specs(self, sides: Sides) -> dict[str, TableSpec]:
        """Returns the model's tables, filled by a sawtooth."""
        specs = super().table_specs(sides)
        return {name: replace(spec, init=_sawtooth) for name, spec in specs.items()}


def flops(sizes: Sizes, pairs: int) -> float:
    """Returns what the matrix products of a step must compute, forward and backward.

    Of the entities' first layer, 256 inputs have a gradient: those from the table.
    """
    each = 1 + NEGATIVES
    queries = pairs * (1 + KINDS["query"] * each / 16)
    entities = pairs * (KINDS["pin"] + KINDS["product"]) * each / 16
    encoder = sizes.encoder
    width, length = encoder.width, sizes.query_length
    layer = 4 * width**2 + 2 * width * encoder.feed_forward + 2 * length * width
    query = length * encoder.layers * layer + width * WIDTH
    entity = 1_792 * 1_024 + 1_024**2 + 1_024 * WIDTH
    given = (1_792 - 256) * 1_024
    return 2 * (3 * queries * query + entities * (3 * entity - given))


def bytes_moved(sizes: Sizes, pairs: int) -> float:
    """Returns what the bags of a step must move: rows of the tables, there and back.

    Forward reads a row for each n-gram and hash; backward reads it once more, and adds
    to its gradient, which is a read and a write.
    """
    entities = pairs * (KINDS["pin"] + KINDS["product"]) * (1 + NEGATIVES) / 16
    return 4 * entities * FIELDS * sizes.field_length * 2 * 256 * 4


def make_losses() -> dict[str, SampledSoftmax]:
    """Returns the published losses: two for each of five keys, at all widths."""
    keys = ("pin", "pin/legacy", "product", "product/legacy", "query")
    losses = {}
    for key in keys:
        widths = WIDTHS[:5] if key.endswith("legacy") else WIDTHS
        for random in (False, True):
            losses[f"{key}/{'random' if random else 'in_batch'}"] = SampledSoftmax(
                of=key,
                in_batch=not random,
                random=random,
                given_query=True,
                mask_same_query=not random,
                widths=widths,
                weight=1 / len(keys),
            )
    return losses


def make_model(sizes: Sizes, distinct: int | None) -> CheapStart:
    """Returns the model; a batch may name so many distinct rows of the hash table."""
    text = HashEmbedding(
        "hash", "importance", FIELDS, buckets=sizes.buckets, empty=True
    )
    inputs = {
        "text": text,
        "gs_v5": Vectors(),
        "item_is_v2": Vectors(),
        "ue_v4": Vectors(bits=True),
    }
    encoder = Transformer(sizes.encoder, "cls", WIDTH)
    return CheapStart(
        towers={
            "query": Tower({"text": encoder}, WIDTH),
            "entity": Tower(
                inputs, WIDTH, hidden=(1_024, 1_024), join="concat", norm=False
            ),
        },
        tower_of={"pin": "entity", "product": "entity"},
        tables={
            "hash": Table(256, rows=sizes.buckets + 1, distinct=distinct),
            "importance": Table(2),
        },
        legacy={"pin": "gs_v5", "product": "item_is_v2"},
        counts=PairCounts(CountMin(sizes.sketch), given_query=True),
    )


def make_sides(sizes: Sizes) -> Sides:
    """Returns the features of queries and entities."""
    entity = {
        "text": IdFeature(sizes.tokens, sizes.length),
        "gs_v5": DenseFeature(256),
        "item_is_v2": DenseFeature(256),
        "ue_v4": DenseFeature(1_024),
    }
    query = {"text": IdFeature(sizes.encoder.vocabulary, sizes.query_length)}
    return {"query": query, "pin": entity, "product": entity}


def make_batch(sizes: Sizes, pairs: int, seed: int) -> Batch:
    """Returns random pairs."""
    draw, batch = np.random.default_rng(seed), {}
    for kind, share in KINDS.items():
        rows = pairs * share // 16
        make = queries if kind == "query" else entities
        negatives = NEGATIVES * rows
        uniform = -np.log(1_000_000)
        batch[kind] = {
            "query": queries(draw, sizes, rows),
            "positive": make(draw, sizes, rows),
            "negative": make(draw, sizes, negatives),
            "query_id": draw.integers(0, 1_000_000, rows, np.int32),
            "positive_id": draw.integers(0, 1_000_000, rows, np.int32),
            "negative_id": draw.integers(0, 1_000_000, negatives, np.int32),
            "positive_logq": np.full(rows, uniform, np.float32),
            "negative_logq": np.full(negatives, uniform, np.float32),
            "positive_draw_logq": np.full(rows, uniform, np.float32),
            "negative_draw_logq": np.full(negatives, uniform, np.float32),
            "weight": np.ones(rows, np.float32),
        }
    return batch


def distinct_rows(batches: Sequence[Batch], hashes: int = 2) -> int:
    """Returns room for the distinct rows of the hash table that any batch names."""
    most = 0
    for batch in batches:
        parts = [batch[k][p]["text"] for k in ("pin", "product") for p in PARTS]
        ids = np.concatenate([np.unique(part) for part in parts])
        most = max(most, hashes * len(np.unique(ids)))
    return -(-int(1.02 * most) // 1_024) * 1_024


def queries(draw: np.random.Generator, sizes: Sizes, rows: int) -> Batch:
    """Returns full queries of random word pieces."""
    shape = (rows, sizes.query_length)
    return {"text": draw.integers(1, sizes.encoder.vocabulary, shape, np.int32)}


def entities(draw: np.random.Generator, sizes: Sizes, rows: int) -> Batch:
    """Returns entities with all vectors, and fields of 0 to twice the mean n-grams."""
    ids = np.zeros((rows, sizes.length), np.int32)
    fields = np.zeros((rows, sizes.length), np.uint8)
    for row in range(rows):
        lengths = draw.integers(0, 2 * sizes.field_length + 1, FIELDS)
        number = np.repeat(np.arange(FIELDS), lengths)[: sizes.length]
        fields[row, : len(number)] = number
        ids[row, : len(number)] = ngrams(draw, sizes, len(number))
    found: dict[str, Array] = {"text": ids, "text__field": fields}
    for name, width in (("gs_v5", 256), ("item_is_v2", 256)):
        found[name] = draw.standard_normal((rows, 1, width), np.float32)
    found["ue_v4"] = draw.integers(0, 256, (rows, 1, 128), np.uint8)
    there = {
        f"{n}__present": np.ones((rows, 1), bool) for n in found if "text" not in n
    }
    return found | there


def ngrams(draw: np.random.Generator, sizes: Sizes, count: int) -> np.ndarray:
    """Returns ids of n-grams; by Zipf's law, the probability of id i is about 1 / i."""
    if sizes.draw == "uniform":
        return draw.integers(1, sizes.tokens, count)
    return (sizes.tokens ** draw.random(count)).astype(np.int32)


def _sawtooth(key: Array, shape: tuple[int, int]) -> Array:
    del key
    row = jax.lax.broadcasted_iota(jnp.uint32, shape, 0)
    column = jax.lax.broadcasted_iota(jnp.uint32, shape, 1)
    mixed = (row * 64 + column) * jnp.uint32(2_654_435_761)
    return ((mixed >> 16).astype(jnp.float32) / 65_536 - 0.5) * 0.1
