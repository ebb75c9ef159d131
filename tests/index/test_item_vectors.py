"""Folders of item vectors: a wrong row is named, and others are told apart."""

import numpy as np
import pytest

from recjax.errors import UserError
from recjax.index.item_vectors import ItemVectors, write_vectors

VECTORS = np.arange(6, dtype=np.float32).reshape(3, 2) + 1


@pytest.fixture
def folder(tmp_path):
    write_vectors(tmp_path, ["a", "b", "c"], ["A", "B", "C"], VECTORS)
    return tmp_path


def test_a_byte_order_mark_and_whole_numbers_are_read(folder):
    rows = ['{"id": 7, "title": "seven"}', '{"id": "b"}', '{"id": "c", "title": null}']
    (folder / "items.jsonl").write_text("\ufeff" + "\r\n".join(rows), encoding="utf-8")
    found = ItemVectors.open(folder)
    assert found.ids == ("7", "b", "c") and found.titles[:2] == ("seven", "")


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (
            ['{"id": "a"}', '{"id": "b"}', '{"id": "a"}'],
            "row 3: the id 'a' .*row 1",
        ),
        (['{"id": "a"}', '{"id": 1}', '{"id": "1"}'], "row 3: the id '1' .*row 2"),
        (['{"id": "a"}', "", '{"id": "c"}'], "row 2: '' is no item"),
        (['{"id": "a"}', '{"name": "b"}', '{"id": "c"}'], "row 2: .* is no item"),
        (['{"id": "a"}', "b", '{"id": "c"}'], "row 2: 'b' is no item"),
        (['{"id": 1.5}', '{"id": "b"}', '{"id": "c"}'], "row 1: .*whole number"),
        (['["a"]', '{"id": "b"}', '{"id": "c"}'], "row 1: .* is no item"),
        (["[" * 100_000, '{"id": "b"}', '{"id": "c"}'], "row 1: .* is no item"),
        (['{"id": "a"}', '{"id": "b"}'], "one vector an item"),
    ],
)
def test_a_wrong_row_is_named(folder, rows, said):
    (folder / "items.jsonl").write_text("\n".join(rows) + "\n")
    with pytest.raises(UserError, match=said) as caught:
        ItemVectors.open(folder)
    assert str(folder) in str(caught.value)


def test_a_digest_tells_ids_their_order_and_vectors(folder):
    made = [ItemVectors.open(folder).digest]
    for ids, vectors in (
        (["a", "c", "b"], VECTORS),
        (["a", "b", "d"], VECTORS),
        (["a", "b", "c"], VECTORS + np.float32(1e-6)),
        (["a", "b"], VECTORS[:2]),
    ):
        write_vectors(folder, ids, ids, vectors)
        made.append(ItemVectors.open(folder).digest)
    assert len(set(made)) == len(made)
    # A title is only shown.
    write_vectors(folder, ["a", "b", "c"], ["x", "y", "z"], VECTORS)
    assert ItemVectors.open(folder).digest == made[0]


def test_every_number_counts_in_a_digest(tmp_path):
    ids, vectors = [*map(str, range(9_000))], np.zeros((9_000, 2), np.float32)
    write_vectors(tmp_path, ids, ids, vectors)
    before = ItemVectors.open(tmp_path).digest
    vectors[4_321, 1] = 1
    write_vectors(tmp_path, ids, ids, vectors)
    assert ItemVectors.open(tmp_path).digest != before


def test_whoever_has_vectors_open_keeps_them(folder):
    opened = ItemVectors.open(folder)
    write_vectors(folder, ["x"], ["X"], VECTORS[:1] * 9)
    np.testing.assert_array_equal(opened.vectors, VECTORS)
    assert ItemVectors.open(folder).ids == ("x",)
    assert sorted(p.name for p in folder.iterdir()) == ["items.jsonl", "vectors.npy"]
