"""Raw queries as a caller gives them: refused where they are not what they seem."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from recjax.data.inputs import AgeListInput, IdListInput, Input, encode_all, source
from recjax.errors import UserError, nearest

log = logging.getLogger(__name__)
NOTHING = "there is nothing to ask: give a text or a history"
SHOWN = 3


def encode_queries(
    raw: Mapping[str, Sequence[Any]], inputs: Mapping[str, Input]
) -> dict[str, np.ndarray]:
    """Returns the feature arrays of raw queries, [B, ...].

    A text of which the bundle knows no part is told in a warning.

    Args:
      raw: feature -> one raw value a query; a feature left out is empty.
      inputs: how features are made.

    Raises:
      UserError: a feature that is not taken, values of another kind or number, an id
        that is unknown, or a query that says nothing.
    """
    count = _checked(raw, inputs)
    features = encode_all(inputs, raw, count)
    texts = [n for n in inputs if source(n, inputs) in raw and _is_text(inputs[n])]
    if texts:
        given = raw[source(texts[0], inputs)]
        known = np.any([features[name].any(1) for name in texts], 0)
        lost = [t for t, k in zip(given, known, strict=True) if t.strip() and not k]
        if lost:
            said = ", ".join(map(repr, lost[:SHOWN]))
            more = f" and {len(lost) - SHOWN} more" if len(lost) > SHOWN else ""
            log.warning("the bundle knows no part of %s%s: it says nothing", said, more)
    return features


def _checked(raw: Mapping[str, Sequence[Any]], inputs: Mapping[str, Input]) -> int:
    """Returns the number of queries."""
    if not isinstance(raw, Mapping):
        raise UserError(f"{raw!r}: give a mapping of features to lists of values")
    takes = {source(name, inputs): kind for name, kind in inputs.items()}
    for name, values in raw.items():
        if name not in takes:
            raise UserError(
                f"the bundle takes {sorted(takes)}, not {name!r}."
                + nearest(str(name), takes)
            )
        if not _is_list(values):
            raise UserError(
                f"{name} = {values!r}: give a list of one value a query, such as "
                f"[{_example(takes[name])}]"
            )
    counts = {name: len(values) for name, values in raw.items()}
    if len(set(counts.values())) > 1:
        raise UserError(f"numbers of queries {counts}: give every feature equally many")
    if not any(counts.values()):
        raise UserError(NOTHING)
    count, said = max(counts.values()), set()
    for name, values in raw.items():
        for row, value in enumerate(values):
            if _says(f"{name}, query {row}", value, takes[name]):
                said.add(row)
    silent = next((row for row in range(count) if row not in said), None)
    if silent is not None:
        raise UserError(NOTHING if count == 1 else f"query {silent}: {NOTHING}")
    return count


def _says(place: str, value: Any, kind: Input) -> bool:
    """Checks one value; says whether it asks anything."""
    if _is_text(kind):
        if not isinstance(value, str):
            raise UserError(f"{place}: {value!r} is no text")
        return bool(value.strip())
    if not _is_list(value):
        raise UserError(f"{place}: {value!r}: give a list, such as {_example(kind)}")
    if isinstance(kind, AgeListInput):
        try:
            fine = bool(np.isfinite(np.asarray(value, np.float32)).all())
        except (TypeError, ValueError):
            fine = False
        if not fine:
            raise UserError(f"{place}: {value!r}: give seconds since each event")
        return False
    assert isinstance(kind, IdListInput)
    for id in value:
        if not isinstance(id, str):
            raise UserError(f"{place}: {id!r} is no id: ids are texts, such as '17'")
        if id not in kind.places:
            raise UserError(
                f"{place}: the bundle knows no item {id!r}." + nearest(id, kind.places)
            )
    return len(value) > 0


def _is_list(values: Any) -> bool:
    return isinstance(values, Sequence | np.ndarray) and not isinstance(
        values, str | bytes
    )


def _is_text(kind: Input) -> bool:
    return not isinstance(kind, IdListInput | AgeListInput)


def _example(kind: Input) -> str:
    if _is_text(kind):
        return "'red lamp'"
    return "[3600.0, 60.0]" if isinstance(kind, AgeListInput) else "['a', 'b']"
