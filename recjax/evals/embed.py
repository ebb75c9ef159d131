"""Embeddings by a trained state: any number of rows, block by block in one shape."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from jax.sharding import set_mesh

from recjax.blocks import block_of, in_blocks
from recjax.data.dataset import CorpusColumn, HasImages
from recjax.data.pipeline import HostBatch
from recjax.errors import UserError
from recjax.sharding.placement import fetch, put_batch
from recjax.train.program import Program
from recjax.train.state import State

STEP = 8
"""Ids a text by which blocks of texts differ in length."""
Show = Callable[[Any], HostBatch]
"""Positions or names of images -> image uint8 [n, size, size, 3], and maps of it where
they are kept."""


def embed_all(
    program: Program,
    state: State,
    side: str,
    features: Mapping[str, CorpusColumn],
    rows: np.ndarray | None = None,
    block: int | None = None,
) -> np.ndarray:
    """Embeds any number of rows [N, D].

    Args:
      program: the opened experiment.
      state: the trained state.
      side: of the model, such as "query" or "candidate".
      features: name -> [N, ...]; read block by block.
      rows: positions to embed, and `N` is their number; None for all.
      block: rows at a time; None: see `block_of`.
    """
    size = len(next(iter(features.values()))) if rows is None else len(rows)
    known = program.dataset.sides.get(side.split("/")[0], {})
    texts = [n for n in features if getattr(known.get(n), "cut", False)]
    order = _by_length([features[name] for name in texts], rows) if texts else None
    if order is not None:
        rows = order if rows is None else rows[order]

    def take(at: slice) -> dict[str, np.ndarray]:
        wanted = at if rows is None else rows[at]
        found = {name: column[wanted] for name, column in features.items()}
        return found | {name: _cut(found[name]) for name in texts}

    embed = _embedder(program, state, side)
    block = _whole(program, min(block or block_of(features), size))
    with set_mesh(program.mesh):
        found = in_blocks(embed, size, block, take)
    if order is not None:
        found[order] = found.copy()
    return found


def _by_length(texts: Sequence[CorpusColumn], rows: np.ndarray | None) -> np.ndarray:
    """Returns the places of rows, those with the fewest ids first."""
    chosen = slice(None) if rows is None else rows
    lengths = [np.count_nonzero(column[chosen], axis=1) for column in texts]
    return np.argsort(np.max(lengths, axis=0), kind="stable")


def _cut(ids: np.ndarray) -> np.ndarray:
    """Leaves out columns at the end without an id, in steps, for each is compiled."""
    held = np.count_nonzero(ids, axis=1).max(initial=1)
    return ids[:, : -(-held // STEP) * STEP]


def kept_of(program: Program, state: State) -> dict[Any, Any]:
    """Returns what evaluations of a state share; that of an earlier state goes."""
    kept = program.kept
    if kept.get("state") is not state:
        kept.clear()
        kept["state"] = state
    return kept


def embed_corpus(program: Program, state: State, side: str, name: str) -> np.ndarray:
    """Embeds a whole corpus [N, D], once for all evaluations of one state.

    Args:
      program: the opened experiment; it keeps the vectors of the newest state.
      state: the trained state.
      side: of the model.
      name: of the corpus.
    """
    kept = kept_of(program, state)
    if (side, name) not in kept:
        data: Any = program.dataset
        kept[side, name] = embed_all(program, state, side, data.corpora[name].features)
    return kept[side, name]


def embed_images(
    program: Program,
    state: State,
    positions: Any,
    show: Show,
    flip: bool = False,
    block: int = 64,
) -> np.ndarray:
    """Embeds images as vectors of length 1 [n, D].

    Args:
      program: the opened experiment.
      state: the trained state.
      positions: sequence of what `show` takes, one an image.
      show: reads a block.
      flip: take the mean with the mirror image.
      block: images at a time; memory does not grow with their number.
    """
    embed = _embedder(program, state, "image")

    def both(images: dict[str, np.ndarray]) -> np.ndarray:
        vectors = embed(images)
        if flip:
            mirrored = np.ascontiguousarray(images["image"][:, :, ::-1])
            vectors = vectors + embed({"image": mirrored})
        return vectors

    with set_mesh(program.mesh):
        size, block = len(positions), _whole(program, block)
        vectors = in_blocks(both, size, block, lambda at: show(positions[at]))
    return unit(vectors)


def as_images(data: object) -> HasImages:
    """Returns the data.

    Raises:
      UserError: it holds no images.
    """
    if not isinstance(data, HasImages):
        raise UserError("this needs images; this data has none")
    return data


def images_of(program: Program) -> HasImages:
    """Returns the program's data; see `as_images`."""
    return as_images(program.dataset)


def unit(x: np.ndarray) -> np.ndarray:
    """Returns rows scaled to length 1; zeros stay zeros."""
    return x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-12)


def _whole(program: Program, block: int) -> int:
    """Returns a block that the devices divide."""
    return -(-max(block, 1) // program.mesh.size) * program.mesh.size


def _embedder(
    program: Program, state: State, side: str
) -> Callable[[HostBatch], np.ndarray]:
    run, mesh = program.embedders[side], program.mesh

    def embed(batch: HostBatch) -> np.ndarray:
        return fetch(run(state, put_batch(batch, mesh, parts=1)), mesh)

    return embed
