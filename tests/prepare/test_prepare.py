"""Preparing: whole or not at all, again only when needed, never over foreign files."""

import csv
import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from recjax import paths
from recjax.data import prepared
from recjax.data.interactions import load_interactions
from recjax.data.search_pairs import load_search_pairs
from recjax.errors import UserError
from recjax.prepare import prepare

HEAD = "user,item,timestamp\n"


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("RECJAX_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def events(tmp_path):
    path = tmp_path / "events.csv"
    path.write_text(HEAD + "u1,i1,10\nu1,i2,20\nu2,i1,30\n")
    return path


def state(path):
    return {
        file: (file.stat().st_mtime_ns, file.stat().st_ino)
        for file in sorted(path.rglob("*"))
    }


def test_a_bare_name_goes_to_the_cache(events, cache):
    path = prepare.prepare_interactions(events, out="mine")
    assert path == cache / "prepared" / "mine" == prepared.prepared_path("mine")
    assert [p.name for p in path.parent.iterdir()] == ["mine"]
    assert load_interactions(path).timestamp.tolist() == [10, 20, 30]


def test_a_path_is_taken_as_it_is(events, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    prepare.prepare_interactions(events, out="./here")
    assert (tmp_path / "here" / "prepared.json").is_file()
    assert prepared.prepared_path(Path("here")) == Path("here")


def test_prepared_already(events):
    before = state(prepare.prepare_interactions(events, out="mine"))
    assert state(prepare.prepare_interactions(events, out="mine")) == before


def test_a_changed_file_is_prepared_again(events):
    prepare.prepare_interactions(events, out="mine")
    events.write_text(HEAD + "u1,i1,40\n")
    path = prepare.prepare_interactions(events, out="mine")
    assert load_interactions(path).timestamp.tolist() == [40]
    assert [p.name for p in path.parent.iterdir()] == ["mine"]


def test_a_changed_option_is_prepared_again(events):
    prepare.prepare_interactions(events, out="mine")
    path = prepare.prepare_interactions(events, out="mine", unit="ms")
    assert load_interactions(path).timestamp.tolist() == [0, 0, 0]


def test_a_file_gone_bad_leaves_what_was_prepared(events):
    path = prepare.prepare_interactions(events, out="mine")
    events.write_text(HEAD + "u1,i1,soon\n")
    with pytest.raises(UserError, match="Nothing was prepared"):
        prepare.prepare_interactions(events, out="mine")
    assert load_interactions(path).timestamp.tolist() == [10, 20, 30]


def test_a_file_gone_is_an_error_though_prepared_before(events):
    prepare.prepare_interactions(events, out="mine")
    events.unlink()
    with pytest.raises(UserError, match="no such file"):
        prepare.prepare_interactions(events, out="mine")


def bad(path, bad_rows, rows=200):
    lines = [f"u{i},i1,{i}\n" for i in range(rows - bad_rows)]
    lines[5:5] = ["u,i1,soon\n"] * bad_rows
    path.write_text(HEAD + "".join(lines))


def test_a_bad_row_stops_and_says_how_to_go_on(events, cache):
    bad(events, 1)
    with pytest.raises(UserError, match="(?s)row 7, column 'timestamp'.*bad-row skip"):
        prepare.prepare_interactions(events, out="mine")
    assert not (cache / "prepared").exists()


def test_bad_rows_are_skipped_counted_and_listed(events, caplog):
    bad(events, 2)
    path = prepare.prepare_interactions(events, out="mine", on_bad_row="skip")
    assert len(load_interactions(path).item) == 198
    assert "Left out 2 of 200 rows (1.000%)" in caplog.text
    with open(path / "skipped_rows.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(r["file"], r["row"], r["value"]) for r in rows] == [
        ("events.csv", "7", '"soon"'),
        ("events.csv", "8", '"soon"'),
    ]


def test_too_many_bad_rows_are_not_skipped(events, cache):
    bad(events, 3)
    with pytest.raises(
        UserError, match=r"3 of 200 rows \(1.50%\) are bad.*0.01 allows"
    ):
        prepare.prepare_interactions(events, out="mine", on_bad_row="skip")
    assert not (cache / "prepared").exists()
    path = prepare.prepare_interactions(
        events, out="mine", on_bad_row="skip", max_bad_share=0.015
    )
    assert len(load_interactions(path).item) == 197


def test_a_missing_column_cannot_be_skipped(events):
    events.write_text("user,item\na,b\n")
    with pytest.raises(UserError, match="skipping rows cannot help"):
        prepare.prepare_interactions(events, out="mine", on_bad_row="skip")


def test_nothing_left_after_skipping(events):
    bad(events, 4, rows=4)
    with pytest.raises(UserError, match="no good rows are left"):
        prepare.prepare_interactions(
            events, out="mine", on_bad_row="skip", max_bad_share=1
        )


def test_search_with_skipped_rows(tmp_path):
    rows = "".join(f"query {i},p{i},3,Title {i}\n" for i in range(100))
    text = f"query,product,relevance,title\n{rows}a,p0,2,Other title\n"
    (tmp_path / "pairs.csv").write_text(text)
    with pytest.raises(UserError, match="a product with two titles"):
        prepare.prepare_search(tmp_path / "pairs.csv", out="shop")
    path = prepare.prepare_search(tmp_path / "pairs.csv", out="shop", on_bad_row="skip")
    data = load_search_pairs(path)
    assert len(data.query) == 100 and data.titles[0] == "Title 0"


@pytest.mark.parametrize(
    "options, message",
    [
        ({"on_bad_row": "ignore"}, "--on-bad-row 'ignore': must be"),
        ({"max_bad_share": 1.5}, "--max-bad-share 1.5: must be between"),
        ({"max_bad_share": float("nan")}, "--max-bad-share nan"),
        ({"out": "home_depot"}, "--out home_depot: a built-in"),
    ],
)
def test_bad_arguments(events, options, message):
    with pytest.raises(UserError, match=message):
        prepare.prepare_interactions(events, **{"out": "mine", **options})


def test_unknown_built_in():
    with pytest.raises(UserError, match="Did you mean 'movielens_100k'"):
        prepare.prepare("movielens")


def test_missing_data_set_names_the_command_or_the_nearest(events):
    with pytest.raises(UserError, match="Run `recjax data prepare movielens_100k`"):
        prepared.prepared_path("movielens_100k")
    prepare.prepare_interactions(events, out="mine")
    with pytest.raises(UserError, match="Did you mean 'mine'.*so far: mine"):
        prepared.prepared_path("mien")


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_foreign_files_are_left_alone(events, tmp_path, kind):
    out = tmp_path / "thesis"
    file = out / "chapter.txt" if kind == "folder" else out
    file.parent.mkdir(exist_ok=True)
    file.write_text("precious")
    with pytest.raises(
        UserError, match="is no prepared data set: choose another --out"
    ):
        prepare.prepare_interactions(events, out=out)
    assert file.read_text() == "precious"


def test_an_empty_folder_may_be_filled(events, tmp_path):
    (tmp_path / "out").mkdir()
    prepare.prepare_interactions(events, out=tmp_path / "out")
    assert len(load_interactions(tmp_path / "out").item) == 3


def test_a_place_that_cannot_be_written(events):
    with pytest.raises(UserError, match="cannot write the prepared data set.*--out"):
        prepare.prepare_interactions(events, out=events / "below")


def run(code, *args):
    code = textwrap.dedent(code)
    command = [sys.executable, "-c", code, *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.parametrize("limit", [64, 2_000])
def test_a_full_disk_leaves_nothing(tmp_path, limit):
    # A limit on the size of files fails in the same calls as a full disk.
    events = tmp_path / "events.csv"
    rows = "".join(f"user {i * 7919},{i},{i}\n" for i in range(2_000))
    events.write_text(HEAD + rows)
    done = run(
        """
        import resource, sys
        from recjax.prepare.prepare import prepare_interactions
        from recjax.errors import UserError
        size = int(sys.argv[3])
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        try:
            prepare_interactions(sys.argv[1], out=sys.argv[2])
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
        from functools import partial
        from pathlib import Path
        from recjax.prepare.datasets.own import OwnInteractions
        from recjax.data.interactions import from_frames
        from recjax.prepare.validate import validate_interactions
        from recjax.prepare.write import write
        data = from_frames(validate_interactions(sys.argv[1]).main, None)
        kill = {"last": lambda path: os.kill(os.getpid(), 9)}
        builder, out = partial(OwnInteractions, data=data), Path(sys.argv[2])
        write(builder, out, kind="interactions", source={}, extra=kill)
        """,
        *(events, out),
    )
    assert done.returncode == -9, done.stderr
    left = [p.name for p in out.parent.iterdir()]
    assert len(left) == 1 and left[0].startswith(".mine.partial-")
    with pytest.raises(UserError, match="no prepared data set"):
        prepared.prepared_path(out)
    prepare.prepare_interactions(events, out=out)
    assert [p.name for p in out.parent.iterdir()] == ["mine"]


def test_prepared_folders_are_plain_tfds(events):
    tfds = pytest.importorskip("tensorflow_datasets")
    path = prepare.prepare_interactions(events, out="mine")
    builder = tfds.builder_from_directory(path / "users" / "1.0.0")
    users = builder.as_data_source("train")
    assert len(users) == 2
    assert users[0]["id"] == b"u1" and users[0]["timestamps"].tolist() == [10, 20]


def test_built_in_is_returned_at_once_without_raw_files(monkeypatch, cache, events):
    # What counts is the description: the raw files may be gone.
    made = prepare.prepare_interactions(events, out="elsewhere")
    about = json.loads((made / "prepared.json").read_text())
    about["source"] = {"name": "movielens_100k", "version": "1.0.0"}
    (made / "prepared.json").write_text(json.dumps(about))
    made.rename(paths.prepared_root() / "movielens_100k")
    assert prepare.prepare("movielens_100k").name == "movielens_100k"
