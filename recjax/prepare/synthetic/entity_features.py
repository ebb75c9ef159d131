"""Texts, vectors and codes of invented entities: each tells a part of the truth."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from recjax.prepare.synthetic.cell import Cell
from recjax.prepare.synthetic.world import SEEKER, WRITER, World, unit, units

WEIGHTS = np.array([0.3, 0.25, 0.15, 0.12, 0.1, 0.08], np.float32)
COLORS = ("black", "white", "red", "green", "blue", "grey", "beige", "pink", "yellow")
MATERIALS = ("cotton", "wood", "steel", "glass", "wool", "leather", "paper", "linen")
PATTERNS = ("plain", "striped", "floral", "dotted", "checked", "geometric")
SIZES = ("xs", "s", "m", "l", "xl", "one size")
SIZE_TYPES = ("regular", "petite", "tall", "plus")


def columns(world: World, cell: Cell, kind: str) -> dict[str, pa.Array]:
    """Returns the columns of a cell's entities, but the two that come from logs."""
    return {**_texts(world, cell, kind), **_dense(world, cell, kind)}


def board_titles(world: World, cell: Cell) -> tuple[np.ndarray, pa.Array]:
    """Returns saves: the entity (position in the cell) and the title of the board.

    Boards name what people want an entity for; a quarter of them say nothing.
    """
    draw, n = cell.draw("boards"), len(cell.topic)
    counts = 1 + np.minimum(draw.poisson(4.0, n), 20)
    counts[draw.random(n) >= world.settings.boarded] = 0
    at = np.repeat(np.arange(n), counts)
    rows = len(at)
    which = _some(draw, rows, 2)
    concepts = np.take_along_axis(cell.concepts[at], which, axis=1)
    words = world.concept_word(concepts, SEEKER, draw.random((rows, 2)))
    words[draw.random((rows, 2)) < [0.2, 0.5]] = -1
    name = np.where(draw.random(rows) < 0.6, world.topic_word(cell.topic[at]), -1)
    words = np.column_stack([words, name])
    words[draw.random(rows) < 0.25] = -1
    filler = world.filler(draw.random(rows))
    # A title must say something.
    lone = (words < 0).all(axis=1) | (draw.random(rows) < 0.3)
    return at, world.texts(np.column_stack([words, np.where(lone, filler, -1)]))


def _texts(world: World, cell: Cell, kind: str) -> dict[str, pa.Array]:
    draw, n = cell.draw("texts"), len(cell.topic)
    settings = world.settings

    def written(count: int, fillers: int, wrong: float, said: float) -> np.ndarray:
        """Returns words: some of the entity's concepts, some wrong ones, fillers."""
        which = draw.permuted(np.tile(np.arange(6), (n, 1)), axis=1)[:, :count]
        concepts = np.take_along_axis(cell.concepts, which, axis=1)
        around = np.take_along_axis(
            world.concept_ids(cell.topic),
            draw.integers(0, 2 * settings.concepts, (n, count)),
            axis=1,
        )
        concepts = np.where(draw.random((n, count)) < wrong, around, concepts)
        words = world.concept_word(concepts, WRITER, draw.random((n, count)))
        words[draw.random((n, count)) >= said] = -1
        empty = world.filler(draw.random((n, fillers)))
        return np.concatenate([words, empty], axis=1)

    def sometimes(share: float, texts: pa.Array, among=None) -> pa.Array:
        there = draw.random(n) < share
        if among is not None:
            there &= among
        return pa.array(texts.to_pylist(), pa.string(), mask=~there)

    def one_of(options: tuple[str, ...]) -> pa.Array:
        picked = draw.integers(0, len(options), n)
        return pa.array(options).take(pa.array(picked))

    titled = draw.random(n) < (settings.titled if kind == "pin" else 0.98)
    detailed = 0.08 if kind == "pin" else 0.6
    name, area = world.topic_word(cell.topic), world.area_word(cell.topic)
    site = pa.array([f"{w.as_py()}.com" for w in world.words.take(pa.array(area))])
    title = written(3, 2, 0.2, 0.8)
    known = np.where(draw.random(n) < 0.3, name, -1)
    caption = np.column_stack([written(3, 3, settings.caption_noise, 0.9), area])
    return {
        "title": sometimes(1.0, world.texts(np.column_stack([title, known])), titled),
        "description": sometimes(0.6, world.texts(written(4, 6, 0.3, 0.7)), titled),
        "image_caption": world.texts(caption),
        "domain": sometimes(0.7, site),
        "domains": sometimes(detailed, site),
        "links": sometimes(0.5 * detailed, site),
        "brand": sometimes(detailed, world.texts(world.filler(draw.random((n, 1))))),
        "colors": sometimes(detailed, one_of(COLORS)),
        "materials": sometimes(0.7 * detailed, one_of(MATERIALS)),
        "patterns": sometimes(0.5 * detailed, one_of(PATTERNS)),
        "size": sometimes(0.5 * detailed, one_of(SIZES)),
        "size_type": sometimes(0.3 * detailed, one_of(SIZE_TYPES)),
        "product_types": sometimes(detailed, world.texts(name[:, None])),
        "gpt": sometimes(detailed, world.texts(np.column_stack([area, name]))),
        "canonical_desc": sometimes(0.2, world.texts(written(2, 4, 0.4, 0.6)), titled),
        "rich_pin_title": sometimes(0.2, world.texts(written(2, 2, 0.3, 0.8)), titled),
        "rich_pin_description": sometimes(
            0.15, world.texts(written(3, 4, 0.4, 0.6)), titled
        ),
    }


