"""Values of a prepared column as a query gives them."""

from __future__ import annotations

from typing import Any

import numpy as np

from recjax.data.column_inputs import seconds_of
from recjax.tables.typed import Ragged, TypedColumn


def raw_values(column: TypedColumn, rows: np.ndarray) -> list[Any]:
    """Returns values of a column as a query gives them; None is missing."""
    some = column.take(rows)
    if column.type == "timestamp":
        return [None if np.isnan(s) else float(s) for s in seconds_of(some)]
    if column.type == "number":
        return [None if np.isnan(x) else float(x) for x in some.array]
    if isinstance(some.values, Ragged):
        lists = [some.ragged[row] for row in range(len(some.ragged))]
        if column.labels is None:
            return [one.tolist() if len(one) else None for one in lists]
        return [column.labels.take(one) for one in lists]
    if column.type == "image":
        return [some.texts.encoded(row) or None for row in range(len(rows))]
    if column.labels is None:
        return list(some.texts)
    return [column.labels[code] or None if code >= 0 else None for code in some.array]
