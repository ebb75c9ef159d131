"""What a column holds, in a few words for people."""

from __future__ import annotations

import numpy as np

from recjax.seconds import SECOND_NS
from recjax.tables.typed import MISSING_TIME, Ragged, TypedColumn
from recjax.text.column import Texts

SHOWN, LONG = 3, 24


def facts(column: TypedColumn) -> tuple[str, str]:
    """Returns how many values, or which range, a column has, and examples."""
    if not len(column.values):
        return "", ""
    if column.type in ("vector", "bits", "image"):
        return f"{column.width} wide" if column.width else "", ""
    if column.type == "timestamp":
        return _times(column.array)
    if column.type == "number":
        known = column.array[~np.isnan(column.array)]
        if not len(known):
            return "all missing", ""
        missing = f", {1 - len(known) / len(column.array):.1%} missing"
        few = missing if len(known) < len(column.array) else ""
        return f"{known.min():g} to {known.max():g}{few}", ""
    if isinstance(column.values, Texts):
        return "", _examples([column.values[i] for i in _first(len(column.values))])
    codes = column.values
    codes = codes.values if isinstance(codes, Ragged) else codes
    if column.labels is None:
        # Codes of rows or of sessions, whose names are elsewhere or not kept.
        return f"{_distinct(codes):,} distinct", ""
    labels = column.labels
    count = len(labels) - (len(labels) > 0 and not labels[0])
    told = [labels[int(i)] for i in codes[:SHOWN] if i >= 0]
    return f"{count:,} distinct", _examples(told)


def _distinct(codes: np.ndarray) -> int:
    seen = np.zeros(int(codes.max(initial=-1)) + 1, bool)
    seen[codes[codes >= 0]] = True
    return int(seen.sum())


def _times(values: np.ndarray) -> tuple[str, str]:
    known = values[values != MISSING_TIME]
    if not len(known):
        return "all missing", ""
    ends = np.array([known.min(), known.max()]) // SECOND_NS
    low, high = ends.astype("datetime64[s]").astype("datetime64[m]")
    return f"{low} to {high}", ""


def _first(size: int) -> range:
    return range(min(size, SHOWN))


def _examples(values: list) -> str:
    told = [value for value in dict.fromkeys(map(str, values)) if value]
    return ", ".join(v if len(v) <= LONG else f"{v[:LONG]}..." for v in told)
