"""Exact ranking of a whole corpus, in memory that knows only the corpus.

Scores are made tile by tile and never stored: a first pass picks up the scores of the
judged items, a second counts what ranks above them and keeps the best K. Both passes
make the same products in the same shapes, so that an item always ties with itself.
Floor: 4 Q N D FLOPs (two passes), reading N D numbers once for each block of queries.
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from recjax.metrics.ranks import Ranks, Ties, ranks_of
from recjax.metrics.task import RankingTask
from recjax.sharding.placement import put
from recjax.typing import Array

OUT = -jnp.inf
"""The score of an item that is not ranked."""


def rank_embeddings(
    queries: np.ndarray,
    corpus: np.ndarray,
    task: RankingTask,
    top_k: int,
    mesh: Mesh,
    block: int = 512,
    tile: int = 16_384,
    ties: Ties = "average",
    ranked: int | None = None,
) -> Ranks:
    """Ranks the corpus for every query by dot product.

    Args:
      queries: embeddings [Q, D].
      corpus: embeddings [N, D]; they lie split over all devices of the mesh.
      task: judged and excluded items.
      top_k: length of the lists.
      mesh: the mesh.
      block: queries at a time.
      tile: corpus rows at a time, on each device.
      ties: how items of equal score are ranked.
      ranked: the first rows of the corpus, that judged items compete with; judged items
        may lie behind them, and then compete with those alone. None for all rows.

    Raises:
      ValueError: NaN or infinity among the embeddings, sizes that do not fit, or ties
        by "order".
    """
    size = len(corpus)
    ranked = size if ranked is None else ranked
    if len(queries) != len(task) or size != task.num_items:
        raise ValueError(
            f"{len(queries)} queries and {size} items, the task has "
            f"{len(task)} and {task.num_items}"
        )
    if ties == "order":
        raise ValueError("ties is 'order', which this does not count")
    for name, array in (("query", queries), ("corpus", corpus)):
        bad = np.flatnonzero(~np.isfinite(array).all(1))
        if len(bad):
            raise ValueError(f"NaN or infinity in {name} embedding {bad[0]}")
    tile = min(tile, -(-size // mesh.size))
    corpus_on = _spread(corpus, tile, mesh)
    rank_block = _compiled(mesh, ranked, tile, min(top_k, size))
    above = np.zeros(len(task.items), np.int32)
    equal = np.zeros(len(task.items), np.int32)
    top = np.full((len(queries), top_k), -1, np.int32)
    for start in range(0, len(queries), block):
        stop = min(start + block, len(queries))
        judged = _padded(task.offsets[start : stop + 1], task.items, block)
        excluded = _padded(task.exclude_offsets[start : stop + 1], task.exclude, block)
        vectors = np.zeros((block, queries.shape[1]), np.float32)
        vectors[: stop - start] = queries[start:stop]
        got = jax.device_get(rank_block(vectors, corpus_on, judged, excluded))
        over, same, best = got
        mine = slice(task.offsets[start], task.offsets[stop])
        above[mine], equal[mine] = over[judged >= 0], same[judged >= 0]
        top[start:stop, : best.shape[1]] = best[: stop - start]
    others = equal - (task.items < ranked)  # An item that is ranked equals itself.
    rank = ranks_of(above, others, ties).astype(np.float32)
    return Ranks(query=task.query, rank=rank, top=top)


def _spread(corpus: np.ndarray, tile: int, mesh: Mesh) -> Array:
    """Pads the corpus to whole tiles on every device and places it."""
    rows = -(-len(corpus) // (tile * mesh.size)) * tile * mesh.size
    padded = np.zeros((rows, corpus.shape[1]), np.float32)
    padded[: len(corpus)] = corpus
    where = NamedSharding(mesh, PartitionSpec(mesh.axis_names))
    return put(padded, where)


def _padded(offsets: np.ndarray, items: np.ndarray, rows: int) -> np.ndarray:
    """Returns a ragged list as [rows, width], -1 where there is nothing."""
    lengths = np.diff(offsets)
    # Widths are powers of two, so that few shapes are ever compiled.
    width = 1 << int(max(lengths.max(initial=1), 1) - 1).bit_length()
    out = np.full((rows, width), -1, np.int32)
    filled = np.arange(width)[None] < lengths[:, None]
    out[: len(lengths)][filled] = items[offsets[0] : offsets[-1]]
    return out


def _compiled(mesh: Mesh, ranked: int, tile: int, top_k: int):
    axes, whole = mesh.axis_names, PartitionSpec()
    spread = jax.shard_map(
        partial(_rank_shard, mesh=mesh, ranked=ranked, tile=tile, top_k=top_k),
        mesh=mesh,
        in_specs=(whole, PartitionSpec(axes), whole, whole),
        out_specs=(whole, whole, whole),
        check_vma=False,
    )
    return jax.jit(spread)


def _rank_shard(
    queries: Array,
    corpus: Array,
    judged: Array,
    excluded: Array,
    mesh: Mesh,
    ranked: int,
    tile: int,
    top_k: int,
) -> tuple[Array, Array, Array]:
    axes = mesh.axis_names
    device = jnp.int32(0)
    for axis in axes:
        device = device * mesh.shape[axis] + jax.lax.axis_index(axis)
    whole = corpus.shape[0] * mesh.size
    tiles = corpus.reshape(-1, tile, corpus.shape[1])
    starts = device * corpus.shape[0] + tile * jnp.arange(len(tiles), dtype=jnp.int32)
    rows = jnp.arange(queries.shape[0])[:, None]

    def score(vectors: Array, start: Array, stop: int) -> Array:
        scores = jnp.matmul(queries, vectors.T, precision="highest")
        place = excluded - start
        place = jnp.where((excluded >= 0) & (place >= 0), place, tile)
        scores = scores.at[rows, place].set(OUT, mode="drop")
        return jnp.where(start + jnp.arange(tile) < stop, scores, OUT)

    def pick(found: Array, at: tuple[Array, Array]) -> tuple[Array, None]:
        vectors, start = at
        place = judged - start
        here = (judged >= 0) & (place >= 0) & (place < tile)
        picked = jnp.take_along_axis(
            score(vectors, start, whole), jnp.clip(place, 0, tile - 1), 1
        )
        return jnp.where(here, picked, found), None

    lowest = jnp.full(judged.shape, -jnp.inf)
    own = jax.lax.scan(pick, lowest, (tiles, starts))[0]
    own = jax.lax.pmax(own, axes)

    def count(carry: tuple, at: tuple[Array, Array]) -> tuple[tuple, None]:
        above, equal, best, ids = carry
        scores = score(*at, ranked)

        def compare(one: Array) -> tuple[Array, Array]:
            over, same = scores > one[:, None], scores == one[:, None]
            return over.sum(1, dtype=jnp.int32), same.sum(1, dtype=jnp.int32)

        more, ties = jax.lax.map(compare, own.T)
        values, places = jax.lax.top_k(scores, min(top_k, tile))
        values = jnp.concatenate([best, values], 1)
        places = jnp.concatenate([ids, at[1] + places], 1)
        best, chosen = jax.lax.top_k(values, top_k)
        ids = jnp.take_along_axis(places, chosen, 1)
        return (above + more.T, equal + ties.T, best, ids), None

    none = jnp.zeros(judged.shape, jnp.int32)
    empty = jnp.full((queries.shape[0], top_k), -jnp.inf)
    start = (none, none, empty, jnp.full(empty.shape, -1, jnp.int32))
    (above, equal, best, ids), _ = jax.lax.scan(count, start, (tiles, starts))
    above, equal = jax.lax.psum((above, equal), axes)
    best = jax.lax.all_gather(best, axes, axis=1, tiled=True)
    ids = jax.lax.all_gather(ids, axes, axis=1, tiled=True)
    best, chosen = jax.lax.top_k(best, top_k)
    ids = jnp.take_along_axis(ids, chosen, 1)
    ids = jnp.where(jnp.isfinite(best), ids, -1)
    return above, equal, ids
