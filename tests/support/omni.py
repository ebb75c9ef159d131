"""A small model of three kinds of candidates, and random batches for it."""

import numpy as np

from recjax.features import DenseFeature, IdFeature
from recjax.models import OmniSearch, PairCounts, Table
from recjax.nn.fields import HashEmbedding
from recjax.nn.inputs import EmbeddingBag
from recjax.nn.sketch import CountMin
from recjax.nn.tower import Tower
from recjax.nn.vectors import Vectors

WIDTH, LENGTH, FIELDS, FROZEN = 12, 6, 3, 4
SHARES = {"pin": 4, "product": 2, "query": 2}
WORDS, NGRAMS, ITEMS = 30, 50, 40


def model(unified=True, **changes):
    """Returns the model: one tower for pins and products, or one for each."""
    text = HashEmbedding("hash", "importance", FIELDS, buckets=20)
    entity = Tower(
        {"text": text, "v": Vectors(), "code": Vectors(bits=True)},
        WIDTH,
        hidden=(16,),
        join="concat",
        norm=False,
    )
    names = {"pin": "entity", "product": "entity"}
    if not unified:
        names = {"pin": "pin", "product": "product"}
    given = {
        "towers": {"query": Tower({"text": EmbeddingBag("word")}, WIDTH, hidden=())}
        | dict.fromkeys(names.values(), entity),
        "tower_of": names,
        "tables": {
            "word": Table(WIDTH),
            "hash": Table(WIDTH, rows=21),
            "importance": Table(2, scale=1.0),
        },
        "legacy": {"pin": "old", "product": "old"},
        "legacy_width": FROZEN,
        "counts": PairCounts(CountMin(1 << 10)),
    }
    return OmniSearch(**given | changes)


def sides():
    """Returns the features of queries and entities."""
    entity = {
        "text": IdFeature(NGRAMS, LENGTH),
        "v": DenseFeature(5),
        "code": DenseFeature(16),
        "old": DenseFeature(FROZEN),
    }
    query = {"text": IdFeature(WORDS, LENGTH)}
    return {"query": query, "pin": entity, "product": entity}


def queries(draw, rows):
    """Returns random queries, some of them short."""
    ids = draw.integers(1, WORDS, (rows, LENGTH), np.int32)
    return {"text": ids * (np.arange(LENGTH) < draw.integers(1, LENGTH, (rows, 1)))}


def entities(draw, rows):
    """Returns random entities; some lack a feature, some all."""
    held = np.arange(LENGTH) < draw.integers(0, LENGTH + 1, (rows, 1))
    field = np.sort(draw.integers(0, FIELDS, (rows, LENGTH), np.uint8), 1)
    there = {
        f"{n}__present": draw.random((rows, 2)) < 0.5 for n in ("v", "code", "old")
    }
    return there | {
        "text": draw.integers(1, NGRAMS, (rows, LENGTH), np.int32) * held,
        "text__field": field,
        "v": draw.standard_normal((rows, 2, 5), np.float32),
        "code": draw.integers(0, 256, (rows, 2, 2), np.uint8),
        "old": draw.standard_normal((rows, 2, FROZEN), np.float32),
    }


def batch(seed=0, groups=4, shares=SHARES, negatives=2):
    """Returns a batch of so many groups."""
    draw, found = np.random.default_rng(seed), {}
    for kind, share in shares.items():
        rows, make = groups * share, queries if kind == "query" else entities
        flat = np.full(rows, -np.log(ITEMS), np.float32)
        found[kind] = {
            "query": queries(draw, rows),
            "positive": make(draw, rows),
            "negative": make(draw, negatives * rows),
            "query_id": draw.integers(0, 9, rows, np.int32),
            "positive_id": draw.integers(0, ITEMS, rows, np.int32),
            "negative_id": draw.integers(0, ITEMS, negatives * rows, np.int32),
            "positive_logq": flat,
            "negative_logq": np.tile(flat, negatives),
            "positive_draw_logq": flat,
            "negative_draw_logq": np.tile(flat, negatives),
            "weight": np.ones(rows, np.float32),
        }
    return found