def _dense(world: World, cell: Cell, kind: str) -> dict[str, pa.Array]:
    draw, n = cell.draw("dense"), len(cell.topic)
    settings = world.settings
    truth = _truth(world, cell, cell.topic)
    each = np.ones(n, np.int64)
    if kind == "product":
        each = draw.integers(1, settings.images + 1, n)
    of = np.repeat(np.arange(n), each)
    graph = _blurred(draw, truth[of], settings.quality) @ world.maps["gs_v5"]
    item = _blurred(draw, truth, settings.quality) @ world.maps["item_is_v2"]
    old = _blurred(draw, truth, settings.legacy_quality) @ world.maps["legacy"]
    # Some images show something else.
    shown = np.where(
        draw.random(len(of)) < 0.15,
        draw.integers(0, world.topics, len(of)),
        cell.topic[of],
    )
    seen = _blurred(draw, _truth(world, cell, shown, of), settings.image_quality)
    bits = (seen @ world.maps["ue_v4"]) > 0
    bits ^= draw.integers(0, 256, bits.shape, dtype=np.uint8) < 13
    codes = [row.tobytes() for row in np.packbits(bits, axis=1)]
    images = np.concatenate([[0], np.cumsum(each)]).astype(np.int32)
    graph, codes = _vectors(unit(graph)), pa.array(codes, pa.binary())
    if kind == "product":
        graph = pa.ListArray.from_arrays(images, graph)
        codes = pa.ListArray.from_arrays(images, codes)
    return {
        "gs_v5": graph,
        "item_is_v2": _vectors(unit(item)),
        "ue_v4": codes,
        "legacy": _vectors(unit(old)),
    }


def _truth(
    world: World, cell: Cell, topic: np.ndarray, rows: np.ndarray | None = None
) -> np.ndarray:
    """Returns f32[n, LATENT]: what entities are about, with the topics given."""
    concepts = cell.concepts if rows is None else cell.concepts[rows]
    wants = np.einsum("nkd,k->nd", world.concept_vectors[concepts], WEIGHTS)
    area = world.area_vectors[topic // world.settings.topics]
    return unit(0.7 * area + world.topic_vectors[topic] + 2.0 * wants)


def _blurred(
    draw: np.random.Generator, truth: np.ndarray, quality: float
) -> np.ndarray:
    """Returns unit vectors whose cosine with the truth is `quality`, about."""
    noise = units(draw, len(truth))
    return quality * truth + np.float32((1 - quality**2) ** 0.5) * noise


def _some(draw: np.random.Generator, rows: int, count: int) -> np.ndarray:
    """Returns i64[rows, count]: positions of distinct concepts, by their weights."""
    keys = np.log(WEIGHTS) + draw.gumbel(size=(rows, len(WEIGHTS)))
    return np.argsort(-keys, axis=1)[:, :count]


def _vectors(values: np.ndarray) -> pa.Array:
    flat = pa.array(np.ascontiguousarray(values, np.float32).ravel())
    return pa.FixedSizeListArray.from_arrays(flat, values.shape[1])
