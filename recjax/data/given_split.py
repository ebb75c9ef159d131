"""A column `split` of a user's table: train, validation or test, as the user says."""

from __future__ import annotations

import numpy as np

from recjax.data.splits import SPLITS
from recjax.errors import UserError, nearest
from recjax.tables.typed import Table

SPLIT = "split"
SHOWN = 5
OTHER_NAMES = {
    **{name: "validation" for name in ("val", "valid", "dev", "validate")},
    **{"training": "train", "testing": "test"},
}


def split_name(given: str) -> str:
    """Returns the name of a split as recjax has it, where it is one."""
    lower = given.strip().lower()
    return OTHER_NAMES.get(lower, lower)


def given_split(table: Table, what: str) -> np.ndarray | None:
    """Returns the part of each row, i8[n]; None where there is no column `split`.

    Args:
      table: events or judgements.
      what: they are, for messages.

    Raises:
      UserError: a value is no split, or missing.
    """
    if SPLIT not in table:
        return None
    column = table[SPLIT]
    if column.labels is None:
        labels, of = np.unique(np.array(list(column.texts), str), return_inverse=True)
    else:
        labels, of = np.array(list(column.labels), str), column.array
    names = [split_name(label) for label in labels.tolist()]
    parts = np.array([SPLITS.get(name, -1) for name in names], np.int8)[of]
    if (parts < 0).any():
        wrong = labels[np.unique(of[parts < 0])].tolist()
        shown = ", ".join(map(repr, wrong[:SHOWN]))
        raise UserError(
            f"column {SPLIT!r} of the {what}: {shown} in {(parts < 0).sum():,} of "
            f"{table.rows:,} rows is no split; write {', '.join(SPLITS)}, and prepare "
            f"the data again.{nearest(wrong[0], SPLITS)}"
        )
    return parts
