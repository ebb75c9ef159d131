"""Every type of column is told in a few words."""

from typing import get_args

import numpy as np
import pytest

from recjax.data.column_facts import facts
from recjax.tables.columns import Type
from recjax.tables.typed import MISSING_TIME, Ragged, TypedColumn
from recjax.text.column import pack

LABELS = pack(["", "a", "b"])
START = np.array([0, 2, 2, 3])
WIDE = Ragged(np.array([0, 1, 1, 2]), np.zeros((2, 4), np.float32))
TIMES = np.array([0, MISSING_TIME, 60 * 10**9])
COLUMNS = {
    "id": (np.array([0, -1, 1, 1], np.int32), pack(["x", "y"])),
    "text": (pack(["one", "", "two"]), None),
    "category": (np.array([0, 2, 1], np.int32), LABELS),
    "categories": (Ragged(START, np.array([2, 1, 2], np.int32)), LABELS),
    "number": (np.array([1, np.nan, 3], np.float32), None),
    "timestamp": (TIMES, None),
    "vector": (WIDE, None),
    "bits": (WIDE, None),
    "image": (pack(["bytes", ""]), None),
    "ids": (Ragged(START, np.array([1, 0, 0], np.int32)), pack(["x", "y"])),
}
TOLD = {
    "id": ("2 distinct", "x, y"),
    "text": ("", "one, two"),
    "category": ("2 distinct", "b, a"),
    "categories": ("2 distinct", "b, a"),
    "number": ("1 to 3, 33.3% missing", ""),
    "timestamp": ("1970-01-01T00:00 to 1970-01-01T00:01", ""),
    "vector": ("4 wide", ""),
    "bits": ("4 wide", ""),
    "image": ("", ""),
    "ids": ("2 distinct", "y, x"),
}


@pytest.mark.parametrize("type", get_args(Type))
def test_every_type_is_told(type):
    values, labels = COLUMNS[type]
    width = 4 if type in ("vector", "bits") else None
    assert facts(TypedColumn("any", type, values, labels, width)) == TOLD[type]
    none = TypedColumn("any", type, values, labels, width).take(np.zeros(0, int))
    assert facts(none) == ("", "")


@pytest.mark.parametrize("type", ["id", "ids"])
def test_codes_without_names_are_counted(type):
    codes = np.array([4, -1, 4, 7], np.int32)
    values = codes if type == "id" else Ragged(np.array([0, 4]), codes)
    assert facts(TypedColumn("session", type, values)) == ("2 distinct", "")
