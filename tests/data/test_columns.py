"""Columns as features: what a loop in Python makes of the raw values, by hand."""

import datetime
import math

import column_tables
import numpy as np
import pytest

from recjax.data import fitted, inputs
from recjax.data.columns import (
    CategoryColumn,
    NumberColumn,
    TextColumn,
    TimeColumn,
    VectorColumn,
)
from recjax.data.raw_values import raw_values
from recjax.errors import UserError
from recjax.prepare import make
from recjax.text.features import NGrams
from recjax.text.hashing import hash_buckets

TABLE = column_tables.table()
TRAINING = np.arange(0, column_tables.ROWS, 2)
COLUMNS = {
    "color": CategoryColumn(),
    "hashed": CategoryColumn("color", buckets=7),
    "kinds": CategoryColumn(),
    "kinds_2": CategoryColumn("kinds", length=2, min_count=3),
    "kinds_hashed": CategoryColumn("kinds", buckets=5),
    "price": NumberColumn(),
    "range": NumberColumn("price", buckets=4),
    "made": TimeColumn(),
    "hour": TimeColumn("made", rows=True),
    "day": TimeColumn("made", "weekday"),
    "weekday": TimeColumn("made", "weekday", rows=True),
    "look": VectorColumn(),
    "code": VectorColumn(),
    "title": TextColumn(tokens=NGrams(9, 9, 9), length=5),
}


@pytest.fixture(scope="module")
def made():
    return fitted.fit({"item": COLUMNS}, {"item": TABLE}, {"item": TRAINING})["item"]


def rows_of(kind, value):
    """Returns what a category, or a list of them, becomes; padded."""
    labels = value if kind.many else [value]
    if kind.buckets:
        found = [int(hash_buckets([v], kind.buckets)[0]) + 1 for v in labels or () if v]
    else:
        found = [kind.labels.index(v) + 1 for v in labels or () if v in kind.labels]
    return (found + [0] * kind.length)[: kind.length]


def circle(share):
    return [math.sin(2 * math.pi * share), math.cos(2 * math.pi * share)]


def expected(name, value, known):
    """Returns the feature of one raw value, None for missing."""
    gone = value is None
    if name in ("made", "hour", "day", "weekday"):
        when = datetime.datetime.fromtimestamp(value or 0, datetime.UTC)
        seconds = when - when.replace(hour=0, minute=0, second=0, microsecond=0)
        share = seconds.total_seconds() / 86_400
        return {
            "made": [0, 0] if gone else circle(share),
            "hour": [0 if gone else when.hour + 1],
            "day": [0, 0] if gone else circle(when.weekday() / 7),
            "weekday": [0 if gone else when.isoweekday()],
        }[name]
    if name == "price":
        mean, deviation = np.mean(known), np.std(known)
        return [0, 1] if gone else [(value - mean) / deviation, 0]
    if name == "look":
        return [0, 0, 0, 1] if gone else [*np.mean(value, 0), 0]
    bits = [[int(b) for byte in one for b in f"{byte:08b}"] for one in value or ()]
    return [0] * 16 + [1] if gone else [*np.mean(bits, 0), 0]


def test_every_kind_is_what_a_loop_makes(made):
    known = [v for v in raw_values(TABLE["price"], TRAINING) if v is not None]
    for name, kind in made.inputs.items():
        raw = raw_values(TABLE[kind.column], np.arange(TABLE.rows))
        found = made.arrays[name][:]
        assert found.shape == kind.encode(raw).shape and len(found) == TABLE.rows
        np.testing.assert_allclose(found, kind.encode(raw), atol=1e-6, err_msg=name)
        if name in ("title", "range"):
            continue
        by_rows = name in ("color", "hashed") or name.startswith("kinds")
        wanted = [
            rows_of(kind, v) if by_rows else expected(name, v, known) for v in raw
        ]
        np.testing.assert_allclose(found, wanted, atol=1e-5, err_msg=name)


