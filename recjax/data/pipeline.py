"""Batches addressed by step: the same for any number of hosts, resumable by a number.

The order of examples is shuffle -> repeat -> batch over *indices* (grain), so batch
`s` is a pure function of (seed, s) and a resumed run seeks without reading. Each host
makes only its own rows of the global batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np

from recjax import rng
from recjax.errors import UserError

HostBatch = Mapping[str, Any]
"""Nested mapping of NumPy arrays with one leading axis."""

Order = Callable[[int], np.ndarray]
"""Step -> global example indices [B]."""

MakeBatch = Callable[[int, np.ndarray, slice], HostBatch]
"""(step, global example indices [B], this host's rows) -> this host's batch."""


def batches(
    examples: int,
    batch_size: int,
    make_batch: MakeBatch,
    seed: int,
    start: int = 0,
    host: tuple[int, int] = (0, 1),
    threads: int = 1,
    prefetch: int = 4,
) -> Iterator[HostBatch]:
    """Yields this host's part of batch `start`, `start + 1`, ... without end.

    Args:
      examples: number of training examples.
      batch_size: rows of the global batch.
      make_batch: makes the host's rows of a batch from the batch's indices.
      seed: of the order.
      start: step of the first batch.
      host: (index of this host, number of hosts).
      threads: threads that make batches; 0 makes them when asked.
      prefetch: batches made ahead.

    Raises:
      UserError: no examples, or a batch size that the hosts do not divide.
    """
    if batch_size % host[1]:
        raise UserError(f"batch size {batch_size} is not divisible by {host[1]} hosts")
    share = batch_size // host[1]
    mine = slice(host[0] * share, (host[0] + 1) * share)
    rows = order(examples, batch_size, f"order/{seed}")
    made = partial(_make, make_batch, rows, mine)
    return stream(made, start, threads, prefetch)


def order(examples: int, batch_size: int, name: str) -> Order:
    """Returns step -> the examples of its batch [B], each once in every pass.

    Args:
      examples: number of examples.
      batch_size: `B`; a batch may end one pass and begin the next.
      name: of the shuffle, with the run's seed in it.

    Raises:
      UserError: no examples, or an empty batch.
    """
    # Here, so that a step on arrays of one's own needs no grain.
    import grain

    if examples < 1:
        raise UserError("there are no training examples: prepare more data")
    if batch_size < 1:
        raise UserError(f"batch size {batch_size}: must be at least 1")
    shuffled = grain.MapDataset.range(examples).shuffle(seed=rng.crc(name))
    return shuffled.repeat().batch(batch_size, batch_fn=np.asarray).__getitem__


def stream(
    make: Callable[[int], HostBatch], start: int, threads: int, prefetch: int
) -> Iterator[HostBatch]:
    """Yields the batches of step `start`, `start + 1`, ... without end.

    Args:
      make: step -> batch, called by several threads.
      start: first step.
      threads: threads that make batches; 0 makes them when asked.
      prefetch: batches made ahead.
    """
    import grain

    steps = grain.MapDataset.range(1).repeat().map_with_index(partial(_at, make))
    options = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=prefetch)
    return iter(steps.slice(slice(start, None)).to_iter_dataset(options))


def _at(make: Callable[[int], HostBatch], step: int, element: int) -> HostBatch:
    del element
    return make(step)


def _make(make_batch: MakeBatch, rows: Order, mine: slice, step: int) -> HostBatch:
    return make_batch(step, rows(step), mine)
