"""Raw queries as a caller gives them: refused where they are not what they seem."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from recjax.data.inputs import AgeListInput, IdListInput, Input, encode_all, source
from recjax.errors import UserError, nearest

log = logging.getLogger(__name__)
NOTHING, SHOWN = "there is nothing to ask: give a text or a history", 3
COMPARED = 2_000
"""Ids that a misspelled one is compared with: more would take a second."""

Raw = Mapping[str, Sequence[Any]]


def encode_queries(raw: Raw, inputs: Mapping[str, Input]) -> dict[str, np.ndarray]:
    """Returns the feature arrays of raw queries, [B, ...].

    A feature left out is empty. A text of which the bundle knows no part is told in a
    warning.

    Raises:
      UserError: a feature that is not taken, values of another kind or number, an id
        that is unknown, or a query that says nothing.
    """
    takes = taken(inputs)
    features = encode_all(inputs, raw, check_queries(raw, takes))
    for text in (name for name in raw if _is_text(takes[name])):
        made = [features[n].any(1) for n in inputs if source(n, inputs) == text]
        known = zip(raw[text], np.any(made, 0), strict=True)
        lost = [repr(value) for value, any in known if value.strip() and not any]
        if lost:
            more = f" and {len(lost) - SHOWN} more" if len(lost) > SHOWN else ""
            said = ", ".join(lost[:SHOWN]) + more
            log.warning("the bundle knows no part of %s: it says nothing", said)
    return features


def taken(inputs: Mapping[str, Input]) -> dict[str, Input]:
    """Returns the names of raw values, and how one of the features of each is made."""
    return {source(name, inputs): kind for name, kind in inputs.items()}


def check_queries(raw: Raw, takes: Mapping[str, Input]) -> int:
    """Returns the number of raw queries; `takes` is what `taken` returns.

    Raises:
      UserError: see `encode_queries`.
    """
    if not isinstance(raw, Mapping):
        raise UserError(f"{raw!r}: give a mapping of features to lists of values")
    for name, values in raw.items():
        if name not in takes:
            close = nearest(str(name), takes)
            raise UserError(f"the bundle takes {sorted(takes)}, not {name!r}.{close}")
        if not _is_list(values):
            given = f"[{_example(takes[name])}]"
            raise UserError(f"{name} = {values!r}: give one value a query: {given}")
    counts = {name: len(values) for name, values in raw.items()}
    if len(set(counts.values())) > 1:
        raise UserError(f"numbers of queries {counts}: give every feature equally many")
    said = np.zeros(max(counts.values(), default=0), bool)
    for name, values in raw.items():
        for row, value in enumerate(values):
            said[row] |= _says(f"{name}, query {row}", value, takes[name])
    if not said.all() or not len(said):
        where = f"query {said.argmin()}: " if len(said) > 1 else ""
        raise UserError(where + NOTHING)
    return len(said)


def _says(place: str, value: Any, kind: Input) -> bool:
    """Checks one value; returns whether it asks anything."""
    if _is_text(kind):
        if not isinstance(value, str):
            raise UserError(f"{place}: {value!r} is no text")
        return bool(value.strip())
    if not _is_list(value):
        raise UserError(f"{place}: {value!r} is no list, such as {_example(kind)}")
    if isinstance(kind, IdListInput):
        for id in value:
            if not isinstance(id, str):
                raise UserError(f"{place}: {id!r} is no text: write ids as '17'")
            if id not in kind.positions:
                few = len(kind.positions) <= COMPARED
                close = nearest(id, kind.positions) if few else ""
                raise UserError(f"{place}: the bundle knows no item {id!r}.{close}")
        return len(value) > 0
    if not all(isinstance(age, float | int | np.number) for age in value):
        raise UserError(f"{place}: {value!r}: give seconds since each event")
    return False


def _is_list(values: Any) -> bool:
    return isinstance(values, list | tuple | np.ndarray)


def _is_text(kind: Input) -> bool:
    return not isinstance(kind, IdListInput | AgeListInput)


def _example(kind: Input) -> str:
    if _is_text(kind):
        return "'red lamp'"
    return "['a', 'b']" if isinstance(kind, IdListInput) else "[3600.0, 60.0]"