def test_buckets_hold_equally_many_training_rows_and_know_their_order(made):
    kind = made.inputs["range"]
    price = TABLE["price"].array
    row = made.arrays["range"][:][:, 0]
    assert (row[np.isnan(price)] == 0).all() and row.max() == 4
    order = np.argsort(price[~np.isnan(price)])
    assert (np.diff(row[~np.isnan(price)][order]) >= 0).all()
    counts = np.bincount(row[TRAINING])[1:]
    assert counts.max() - counts.min() <= 1
    assert kind.encode([-1e9, 1e9, None]).tolist() == [[1], [4], [0]]


def test_only_training_rows_teach(made):
    """What other rows hold changes nothing; what they alone hold is unknown."""
    prices = TABLE["price"].array.copy()
    prices[1::2] = 1e6
    colors = raw_values(TABLE["color"], np.arange(TABLE.rows))
    colors[1::2] = ["new"] * len(colors[1::2])
    changed = make.entity(
        [str(i) for i in range(TABLE.rows)],
        make.number("price", prices),
        make.category("color", colors),
    )
    chosen = {name: COLUMNS[name] for name in ("price", "range", "color")}
    again = fitted.fit({"item": chosen}, {"item": changed}, {"item": TRAINING})["item"]
    for name in ("price", "range"):
        assert again.inputs[name] == made.inputs[name]
    assert set(again.inputs["color"].labels) == set(made.inputs["color"].labels)
    assert again.inputs["color"].encode(["new", None, ""]).tolist() == [[0], [0], [0]]


def test_what_was_saved_makes_the_same(made, tmp_path):
    inputs.save(tmp_path, made.inputs)
    again = inputs.load(tmp_path, ())
    raw = made.raw(np.arange(TABLE.rows))
    for name, array in inputs.encode_all(again, raw, TABLE.rows).items():
        np.testing.assert_allclose(array, made.arrays[name][:], atol=1e-6, err_msg=name)
    blank = inputs.encode_all(again, {}, 2)
    for name, array in blank.items():
        column, kind = made.inputs[name].column, made.inputs[name]
        missing = [None if column != "title" else ""] * 2
        np.testing.assert_array_equal(array, kind.encode(missing), err_msg=name)


@pytest.mark.parametrize(
    ("column", "said"),
    [
        (
            {"colour": CategoryColumn()},
            "item.colour: there is no column 'colour'.*'color'",
        ),
        ({"price": CategoryColumn()}, "'price' holds number, which NumberColumn reads"),
        ({"kinds": TextColumn()}, "'kinds' holds categories, which CategoryColumn"),
        ({"made": NumberColumn()}, "'made' holds timestamp, which TimeColumn reads"),
        ({"a": CategoryColumn("color", length=2)}, "length has no effect"),
        ({"flat": NumberColumn()}, "'flat' tells nothing: it is alike in all 12"),
        (
            {"gone": NumberColumn(buckets=3)},
            "'gone' is missing in all 12 training rows",
        ),
        ({"none": CategoryColumn()}, "'none' is missing in all 12 training rows"),
    ],
)
def test_columns_that_cannot_be_read(column, said):
    rows = TABLE.rows
    more = (
        make.number("flat", [3.0] * rows),
        make.number("gone", [None] * rows),
        make.category("none", [""] * rows),
    )
    table = make.table(*TABLE.columns.values(), *more)
    with pytest.raises(UserError, match=said):
        fitted.fit({"item": column}, {"item": table}, {"item": TRAINING})


def test_faults_are_told_at_once():
    columns = {"item": {"a": NumberColumn(), "b": TimeColumn()}, "itm": {}}
    with pytest.raises(UserError) as caught:
        fitted.fit(columns, {"item": TABLE}, {"item": TRAINING})
    said = str(caught.value)
    assert "item.a" in said and "item.b" in said and "mean 'item'" in said


def test_two_columns_of_one_name():
    one = fitted.fit(
        {"item": {"color": COLUMNS["color"]}}, {"item": TABLE}, {"item": TRAINING}
    )["item"]
    with pytest.raises(UserError, match="'color' twice"):
        fitted.joined({}, one, one)


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (CategoryColumn, {"buckets": 0}),
        (CategoryColumn, {"buckets": 9, "min_count": 2}),
        (NumberColumn, {"buckets": 1}),
    ],
)
def test_settings_without_effect(kind, values):
    with pytest.raises(ValueError, match="must be at least|no effect"):
        kind(**values)
