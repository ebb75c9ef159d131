"""Columns in memory: the rows that are taken, whatever their length."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recjax.tables.typed import LONG, TypedColumn
from recjax.text.column import pack


@given(st.lists(st.integers(0, 3 * LONG), min_size=1, max_size=9), st.data())
def test_texts_of_any_length_are_taken(lengths, data):
    texts = [chr(97 + i) * n for i, n in enumerate(lengths)]
    column = TypedColumn("a", "text", pack(texts))
    at = data.draw(st.lists(st.integers(0, len(texts) - 1), max_size=12))
    found = column.take(np.array(at, np.int64)).texts
    assert list(found) == [texts[i] for i in at]
