"""Toys: small files of its form."""

import numpy as np
import pytest

from recjax.data.prepared import Prepared
from recjax.errors import UserError
from recjax.prepare.built_in import prepare_built_in
from recjax.prepare.datasets import toys

LINES = "1 10 20 10\n2 20 30\n"
CATEGORIES = '{"10": [1, 2], "20": [2], "30": [], "40": [3]}'


@pytest.fixture
def raw(monkeypatch, tmp_path):
    monkeypatch.setenv("RECJAX_DATA", str(tmp_path / "raw"))
    monkeypatch.setenv("RECJAX_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "raw" / toys.FOLDER
    folder.mkdir(parents=True)
    files = [folder / name for name in toys.FILES]
    for file, text in zip(files, (LINES, CATEGORIES), strict=True):
        file.write_text(text)
    return files


def test_prepared_and_read_back(raw):
    known = Prepared.open(prepare_built_in("toys"))
    events, items = known.table("events"), known.table("item")
    np.testing.assert_array_equal(events["user"].array, [0, 0, 0, 1, 1])
    np.testing.assert_array_equal(events["item"].array, [0, 1, 0, 1, 2])
    assert tuple(items["id"].vocabulary) == ("10", "20", "30")
    column = items["category"]
    assert [column.vocabulary.take(row) for row in column.ragged] == [
        ["1", "2"],
        ["2"],
        [],
    ]


@pytest.mark.parametrize(
    ("at", "text", "said"),
    [
        (0, "1 10\n2\n", "row 2: '2' is not of the form"),
        (0, "1 10\n\n2 10\n", "row 2: ''"),
        (0, "1 10 x\n", "row 1: '1 10 x'"),
        (0, "1 10\n1 20\n", "a user comes twice"),
        (0, "1 50\n", "item 50 has no categories"),
        (1, "{", "not {item"),
        (1, '{"10": 1}', "not {item"),
        (1, "[1]", "not {item"),
    ],
)
def test_damage_is_named(raw, at, text, said):
    raw[at].write_text(text)
    with pytest.raises(UserError, match="Fetch") as error:
        toys.data()
    assert said in str(error.value) and str(raw[at].parent) in str(error.value)


def test_a_missing_file_says_where_to(raw):
    raw[1].unlink()
    with pytest.raises(UserError) as error:
        toys.data()
    assert str(raw[1]) in str(error.value)
