"""The signature of a bundle that answers users by their medoids."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any

import numpy as np

from recjax.bundle.contract import (
    FLOAT,
    FOUND,
    INT,
    MANY,
    SERVING,
    TEXT,
    Arrays,
    Columns,
    Signature,
    Spec,
    check_k,
)
from recjax.bundle.medoids import (
    BECAUSE,
    HIDDEN,
    IMPORTANCE,
    MEDOIDS,
    Medoids,
    in_turns,
)
from recjax.bundle.narrowed import narrowed
from recjax.bundle.open import OpenBundle
from recjax.errors import UserError

K = "k"
LIST = (MANY, MANY)
INPUTS = {
    MEDOIDS: Spec(TEXT, LIST),
    IMPORTANCE: Spec(FLOAT, LIST),
    HIDDEN: Spec(TEXT, LIST, missing=True),
    K: Spec(INT),
}


def signatures(bundle: OpenBundle, settings: Medoids) -> dict[str, Signature]:
    """Returns the signature of a bundle of users.

    serving_default  medoids string[B, any], importance f32[B, any] of each, hidden
                     string[B, any] (items to leave out), k i32[B] -> ids, scores
                     (cosines), because (the medoid of which each is a neighbour)
    """
    ids, rows = bundle.items.ids, bundle.items.rows

    def read(columns: Columns) -> Columns:
        check_k(columns[K], bundle.serving.k)
        pairs = zip(columns[MEDOIDS], columns[IMPORTANCE], strict=True)
        read = [_checked(row, *pair, rows) for row, pair in enumerate(pairs)]
        left_out = [{rows.get(id, -1) for id in one or ()} for one in columns[HIDDEN]]
        return {MEDOIDS: read, HIDDEN: left_out, K: columns[K]}

    def encode(columns: Columns, count: int) -> Arrays:
        # Places from 1, so that rows of zeros ask for nothing.
        places = np.zeros((count, settings.most), np.int32)
        for row, asked in enumerate(columns[MEDOIDS]):
            some = [rows[id] + 1 for id in islice(asked, settings.most)]
            places[row, : len(some)] = some
        return {MEDOIDS: places}

    def find(made: Any, columns: Columns, where: Sequence[str] = ()) -> Columns:
        places = made[MEDOIDS]
        asked, at = np.unique(places, return_inverse=True)
        wanted = max(columns[K]) + max(map(len, columns[HIDDEN]))
        vectors = np.asarray(bundle.items.vectors[np.maximum(asked - 1, 0)], np.float32)
        items, scores = bundle.finder.near(vectors, wanted, where)
        found: dict[str, list] = {"ids": [], "scores": [], BECAUSE: []}
        for row, own in enumerate(at.reshape(places.shape)):
            own = own[places[row] > 0]
            turns = in_turns(list(items[own]), {*columns[HIDDEN][row], -1})
            best = dict(islice(turns.items(), columns[K][row]))
            of = [own[one] for one, _ in best.values()]
            which = [place for _, place in best.values()]
            found["ids"].append([ids[item] for item in best])
            found["scores"].append(scores[of, which])
            found[BECAUSE].append([ids[asked[one] - 1] for one in of])
        return found

    blank = {MEDOIDS: [ids[:1]], IMPORTANCE: [[1.0]], HIDDEN: [[]]}
    made = Signature(
        INPUTS,
        {**FOUND, BECAUSE: Spec(TEXT, LIST)},
        read,
        encode,
        lambda arrays: arrays,
        find,
        blank={**blank, K: [bundle.serving.k]},
    )
    return {SERVING: narrowed(bundle.finder, made, find)}


def _checked(
    row: int, medoids: Sequence[str], importance: Sequence[float], rows: dict[str, int]
) -> list[str]:
    """Returns the medoids of a row, the most important first; of equals, the earlier.

    Raises:
      UserError: one is unknown or not weighed, or there is none.
    """
    if len(medoids) != len(importance):
        raise UserError(
            f"{IMPORTANCE}, row {row}: {len(importance)} numbers for {len(medoids)} "
            f"{MEDOIDS}; give one each"
        )
    for id, weight in zip(medoids, importance, strict=True):
        if id and id not in rows:
            raise UserError(
                f"{MEDOIDS}, row {row}: the bundle knows no item {id[:80]!r}"
            )
        if not 0 <= weight < float("inf"):
            raise UserError(f"{IMPORTANCE}, row {row}: {weight}; give 0 or more")
    # Rows of one length are filled up with "".
    some = [at for at, id in enumerate(medoids) if id]
    if not some:
        raise UserError(f"{MEDOIDS}, row {row}: give at least one")
    return [medoids[at] for at in sorted(some, key=lambda at: -importance[at])]
