"""Writing: whole or not at all, never over foreign files, readable by TFDS."""

import subprocess
import sys
import textwrap

import polars as pl
import pytest
from preparing import HEAD, log, own

from recjax.data import prepared
from recjax.data.interactions import load_interactions
from recjax.data.prepared import Prepared
from recjax.errors import UserError
from recjax.prepare import records as written
from recjax.prepare.options import Files, How
from recjax.prepare.prepare import prepare
from recjax.prepare.records import VERSION


@pytest.fixture(autouse=True)
def cache(own_cache):
    return own_cache


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_foreign_files_are_left_alone(events, tmp_path, kind):
    out = tmp_path / "thesis"
    file = out / "chapter.txt" if kind == "folder" else out
    file.parent.mkdir(exist_ok=True)
    file.write_text("precious")
    told = "is no prepared data set: choose another --out"
    with pytest.raises(UserError, match=told):
        own(events, out)
    assert file.read_text() == "precious"


def test_an_empty_folder_may_be_filled(events, tmp_path):
    (tmp_path / "out").mkdir()
    own(events, tmp_path / "out")
    assert len(load_interactions(tmp_path / "out").item) == 3


def test_a_place_that_cannot_be_written(events):
    with pytest.raises(UserError, match="cannot write the prepared data set.*--out"):
        own(events, events / "below")


def run(code, *args):
    code = textwrap.dedent(code)
    command = [sys.executable, "-c", code, *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.parametrize("limit", [64, 2_000])
def test_a_full_disk_leaves_nothing(tmp_path, limit):
    # A limit on the size of files fails in the same calls as a full disk.
    events = tmp_path / "events.csv"
    rows = [(f"user {i * 7919}", i, i) for i in range(2_000)]
    events.write_text(HEAD + log(*rows))
    done = run(
        """
        import resource, sys
        from recjax.prepare.options import Files
        from recjax.prepare.prepare import prepare
        from recjax.errors import UserError
        size = int(sys.argv[3])
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        try:
            prepare(Files(events=sys.argv[1]), sys.argv[2])
        except UserError as error:
            print(error)
            sys.exit(2)
        """,
        *(events, tmp_path / "out" / "mine", limit),
    )
    assert done.returncode == 2, done.stderr
    assert "File too large; free space" in done.stdout
    assert list((tmp_path / "out").iterdir()) == []


def test_a_killed_preparation_leaves_nothing_that_counts(events, tmp_path):
    out = tmp_path / "out" / "mine"
    done = run(
        """
        import os, sys
        from pathlib import Path
        from recjax.prepare.options import Files
        from recjax.prepare.prepare import check
        from recjax.prepare.write import write
        kill = {"last": lambda path: os.kill(os.getpid(), 9)}
        data = check(Files(events=sys.argv[1])).data
        write(data, Path(sys.argv[2]), source={}, command="", extra=kill)
        """,
        *(events, out),
    )
    assert done.returncode == -9, done.stderr
    left = [p.name for p in out.parent.iterdir()]
    assert len(left) == 1 and left[0].startswith(".mine.partial-")
    with pytest.raises(UserError, match="no prepared data set"):
        prepared.prepared_path(out)
    own(events, out)
    assert [p.name for p in out.parent.iterdir()] == ["mine"]


def test_tables_are_plain_tfds(events, monkeypatch):
    monkeypatch.setattr(written, "ROWS", 2)
    tfds = pytest.importorskip("tensorflow_datasets")
    frame = pl.read_csv(events).with_columns(color=pl.Series(["red", "blue", "red"]))
    path = prepare(Files(events=frame), "mine", How(column=("color=category",)))
    known = Prepared.open(path).table("events")
    source = tfds.builder_from_directory(path / "events" / VERSION)
    records = list(source.as_data_source("train"))
    assert len(records) == 2
    for name in ("user", "item", "timestamp", "color"):
        blocks = [value for r in records for value in r[name]["values"]]
        assert blocks == known[name].values.tolist(), name
    labels = records[0]["color"]["labels"]
    assert bytes(labels["values"]) == b"redblue" and [*labels["lengths"]] == [0, 3, 4]
    assert not len(records[1]["color"]["labels"]["values"])
