"""Features of logs in files: by shards and processes, a week at a time, and by Beam."""

import datetime
import os
import random
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from recjax import jobs
from recjax.errors import UserError
from recjax.prepare import feature_jobs as features
from recjax.prepare import feature_logs as logs

ROOT = Path(__file__).resolve().parents[2]
START = 19_000
"""Days since 1970 at which the logs begin; START + 6 is a multiple of 7."""


@pytest.fixture(scope="module")
def log():
    draw = random.Random(0)
    words = "red blue chair lamp rug".split()
    return pl.DataFrame(
        [
            {
                "id": f"p{draw.randrange(50)}",
                "query": " ".join(draw.choices(words, k=2)),
                "board_title": " ".join(draw.choices(words, k=3)),
                "timestamp": (START + draw.randrange(70)) * logs.DAY + 1,
            }
            for _ in range(3_000)
        ]
    )


def files(tmp_path, log, parts=3):
    found = []
    for i, part in enumerate(log.iter_slices(-(-log.height // parts))):
        found.append(tmp_path / f"log{i}.parquet")
        part.write_parquet(found[-1])
    return found


@pytest.mark.parametrize("workers", [1, 2])
def test_board_titles(tmp_path, log, workers):
    out = tmp_path / "x" / "titles.parquet"
    job, each = features.BoardTitles(top=4), jobs.processes(workers)
    features.run(job, files(tmp_path, log), out, shards=3, each=each)
    expected = logs.rank_board_titles(logs.count_board_titles(log), 4)
    assert pl.read_parquet(out).equals(expected)
    assert [path.name for path in out.parent.iterdir()] == [out.name]


def test_board_titles_in_two_runs(tmp_path, log):
    first, second = files(tmp_path, log, 2)
    out, counts = tmp_path / "titles.parquet", tmp_path / "counts"
    for file in (first, second):
        features.run(features.BoardTitles(), [file], out, counts=counts)
    expected = logs.rank_board_titles(logs.count_board_titles(log))
    assert pl.read_parquet(out).equals(expected)


def test_engaged_queries_a_week_at_a_time_by_the_tool(tmp_path, log):
    paths, out, counts = files(tmp_path, log), tmp_path / "q.parquet", tmp_path / "c"
    for day in (30, 34, 62):  # the second: no period is over that was not before
        now = datetime.date(1970, 1, 1) + datetime.timedelta(days=START + day)
        told = ["--now", str(now), "--out", out, "--counts", counts]
        told += ["--window", "35", "--workers", "1", "--shards", "4"]
        tool = [sys.executable, ROOT / "tools" / "build_engaged_queries.py"]
        here = {**os.environ, "PYTHONPATH": str(ROOT)}
        subprocess.run([*tool, *paths, *told], check=True, env=here)
        rows = log.filter(pl.col("timestamp") < (START + day) * logs.DAY)
        seconds = (START + day) * logs.DAY
        kept = logs.within(logs.count_queries(rows, 7), seconds, 7, 35)
        assert pl.read_parquet(out).equals(logs.rank_queries(kept)), day
    lines = pl.read_parquet(list(counts.glob("*.parquet")))
    assert lines["count"].sum() == kept["count"].sum()


def test_shards_do_not_depend_on_the_machine():
    assert features.shard_of(pl.Series(["a", "b", "a"]), 10).to_list() == [7, 1, 7]


def test_logs_that_are_none(tmp_path, log):
    def message(frame):
        frame.write_parquet(tmp_path / "log.parquet")
        with pytest.raises(UserError) as caught:
            job = features.EngagedQueries(now=(START + 70) * logs.DAY)
            features.run(job, [tmp_path / "log.parquet"], tmp_path / "out.parquet")
        assert not (tmp_path / "out.parquet").exists()
        return str(caught.value)

    assert "no column 'timestamp'" in message(log.rename({"timestamp": "times"}))
    when = pl.col("timestamp")
    assert "column 'timestamp' holds Float64" in message(
        log.with_columns(when.cast(pl.Float64))
    )
    hole = pl.when(pl.int_range(pl.len()) == 6).then(None).otherwise(when)
    found = message(log.with_columns(timestamp=hole))
    assert "log.parquet: row 7, column 'timestamp': nothing" in found
    assert "nothing to count" in message(log.with_columns(when + 10**9))
    (tmp_path / "log.parquet").write_bytes(b"no")
    with pytest.raises(UserError, match="not a readable Parquet"):
        features.run(features.BoardTitles(), [tmp_path / "log.parquet"], tmp_path / "o")


def test_beam(tmp_path, log):
    pytest.importorskip("apache_beam", reason="the extra `beam` is not installed")
    job, out = features.BoardTitles(top=4), tmp_path / "titles"
    features.run(job, files(tmp_path, log), out, shards=3, each=jobs.beam())
    assert len(list(out.iterdir())) == 3
    found = pl.read_parquet(out / "*.parquet").sort("id")
    assert found.equals(logs.rank_board_titles(logs.count_board_titles(log), 4))
    with pytest.raises(UserError, match="titles is there; delete it"):
        features.run(job, [], out)
