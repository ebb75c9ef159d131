"""A catalogue's pairs: which train, which validate, which are asked in the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from recjax import rng
from recjax.data.catalog.entities import Catalog, Pairs
from recjax.data.dataset import Corpus
from recjax.data.negatives import Negatives
from recjax.data.pairs import Candidates, log_share
from recjax.errors import UserError, nearest


@dataclass(frozen=True)
class Engagement:
    """A kind of engagement.

    Attributes:
      kind: of the candidate: an entity such as "product", or "query".
      actions: what counts.
      share: of a batch, relative to the other tasks; 0 for what is only asked.
    """

    kind: str
    actions: tuple[str, ...]
    share: int = 0


def there_before(catalog: Catalog, kind: str, moment: int | None) -> np.ndarray:
    """Returns which entities, or queries, of a kind there were before a moment, i32[M].

    A query is there once it has been asked; an entity from when it was created, or
    always where its table does not say.

    Args:
      catalog: the catalogue.
      kind: of candidate.
      moment: unix seconds; None for the end of time.

    Raises:
      UserError: there were none.
    """
    if kind != "query":
        entities = catalog.entities[kind]
        since = entities.created
        since = np.zeros(len(entities)) if since is None else since
    else:
        pairs, since = catalog.pairs, np.full(len(catalog.queries), np.inf)
        np.minimum.at(since, pairs.query, pairs.timestamp)
        own = pairs.candidate_type == catalog.kinds.index(kind)
        np.minimum.at(since, pairs.candidate[own], pairs.timestamp[own])
    there = np.flatnonzero(since < (np.inf if moment is None else moment))
    if not len(there):
        raise UserError(
            f"every {kind} was created at data.split.start = {moment} or later, so "
            "there is nothing to draw negatives from; choose a later moment"
        )
    return there.astype(np.int32)


def engaged(catalog: Catalog, task: Engagement) -> np.ndarray:
    """Returns bool[P]: whether a pair is of a task.

    Raises:
      UserError: the catalogue knows no such kind or action.
    """
    if task.kind not in catalog.kinds:
        raise UserError(
            f"kind {task.kind!r}: not one of {', '.join(catalog.kinds)}."
            f"{nearest(task.kind, catalog.kinds)}"
        )
    for action in task.actions:
        if action not in catalog.actions:
            raise UserError(
                f"no pair has the action {action!r}; known are "
                f"{', '.join(catalog.actions)}.{nearest(action, catalog.actions)}"
            )
    wanted = [catalog.actions.index(action) for action in task.actions]
    pairs = catalog.pairs
    own = pairs.candidate_type == catalog.kinds.index(task.kind)
    return own & np.isin(pairs.action, wanted)


def training_pairs(
    catalog: Catalog,
    trains: np.ndarray,
    tasks: Mapping[str, Engagement],
    caps: Mapping[str, int],
    seed: int,
) -> dict[str, np.ndarray]:
    """Returns task -> positions of the pairs that train it, of tasks with a share.

    Args:
      catalog: the catalogue.
      trains: whether a pair may train, bool[P].
      tasks: by name.
      caps: kind -> most pairs of one candidate.
      seed: of the draw of those that stay.

    Raises:
      UserError: no pair trains a task.
    """
    found = {}
    for name, task in tasks.items():
        if not task.share:
            continue
        chosen = np.flatnonzero(engaged(catalog, task) & trains)
        if not len(chosen):
            raise UserError(f"data.tasks.{name}: no pair trains it: share=0?")
        if (most := caps.get(task.kind)) is not None:
            chosen = capped(catalog.pairs, chosen, most, seed)
        found[name] = chosen
    return found


def capped(pairs: Pairs, chosen: np.ndarray, most: int, seed: int) -> np.ndarray:
    """Returns `chosen` with at most `most` pairs of a candidate, drawn at random.

    Popular candidates would fill the batches (arXiv 2404.16260, section 4.1).

    Args:
      pairs: of the catalogue.
      chosen: positions of pairs of one kind.
      most: pairs of one candidate that stay.
      seed: of the draw.
    """
    draw = rng.host_stream(seed, "caps", 0)
    mixed = chosen[draw.permutation(len(chosen))]
    order = np.argsort(pairs.candidate[mixed], kind="stable")
    ranked = pairs.candidate[mixed][order]
    first = np.searchsorted(ranked, ranked)
    return np.sort(mixed[order[np.arange(len(ranked)) - first < most]])


def known_positives(
    pairs: Pairs, chosen: np.ndarray, queries: int, most: int
) -> np.ndarray:
    """Returns i32[Q, most]: candidates that each query led to, -1 fills up.

    Args:
      pairs: of the catalogue.
      chosen: positions of training pairs of one kind.
      queries: number of queries `Q`.
      most: `M`; of more, the most frequent are kept.
    """
    found = np.full((queries, most), -1, np.int32)
    both = np.stack([pairs.query[chosen], pairs.candidate[chosen]], 1)
    each, counts = np.unique(both, axis=0, return_counts=True)
    each = each[np.lexsort((-counts, each[:, 0]))]
    position = np.arange(len(each)) - np.searchsorted(each[:, 0], each[:, 0])
    kept = position < most
    found[each[kept, 0], position[kept]] = each[kept, 1]
    return found


def candidates(
    catalog: Catalog,
    kind: str,
    corpus: Corpus,
    tasks: Sequence[tuple[np.ndarray, int]],
    moment: int | None,
    count: int,
    most: int,
    seed: int,
) -> Candidates:
    """Returns what queries of a kind lead to, for batches.

    Args:
      catalog: the catalogue.
      kind: of candidate.
      corpus: all of that kind.
      tasks: training pairs of each task, and the rows of it in a group.
      moment: what came later is not drawn: else new items would be unwanted.
      count: negatives a row of a group.
      most: known positives of a query that are named; 0 for none.
      seed: of the negatives.
    """
    rows, parts = sum(share for _, share in tasks), np.zeros(len(corpus))
    for chosen, share in tasks:
        items = catalog.pairs.candidate[chosen]
        counts = np.bincount(items, minlength=len(corpus))
        parts += share / rows * np.exp(log_share(counts))
    there = there_before(catalog, kind, moment)
    drawn = Negatives(len(there), count * rows, seed, name=f"negatives/{kind}")
    known = None
    if most:
        own = np.concatenate([chosen for chosen, _ in tasks])
        known = known_positives(catalog.pairs, own, len(catalog.queries), most)
    return Candidates(corpus, np.log(parts).astype(np.float32), drawn, there, known)


def shares(tasks: Mapping[str, Engagement]) -> dict[str, list[tuple[str, int]]]:
    """Returns kind -> (task, rows of it in a group), for tasks with a share."""
    found: dict[str, list[tuple[str, int]]] = {}
    for name, task in tasks.items():
        if task.share < 0:
            raise UserError(f"data.tasks.{name}.share = {task.share}: at least 0")
        if task.share:
            found.setdefault(task.kind, []).append((name, task.share))
    if not found:
        raise UserError("no task has a share of the batch: give one of them share=1")
    return found


def interleaved(parts: Sequence[np.ndarray], groups: int) -> np.ndarray:
    """Lays parts [n_i] together so that each of `groups` holds a share of every one."""
    rows = [part.reshape(groups, -1) for part in parts]
    return np.concatenate(rows, 1).reshape(-1)
