"""Preparing: whole or not at all, again only when needed, never over foreign files."""

import csv
import json
from pathlib import Path

import pytest
from preparing import HEAD, START, log, own

from recjax import paths
from recjax.data import prepared
from recjax.data.interactions import load_interactions
from recjax.data.prepared import Prepared
from recjax.data.search_pairs import load_search_pairs
from recjax.errors import UserError
from recjax.prepare.built_in import prepare_built_in
from recjax.prepare.options import Files, How
from recjax.prepare.prepare import prepare
from recjax.prepare.records import VERSION


@pytest.fixture(autouse=True)
def cache(own_cache):
    return own_cache


def times(path):
    return (load_interactions(path).timestamp - START).tolist()


def state(path):
    return {
        file: (file.stat().st_mtime_ns, file.stat().st_ino)
        for file in sorted(path.rglob("*"))
    }


def test_a_bare_name_goes_to_the_cache(events, cache):
    path = own(events)
    assert path == cache / "prepared" / "mine" == prepared.prepared_path("mine")
    assert [p.name for p in path.parent.iterdir()] == ["mine"]
    assert times(path) == [10, 20, 30]


def test_a_path_is_taken_as_it_is(events, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    own(events, "./here")
    assert (tmp_path / "here" / "prepared.json").is_file()
    assert prepared.prepared_path(Path("here")) == Path("here")


def test_prepared_already(events):
    before = state(own(events))
    assert state(own(events)) == before


def test_a_changed_file_is_prepared_again(events):
    own(events)
    events.write_text(HEAD + log(("u1", "i1", 40)))
    path = own(events)
    assert times(path) == [40]
    assert [p.name for p in path.parent.iterdir()] == ["mine"]


def test_a_changed_option_is_prepared_again(events):
    assert "session" not in Prepared.open(own(events)).table("events")
    assert "session" in Prepared.open(own(events, gap=15)).table("events")


def test_a_file_gone_bad_leaves_what_was_prepared(events):
    path = own(events)
    events.write_text(HEAD + "u1,i1,soon\n")
    with pytest.raises(UserError, match="Nothing was prepared"):
        own(events)
    assert times(path) == [10, 20, 30]


def test_a_file_gone_is_an_error_though_prepared_before(events):
    own(events)
    events.unlink()
    with pytest.raises(UserError, match="no such file"):
        own(events)


def bad(path, bad_rows, rows=200):
    lines = [log((f"u{i}", "i1", i)) for i in range(rows - bad_rows)]
    lines[5:5] = ["u,i1,soon\n"] * bad_rows
    path.write_text(HEAD + "".join(lines))


def test_a_bad_row_stops_and_says_how_to_go_on(events, cache):
    bad(events, 1)
    with pytest.raises(UserError, match="(?s)row 7, column 'timestamp'.*bad-row skip"):
        own(events)
    assert not (cache / "prepared").exists()


def test_bad_rows_are_skipped_counted_and_listed(events, caplog):
    bad(events, 2)
    path = own(events, on_bad_row="skip")
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
    told = r"3 of 200 rows \(1.50%\) are bad.*0.01 allows"
    with pytest.raises(UserError, match=told):
        own(events, on_bad_row="skip")
    assert not (cache / "prepared").exists()
    path = own(events, on_bad_row="skip", max_bad_share=0.015)
    assert len(load_interactions(path).item) == 197


def test_a_missing_column_cannot_be_skipped(events):
    events.write_text("user,item\na,b\n")
    with pytest.raises(UserError, match="skipping rows cannot help"):
        own(events, on_bad_row="skip")


def test_nothing_left_after_skipping(events):
    bad(events, 4, rows=4)
    with pytest.raises(UserError, match="no good rows are left"):
        own(events, on_bad_row="skip", max_bad_share=1)


def test_judgements_with_skipped_rows(tmp_path):
    rows = "".join(f"query {i},p{i},3,Title {i}\n" for i in range(100))
    text = f"query,candidate,grade,title\n{rows}a,p0,2,Other title\n"
    (tmp_path / "pairs.csv").write_text(text)
    files = Files(judgements=tmp_path / "pairs.csv")
    with pytest.raises(UserError, match="a candidate with two titles"):
        prepare(files, "shop")
    data = load_search_pairs(prepare(files, "shop", How(on_bad_row="skip")))
    assert len(data.query) == 100 and data.titles[0] == "Title 0"


@pytest.mark.parametrize(
    "how, message",
    [
        ({"on_bad_row": "ignore"}, "--on-bad-row 'ignore': must be"),
        ({"max_bad_share": 1.5}, "--max-bad-share 1.5: must be between"),
        ({"max_bad_share": float("nan")}, "--max-bad-share nan"),
        ({"gap": 0}, "--gap 0: must be at least 1"),
        ({"out": "home_depot"}, "--out home_depot: a built-in"),
    ],
)
def test_bad_arguments(events, how, message):
    with pytest.raises(UserError, match=message):
        own(events, **how)


def test_unknown_built_in():
    with pytest.raises(UserError, match="Did you mean 'movielens_100k'"):
        prepare_built_in("movielens")


def test_missing_data_set_names_the_command_or_the_nearest(events):
    with pytest.raises(UserError, match="Run `recjax data prepare movielens_100k`"):
        prepared.prepared_path("movielens_100k")
    own(events)
    with pytest.raises(UserError, match="Did you mean 'mine'.*so far: mine"):
        prepared.prepared_path("mien")


def test_the_command_makes_the_same_again(events, tmp_path):
    items = tmp_path / "items.jsonl"
    items.write_text('{"item": "i1", "sku": 3}\n{"item": "i2", "sku": 4}\n')
    how = How(gap=60, column=("items:size=text",), rename=("items:sku=size",))
    path = prepare(Files(events=events, items=items), tmp_path / "one", how)
    about = Prepared.open(path).about
    told = about["command"]
    assert told == (
        f"recjax data prepare --items {items} --events {events} "
        "--column items:size=text --rename items:sku=size --gap 60 "
        f"--out {path}"
    )
    assert about["settings"] == {"unit": "s", "gap": 60}
    assert about["tables"]["item"]["columns"]["size"] == {"type": "text"}


def test_built_in_is_returned_at_once_without_raw_files(events):
    # What counts is the description: the raw files may be gone.
    made = own(events, "elsewhere")
    about = json.loads((made / "prepared.json").read_text())
    about["source"] = {"name": "movielens_100k", "version": VERSION}
    (made / "prepared.json").write_text(json.dumps(about))
    made.rename(paths.prepared_root() / "movielens_100k")
    assert prepare_built_in("movielens_100k").name == "movielens_100k"


@pytest.mark.parametrize("name", ["tmall", "mine"])
def test_what_an_older_recjax_prepared(cache, name):
    path = cache / "prepared" / name
    path.mkdir(parents=True)
    source = {"name": "tmall"} if name == "tmall" else {"files": {}}
    about = {"kind": "sessions", "source": source}
    (path / "prepared.json").write_text(json.dumps(about))
    again = "prepare tmall" if name == "tmall" else "prepare --events FILE"
    with pytest.raises(UserError, match=f"older recjax; .* again with: .*{again}"):
        Prepared.open(name)
