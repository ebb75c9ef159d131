"""JSON lines: values as they are written, and lines that hold no object."""

import gzip
import json

import pytest
from tables import load, only, rows, values, write

from recjax.tables import json_file, lines
from recjax.tables.columns import Column

SCHEMA = (
    Column("item", "id"),
    Column("price", "number", required=False, filled=False),
    Column("tags", "categories", required=False, filled=False),
    Column("vector", "vector", required=False, filled=False),
    Column("title", "text", required=False, filled=False),
)


def check(tmp_path, content, schema=SCHEMA, name="items.jsonl"):
    return load(write(tmp_path / name, content), schema)


def test_values_as_written(tmp_path):
    lines = [
        '{"item": 9007199254740993, "price": 0.1, "tags": ["a", 2, null]}',
        "",
        '{"item": " x ", "vector": [1, 2.5], "title": "\\u00e9"}',
        '{"item": "007", "tags": "b|c", "vector": null, "price": "3", "title": true}',
    ]
    found, report = check(tmp_path, "\n".join(lines))
    assert report.ok and rows(found) == [1, 3, 4]
    assert values(found, "item") == ["9007199254740993", "x", "007"]
    assert values(found, "title") == ["", "é", "true"]
    assert str(values(found, "price")) == "[0.10000000149011612, nan, 3.0]"
    assert values(found, "vector") == [[], [[1.0, 2.5]], []]


def test_gzip(tmp_path):
    content = gzip.compress(b'{"item": 1}\n{"item": 2}\n')
    found, report = check(tmp_path, content, name="items.jsonl.gz")
    assert report.ok and values(found, "item") == ["1", "2"]


BAD = {
    "half": '{"item": "a"',
    "a list": '["a"]',
    "a number": "3",
    "a name twice": '{"item": "a", "item": "b"}',
    "an object inside": '{"item": {"a": 1}}',
    "too deep": '{"item": ' + "[" * 100_000,
    "half a pair of surrogates": '{"item": "\\ud800"}',
}


@pytest.mark.parametrize("case", BAD)
def test_lines_without_a_usable_object(tmp_path, case):
    found, report = check(tmp_path, f'{{"item": "x"}}\n{BAD[case]}\n{{"item": "y"}}')
    assert only(report)[:2] == ("not a JSON object", 2)
    assert values(found, "item") == ["x", "y"] and rows(found) == [1, 3]


def test_other_bytes(tmp_path):
    found, report = check(tmp_path, b'{"item": "x"}\n{"item": "\xff"}\n')
    assert only(report)[:2] == ("not a JSON object", 2)


def test_lists_for_an_id(tmp_path):
    found, report = check(tmp_path, '{"item": "x"}\n{"item": ["y"]}\n')
    assert found is None and "column of type List(String)" in str(report)


def test_no_objects(tmp_path):
    _, report = check(tmp_path, "item,price\n1,2\n")
    assert report.fatal and "no objects" in str(report)


def test_a_column_that_starts_late(tmp_path, monkeypatch):
    monkeypatch.setattr(json_file, "CHUNK", 100)
    content = '{"item": "x"}\n' * 50 + '{"item": "y", "price": 3}\n'
    found, report = check(tmp_path, content)
    assert found is None and "a column that the first records lack" in str(report)
    assert "'price' in row 51" in str(report)


def test_many_blocks(tmp_path, monkeypatch):
    for module in (lines, json_file):
        monkeypatch.setattr(module, "CHUNK", 64)
    made = [{"item": f"i{i % 7}", "price": i / 8} for i in range(100)]
    found, report = check(tmp_path, "".join(json.dumps(row) + "\n" for row in made))
    assert report.ok and values(found, "item") == [row["item"] for row in made]
    assert values(found, "price") == [row["price"] for row in made]
