"""Frames of pandas, with every way in which it stores a column."""

import numpy as np
import polars as pl
import pytest

import recjax as rj
from recjax.errors import UserError

pd = pytest.importorskip("pandas")

EVENTS = rj.testing.interactions(users=12)["events"].with_columns(
    pl.when(pl.int_range(pl.len()) % 5 > 0).then(pl.lit(4)).alias("stars"),
    pl.when(pl.int_range(pl.len()) % 3 > 0).then("action").alias("channel"),
)
SECONDS = np.array(EVENTS["timestamp"])
ZONED = pd.to_datetime(SECONDS, unit="s", utc=True).tz_convert("Europe/Berlin")
COLUMNS = {
    "user": {
        "category": pd.Series(EVENTS["user"].to_list(), dtype="category"),
        "string": pd.array(EVENTS["user"].to_list(), dtype="string"),
    },
    "channel": {
        "object with None": pd.Series(EVENTS["channel"].to_list(), dtype=object),
        "object with NaN": pd.Series(
            [np.nan if one is None else one for one in EVENTS["channel"]], dtype=object
        ),
        "category with NaN": pd.Series(EVENTS["channel"].to_list(), dtype="category"),
    },
    "stars": {
        "Int64 with NA": pd.array(EVENTS["stars"].to_list(), dtype="Int64"),
        "float with NaN": np.array(EVENTS["stars"].cast(pl.Float64)),
        "object with None": pd.Series(EVENTS["stars"].to_list(), dtype=object),
    },
    "timestamp": {
        "int64": SECONDS,
        "datetime with a zone": ZONED,
        "datetime without": ZONED.tz_convert("UTC").tz_localize(None),
        "objects": pd.Series(ZONED.to_pydatetime(), dtype=object),
    },
}
CASES = [(name, kind) for name, kinds in COLUMNS.items() for kind in kinds]


def known(data):
    columns = data.table("events").columns
    return {
        name: (
            one.type,
            list(one.labels or ()),
            np.nan_to_num(one.values, nan=-1).tolist(),
        )
        for name, one in sorted(columns.items())
    }


@pytest.fixture(scope="module")
def wanted(cache):
    return known(rj.prepare(events=EVENTS))


@pytest.mark.parametrize(("name", "kind"), CASES, ids=map(": ".join, CASES))
def test_a_column_is_the_same_however_it_is_stored(wanted, name, kind):
    columns = {one: EVENTS[one].to_list() for one in EVENTS.columns}
    frame = pd.DataFrame(columns | {name: COLUMNS[name][kind]})
    assert known(rj.prepare(events=frame)) == wanted


def test_a_named_index_is_a_column(wanted):
    columns = {one: EVENTS[one].to_list() for one in EVENTS.columns}
    frame = pd.DataFrame(columns)
    assert known(rj.prepare(events=frame.set_index("timestamp"))) == wanted
    assert known(rj.prepare(events=frame.set_index(["user", "item"]))) == wanted
    assert known(rj.prepare(events=frame.set_index(SECONDS[::-1]))) == wanted


@pytest.mark.parametrize(
    ("column", "told"),
    [
        (["x", 1], "column 'note' of type object cannot be read"),
        (np.array([1j, 2]), "column 'note' of type complex128 cannot be read"),
        (pd.arrays.SparseArray([0, 1]), "'note' of type Sparse"),
    ],
)
def test_what_cannot_be_read_is_named(cache, column, told):
    frame = pd.DataFrame({"item": ["a", "b"], "note": column})
    with pytest.raises(UserError, match=rf"items: .*{told}") as error:
        rj.prepare(events=EVENTS, items=frame)
    assert "frame['note'].astype(str)" in str(error.value)


def test_two_columns_of_one_name_are_refused(cache):
    frame = pd.DataFrame([["a", "b"]], columns=["item", "item"])
    with pytest.raises(UserError, match="items: two columns are called 'item'"):
        rj.prepare(events=EVENTS, items=frame)
