"""Reading logs of events for users' profiles."""

import polars as pl
import pytest

from recjax.errors import UserError
from recjax.users import build as batch
from recjax.users.shard import read_events


def test_events_of_several_forms_are_one_log(tmp_path):
    """Seconds in one file, a date and time in another, milliseconds told apart."""
    rows = [("a", "i1", 1_600_000_000), ("b ", "i2", 1_600_000_001)]
    first = pl.DataFrame(rows, ["user", "item", "timestamp"], orient="row")
    first.write_parquet(tmp_path / "e.parquet")
    late = pl.DataFrame({"user": ["a"], "item": ["i3"], "timestamp": ["2020-09-13"]})
    late = late.with_columns(pl.col("timestamp").str.to_datetime("%Y-%m-%d"))
    late.write_parquet(tmp_path / "late.parquet")
    (tmp_path / "more.csv").write_text("user,item,timestamp\nb,i4,1600000002.5\n")
    files = [tmp_path / name for name in ("e.parquet", "late.parquet", "more.csv")]
    parts = batch.partition(files, tmp_path / "parts", 2)
    found = pl.concat([read_events(part) for part in parts]).sort("item")
    assert found["user"].to_list() == ["a", "b", "a", "b"]
    wanted = [1_600_000_000, 1_600_000_001, 1_599_955_200, 1_600_000_002.5]
    assert found["timestamp"].to_list() == wanted
    (tmp_path / "days.csv").write_text("user,item,timestamp\nb,i4,20200913\n")
    with pytest.raises(UserError, match="(?s)days.csv.*days written as numbers"):
        read_events(tmp_path / "days.csv")
