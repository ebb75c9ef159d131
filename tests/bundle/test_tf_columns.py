"""Columns in TensorFlow: what `encode` makes of the same raw values, at any size."""

import column_tables
import numpy as np
import pytest

from recjax.bundle import saved_model, tf_columns
from recjax.bundle.contract import input_spec, tensor_spec
from recjax.data import fitted
from recjax.data.columns import (
    CategoryColumn,
    NumberColumn,
    TimeColumn,
    VectorColumn,
)
from recjax.data.raw_values import raw_values

TABLE = column_tables.table()
KINDS = [
    CategoryColumn("color"),
    CategoryColumn("color", buckets=7),
    CategoryColumn("kinds", length=2, min_count=3),
    CategoryColumn("kinds", buckets=5),
    NumberColumn("price"),
    NumberColumn("price", buckets=4),
    TimeColumn("made"),
    TimeColumn("made", rows=True),
    TimeColumn("made", "weekday"),
    TimeColumn("made", "weekday", rows=True),
    VectorColumn("look"),
    VectorColumn("code"),
]
UNKNOWN = {"color": "new", "kinds": ["red", "", "new", "blue"], "price": 1e9}


@pytest.mark.parametrize("setting", KINDS)
def test_equals_numpy(setting):
    tf = pytest.importorskip("tensorflow", reason="the savedmodel extra is missing")
    table, rows = {"item": TABLE}, {"item": np.arange(TABLE.rows)}
    kind = fitted.fit({"item": {"x": setting}}, table, rows)["item"].inputs["x"]
    spec = tensor_spec(tf, input_spec(kind))
    call = tf.function(tf_columns.encoder(tf, kind), input_signature=[spec])
    raw = raw_values(TABLE[kind.column], np.arange(TABLE.rows))
    raw[-1] = UNKNOWN.get(kind.column, raw[-1])
    for values in (raw[:17], raw[17:], raw[-1:], [None]):
        got = call(saved_model.tensor(tf, values, spec)).numpy()
        wanted = kind.encode(values)
        assert got.dtype == wanted.dtype
        np.testing.assert_allclose(got, wanted, atol=1e-6)
