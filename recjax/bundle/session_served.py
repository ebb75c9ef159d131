"""Sessions behind a port: what a user's state is, and the signatures that move it on.

A server keeps nothing: a caller holds the state of each user, hands it in and gets it
back. Of a user that nobody met it is zeros: `age` 0.

    age          i32[B]   events so far
    position     i32[B]   events of the open session; 0: none is open
    session_gap  f32[B]   seconds before the open session
    memory_...   [B, ...] what the model remembers
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
from recjax.bundle.narrowed import narrowed
from recjax.bundle.open import OpenBundle
from recjax.errors import UserError
from recjax.index.exact import largest

STEP, CLOSE, ITEM, GAP, NEW, K, PAIR = (
    *("step", "close", "item", "gap", "new_session", "k", "pair"),
)
COUNTS = {"age": Spec(INT), "position": Spec(INT), "session_gap": Spec(FLOAT)}
WHEN = {GAP: Spec(FLOAT), NEW: Spec("DT_BOOL")}


def in_session(
    given: Mapping[str, Any], where: Callable[[Any, Any, Any], Any]
) -> tuple[Any, Any]:
    """Returns position and session gap of an event; `where` is NumPy's or TensorFlow's.

    An event opens a session where it says so, or none is open.
    """
    going = (given["position"] > 0) & (given[NEW] == False)  # noqa: E712
    position = where(going, given["position"], 0 * given["position"])
    return position, where(going, given["session_gap"], given[GAP])


def signatures(bundle: OpenBundle) -> dict[str, Signature]:
    """Returns the signatures of a bundle of a session model.

    step             item string[B], gap f32[B] (seconds since the user's last event),
                     new_session bool[B], columns of the event event_NAME and of the
                     user user_NAME (None where missing) and the state -> user
                     f32[B, D + F], the query *before* the event, and the state after it
    close            the state -> the state with its session closed
    serving_default  gap, new_session, k, columns of the user, the state and, where the
                     model has features of pairs, their values pair f32[B, N, F] -> ids
                     and scores
    """
    function, kept = bundle.functions[STEP], bundle.session
    size, width = bundle.items.vectors.shape
    vectors, ids = np.array(bundle.items.vectors), bundle.items.ids
    held = {name: Spec(FLOAT, (MANY, *one.shape)) for name, one in kept.empty.items()}
    state, users = {**COUNTS, **held}, function.outputs["user"].shape[1]

    def read(columns: Columns) -> Columns:
        for row, id in enumerate(columns.get(ITEM, ())):
            if id not in bundle.items.rows:
                raise UserError(f"{ITEM}, row {row}: the bundle knows no item {id!r}")
        for name in (GAP, "age", "position", "session_gap"):
            for row, value in enumerate(columns[name]):
                if value < 0:
                    raise UserError(f"{name}, row {row}: {value} is below 0")
        check_k(columns.get(K, ()), bundle.serving.k)
        return columns

    def encode(columns: Columns, rows: int) -> Arrays:
        given = _numbers(columns)
        position, gap = in_session(given, np.where)
        known = [bundle.items.rows[id] + 1 for id in columns.get(ITEM, ())]
        new = given["age"] == 0
        arrays = {
            "item": np.array(known or [1] * rows, np.int32)[:, None],
            "position": position[:, None],
            "age": given["age"][:, None],
            "gap": gap[:, None],
        }
        for name, blank in kept.empty.items():
            one = np.asarray(columns[name], np.float32).reshape(rows, *blank.shape)
            arrays[name] = np.where(new.reshape(rows, *[1] * blank.ndim), blank, one)
        of_both = (one.encode(columns, rows) for one in (kept.event, kept.user))
        return arrays | {n: array for made in of_both for n, array in made.items()}

    def finish(made: Any, columns: Columns) -> Columns:
        given = _numbers(columns)
        position, gap = in_session(given, np.where)
        counts = {"age": given["age"] + 1, "position": position + 1, "session_gap": gap}
        return {**made, **counts}

    def best(made: Any, columns: Columns, where: Sequence[str] = ()) -> Columns:
        user = made["user"]
        scores = user[:, :width] @ vectors.T
        if PAIR in columns:
            pair = np.asarray(columns[PAIR], np.float32)
            scores += np.einsum("bf,bnf->bn", user[:, width:], pair)
        if where:
            scores = np.where(bundle.finder.meeting(where), scores, -np.inf)
        items, scores = largest(scores, max(columns[K]))
        counts = np.minimum(columns[K], np.isfinite(scores).sum(1))
        found = zip(items.tolist(), scores, counts, strict=True)
        rows = [([ids[item] for item in row[:k]], one[:k]) for row, one, k in found]
        return {"ids": [row for row, _ in rows], "scores": [one for _, one in rows]}

    pair = {PAIR: Spec(FLOAT, (MANY, size, users - width))} if users > width else {}
    when = {**kept.user.specs, **WHEN}
    asked = {**when, **state, **pair, K: Spec(INT)}
    plain = asked.keys() - kept.user.specs
    zeros = {name: np.zeros((1, *asked[name].shape[1:])) for name in plain}
    blank: dict[str, Any] = {n: list(one) for n, one in _arrays(zeros).items()}
    blank |= {K: [bundle.serving.k], NEW: [False], ITEM: [ids[0]]}
    blank |= {name: [None] for one in (kept.event, kept.user) for name in one.specs}
    moved = {**state, "user": Spec(FLOAT, (MANY, users))}

    def signature(inputs: Mapping[str, Spec], outputs: Any, *steps: Any) -> Signature:
        return Signature(inputs, outputs, *steps, blank={n: blank[n] for n in inputs})

    return {
        SERVING: narrowed(
            bundle.finder, signature(asked, FOUND, read, encode, function, best), best
        ),
        STEP: signature(
            {ITEM: Spec(TEXT), **kept.event.specs, **when, **state},
            *(moved, read, encode, function, finish),
        ),
        CLOSE: signature(
            state, state, lambda c: c, lambda c, _: _arrays(c), lambda a: a, _closed
        ),
    }


def _numbers(columns: Columns) -> dict[str, np.ndarray]:
    kinds = {"age": np.int32, "position": np.int32, NEW: bool}
    return {
        name: np.asarray(columns[name], kinds.get(name, np.float32))
        for name in (*COUNTS, *WHEN)
    }


def _arrays(columns: Columns) -> Arrays:
    ints = {"age", "position"}
    return {
        name: np.asarray(values, np.int32 if name in ints else np.float32)
        for name, values in columns.items()
    }


def _closed(made: Any, columns: Columns) -> Columns:
    return {**made, "position": np.zeros_like(made["position"])}
