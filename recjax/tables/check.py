"""Checks over a whole table that was read: rows given twice, ids that are unknown."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recjax.tables.read import Read
from recjax.tables.report import Findings
from recjax.text.column import Texts


def given_twice(
    read: Read, names: Sequence[str], kind: str, findings: Findings
) -> np.ndarray:
    """Returns bool[n]: which rows have the values of an earlier row in these columns.

    Each is a problem that names the row of the first.

    Args:
      read: the table.
      names: columns of type id, category, number or timestamp.
      kind: the problem in a few words, such as "id given twice".
      findings: where problems go.
    """


def unknown_ids(
    read: Read, name: str, known: Texts, what: str, findings: Findings
) -> np.ndarray:
    """Returns bool[n]: which rows have an id that is not among `known`.

    Each is a problem. Of a column of type "ids" one unknown id is enough.

    Args:
      read: the table.
      name: a column of type id or ids.
      known: the ids there are.
      what: they are ids of, such as "item".
      findings: where problems go.
    """
