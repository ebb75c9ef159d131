"""Interactions: indexing, order, and the way to array_record and back."""

import json
import subprocess
import sys

import numpy as np
import polars as pl
import pytest

from recjax.data.interactions import from_frames, load_interactions
from recjax.data.search_pairs import load_search_pairs
from recjax.errors import UserError
from recjax.prepare.prepare import prepare_interactions

EVENTS = pl.DataFrame(
    {
        "user": ["b", "a", "b", "a", "b"],
        "item": ["x", "y", "z", "x", "y"],
        "timestamp": [30, 7, 10, 5, 30],
        "rating": [1.0, 2.0, 3.0, 4.0, 5.0],
    }
)
ITEMS = pl.DataFrame(
    {"item": ["z", "y", "x", "w"], "title": list("ZYXW"), "tags": ["t", "", "u v", ""]}
)


def same(one, two):
    for name in one.__dataclass_fields__:
        a, b = getattr(one, name), getattr(two, name)
        if isinstance(a, tuple):
            assert a == b, name
        else:
            assert a.dtype == b.dtype, name
            np.testing.assert_array_equal(a, b, err_msg=name)


def test_sorted_by_user_time_and_row_with_items_of_the_table():
    data = from_frames(EVENTS, ITEMS)
    assert data.user_ids == ("b", "a")
    assert data.item_ids == ("z", "y", "x", "w")
    assert data.titles == ("Z", "Y", "X", "W")
    assert data.tags == ("t", "", "u v", "")
    np.testing.assert_array_equal(data.user, [0, 0, 0, 1, 1])
    np.testing.assert_array_equal(data.item, [0, 2, 1, 2, 1])
    np.testing.assert_array_equal(data.timestamp, [10, 30, 30, 5, 7])
    np.testing.assert_array_equal(data.rating, [3, 1, 5, 4, 2])
    np.testing.assert_array_equal(data.offsets, [0, 3, 5])


def test_without_items_and_ratings():
    data = from_frames(EVENTS.drop("rating"), None)
    assert data.item_ids == ("x", "y", "z")
    assert data.titles == data.tags == ("", "", "")
    np.testing.assert_array_equal(data.rating, np.ones(5))
    assert data.rating.dtype == np.float32


def test_event_of_an_item_that_is_not_in_the_table():
    with pytest.raises(ValueError, match="1 values"):
        from_frames(EVENTS, ITEMS.filter(pl.col("item") != "z"))


def test_written_and_read_back(tmp_path):
    rng = np.random.default_rng(0)
    events = pl.DataFrame(
        {
            "user": rng.integers(0, 40, 500).astype(str),
            "item": rng.integers(0, 30, 500).astype(str),
            "timestamp": np.arange(500) // 3,
            "rating": rng.integers(1, 11, 500) / 2,
        }
    ).unique(["user", "item", "timestamp"], maintain_order=True)
    ids = [str(i) for i in range(35)]
    items = pl.DataFrame({"item": ids, "title": [f"Tïtle {i}" for i in ids]})
    events.write_parquet(tmp_path / "events.parquet")
    items.write_csv(tmp_path / "items.csv")
    path = prepare_interactions(
        tmp_path / "events.parquet", items=tmp_path / "items.csv", out=tmp_path / "out"
    )
    same(load_interactions(path), from_frames(events, items))


def test_nothing_imports_tensorflow(tmp_path):
    events = tmp_path / "events.csv"
    events.write_text("user,item,timestamp\na,b,5\n")
    code = (
        "import sys\n"
        "from recjax.prepare.prepare import prepare_interactions\n"
        "from recjax.data.interactions import load_interactions\n"
        f"path = prepare_interactions({str(events)!r}, out={str(tmp_path / 'o')!r})\n"
        "assert load_interactions(path).timestamp.tolist() == [5]\n"
        "assert not {'tensorflow', 'jax'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    # No progress bars where stderr is no terminal, and nothing on stdout.
    assert done.stdout == "" and done.stderr == ""


@pytest.fixture
def prepared(tmp_path):
    EVENTS.write_csv(tmp_path / "events.csv")
    return prepare_interactions(tmp_path / "events.csv", out=tmp_path / "out")


def test_missing_data_set(tmp_path):
    with pytest.raises(UserError, match="No such file.*recjax data prepare"):
        load_interactions(tmp_path / "none")


def test_data_set_of_another_kind(prepared):
    with pytest.raises(UserError, match="holds interactions data, search data"):
        load_search_pairs(prepared)


@pytest.mark.parametrize("text", ["{", "[]", "{}"])
def test_damaged_description(prepared, text):
    (prepared / "prepared.json").write_text(text)
    with pytest.raises(UserError, match=r"prepared\.json"):
        load_interactions(prepared)


def test_records_missing(prepared):
    (prepared / "items").rename(prepared / "elsewhere")
    with pytest.raises(UserError, match="Cannot read the items.*prepare it again"):
        load_interactions(prepared)


def test_records_truncated(prepared):
    file = next(prepared.glob("users/*/*.array_record*"))
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(UserError, match="Cannot read the users.*bytes were written"):
        load_interactions(prepared)


def test_records_overwritten(prepared):
    file = next(prepared.glob("users/*/*.array_record*"))
    file.write_bytes(b"\x5a" * file.stat().st_size)
    with pytest.raises(UserError, match="Cannot read the users.*prepare it again"):
        load_interactions(prepared)


def test_description_tells_the_source(prepared):
    about = json.loads((prepared / "prepared.json").read_text())
    assert about["kind"] == "interactions"
    assert set(about["source"]["files"]) == {"events"}
