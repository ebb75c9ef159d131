"""A prepared data set opens mapped, says what it is, and tells what is missing."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from recjax.data.interactions import load_interactions
from recjax.data.prepared import Prepared, as_texts, digest_of, file_keys, seconds
from recjax.data.search_pairs import load_search_pairs
from recjax.data.sessions.read import load_sessions
from recjax.errors import UserError
from recjax.prepare import make
from recjax.prepare.options import Files, How
from recjax.prepare.prepare import check, prepare
from recjax.tables.typed import MISSING_TIME, TypedColumn

START = 1_600_000_000
EVENTS = pl.DataFrame(
    {"user": list("baa"), "item": list("xyx"), "timestamp": [START, START + 9, START]}
)
ITEMS = pl.DataFrame(
    {
        "item": ["x", "y", "z"],
        "title": ["Tïtle", "", "a b"],
        "price": [1.5, None, 2.5],
        "brand": ["red", "blue", None],
        "kinds": [["p", "q"], [], ["q"]],
        "made": [START, None, START + 1],
        "look": [[0.5, 1.0], None, [2.0, -1.0]],
        "near": [["y", "z"], None, ["y"]],
    }
)
TYPES = {
    **{"title": "text", "price": "number", "brand": "category", "kinds": "categories"},
    **{"made": "timestamp", "look": "vector", "near": "ids"},
}
COLUMNS = tuple(f"items:{name}={type}" for name, type in TYPES.items())


@pytest.fixture
def path(tmp_path):
    files = Files(events=EVENTS, items=ITEMS)
    return prepare(files, tmp_path / "out", How(column=COLUMNS, gap=60))


def test_every_type_is_read_back(path):
    known = Prepared.open(path)
    assert set(known.tables) == {"user", "item", "events"}
    item = known.table("item")
    kinds = {name: column.type for name, column in item.columns.items()}
    assert kinds == {"id": "id", **TYPES} and item.rows == 3
    assert [*item["id"].labels] == ["x", "y", "z"]
    assert [*as_texts(item["title"])] == ["Tïtle", "", "a b"]
    np.testing.assert_array_equal(item["price"].values, [1.5, np.nan, 2.5])
    assert [*as_texts(item["brand"])] == ["red", "blue", ""]
    assert [*as_texts(item["kinds"])] == ["p q", "", "q"]
    assert item["made"].values.tolist()[1] == MISSING_TIME
    assert seconds(item["made"]).tolist() == [START, 0, START + 1]
    look = item["look"]
    assert look.width == 2 and look.values.start.tolist() == [0, 1, 1, 2]
    np.testing.assert_array_equal(look.values.values, [[0.5, 1], [2, -1]])
    near = [item["near"].labels.take(row) for row in item["near"].values]
    assert near == [["y", "z"], [], ["y"]]
    assert isinstance(look.values.values, np.memmap)


def test_codes_of_events_are_rows_of_their_entities(path):
    known = Prepared.open(path)
    events, item = known.table("events"), known.table("item")
    assert events["item"].labels is item["id"].labels
    assert events["user"].values.tolist() == [0, 1, 1]
    assert events["item"].values.tolist() == [0, 0, 1]
    assert events["session"].values.tolist() == [0, 1, 1]
    assert known.settings == {"unit": "s", "gap": 60}


def test_the_digest_is_of_ids_and_schema(tmp_path, path):
    digest = Prepared.open(path).digest
    how = How(column=COLUMNS, gap=60)

    def again(events=EVENTS, items=ITEMS, how=how):
        return digest_of(check(Files(events=events, items=items), how).data.tables)

    assert again() == digest
    later = EVENTS.with_columns(pl.col("timestamp") + 5)
    assert again(later) == digest
    assert again(items=ITEMS[[1, 0, 2]]) != digest
    assert again(items=ITEMS.drop("price"), how=How(column=COLUMNS[:1])) != digest
    other = tuple(one.replace("brand=category", "brand=text") for one in COLUMNS)
    assert again(how=replace(how, column=other)) != digest
    assert again(EVENTS.with_columns(user=pl.Series(list("bcc")))) != digest


def test_names_of_files_are_plain_and_distinct():
    names = ["a", "price €", "price $", "../x", "a", "日本"]
    keys = file_keys(dict.fromkeys(names))
    assert len(set(keys.values())) == len(set(names))
    assert all(
        key.isascii() and "/" not in key and "." not in key for key in keys.values()
    )


def test_columns_of_any_name(tmp_path):
    frame = EVENTS.with_columns(
        pl.Series("price €/kg", [1.0, 2, 3]), a_b=7, **{"a b": 8}
    )
    events = Prepared.open(prepare(Files(events=frame), tmp_path / "out")).table(
        "events"
    )
    assert events["price €/kg"].values.tolist() == [1, 3, 2]
    assert (events["a_b"].values[0], events["a b"].values[0]) == (7, 8)


def test_what_is_not_there_is_named(path):
    with pytest.raises(UserError, match="has no judgements; it has .*events"):
        load_search_pairs(path)
    with pytest.raises(UserError, match="have no column 'action'; they have user, it"):
        Prepared.open(path).table("events", "action")


def test_events_without_sessions(tmp_path):
    path = prepare(Files(events=EVENTS), tmp_path / "out")
    with pytest.raises(UserError, match="without sessions: prepare it with --gap"):
        load_sessions(path)


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"format": 2}', "[" * 9_000])
def test_damaged_description(path, text):
    (path / "prepared.json").write_text(text)
    with pytest.raises(UserError, match=r"prepared\.json|older recjax"):
        load_interactions(path)


def test_no_data_set(tmp_path):
    with pytest.raises(UserError, match="no prepared data set at"):
        load_interactions(tmp_path / "none")


@pytest.mark.parametrize("what", ["gone", "cut", "garbage"])
@pytest.mark.parametrize(
    "name", ["columns/events/item.npy", "item/2.0.0/features.json"]
)
def test_files_that_were_damaged(path, name, what):
    file = path / name
    whole = file.read_bytes()
    if what == "gone":
        file.unlink()
    elif what == "cut":
        file.write_bytes(whole[:-1])
    elif name.endswith("npy"):
        file.write_bytes(b"\x5a" * len(whole))
    else:
        pytest.skip("what TFDS reads is not ours")
    with pytest.raises(
        UserError, match="(?s)Cannot read the prepared.*prepare it again"
    ):
        load_interactions(path)


def test_ids_of_a_table_of_their_own_are_not_another_entity():
    item = make.entity(["a", "b"])
    near = TypedColumn(
        "near", "id", np.array([0, 1], np.int32), make.entity(["a", "b"])["id"].labels
    )
    table = make.entity(["q", "r"], near)
    one = digest_of({"item": item, "other": table})
    mine = replace(near, labels=item["id"].labels)
    assert one != digest_of({"item": item, "other": make.entity(["q", "r"], mine)})


def test_nothing_imports_tensorflow(tmp_path):
    events = tmp_path / "events.csv"
    events.write_text(f"user,item,timestamp\na,b,{START}\n")
    code = (
        "import sys\n"
        "from recjax.prepare.options import Files\n"
        "from recjax.prepare.prepare import prepare\n"
        "from recjax.data.interactions import load_interactions\n"
        f"path = prepare(Files(events={str(events)!r}), {str(tmp_path / 'o')!r})\n"
        f"assert load_interactions(path).timestamp.tolist() == [{START}]\n"
        "assert not {'tensorflow', 'jax'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "" and done.stderr == ""


def test_opening_reads_no_column(path):
    code = (
        "import sys\n"
        "from recjax.data.prepared import Prepared\n"
        "assert Prepared.open(sys.argv[1]).table('events').rows == 3\n"
        "assert 'tensorflow_datasets' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=True)


def test_the_description_is_plain_json(path):
    about = json.loads((path / "prepared.json").read_text())
    assert about["format"] == 2 and about["tables"]["events"]["rows"] == 3
    assert about["tables"]["events"]["columns"]["item"] == {"type": "id", "of": "item"}
    assert about["tables"]["item"]["columns"]["look"] == {"type": "vector", "width": 2}
