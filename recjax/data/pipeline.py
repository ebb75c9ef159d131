"""Batches addressed by step: the same for any number of hosts, resumable by a number.

The order of examples is shuffle -> repeat -> batch over *indices* (grain), so batch
`s` is a pure function of (seed, s) and a resumed run seeks without reading. Each host
makes only its own rows of the global batch.
"""

from __future__ import annotations

import itertools
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

Host = tuple[int, int]
"""(Index of a host, number of hosts.)"""


def rows_of(host: Host, rows: int, what: str = "batch size") -> slice:
    """Returns a host's part of the rows of a global batch.

    Raises:
      UserError: the hosts do not divide them.
    """
    index, hosts = host
    if rows % hosts:
        raise UserError(f"{what} {rows} is not divisible by {hosts} hosts")
    share = rows // hosts
    return slice(index * share, (index + 1) * share)


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
        raise UserError(
            "there are no training examples: prepare more data, or choose a data.split "
            "and a data.fit that leave some"
        )
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
    if not threads and not prefetch:
        return map(make, itertools.count(start))
    import grain

    steps = grain.MapDataset.range(1).repeat().map_with_index(partial(_at, make))
    options = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=prefetch)
    return iter(steps.slice(slice(start, None)).to_iter_dataset(options))


def _at(make: Callable[[int], HostBatch], step: int, element: int) -> HostBatch:
    del element
    return make(step)
