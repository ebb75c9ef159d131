"""Search pairs: indexing, and the way to array_record and back."""

import numpy as np
import polars as pl
import pytest

from recjax.data.search_pairs import from_frames, load_search_pairs
from recjax.errors import UserError
from recjax.prepare.prepare import prepare_search

PAIRS = pl.DataFrame(
    {
        "query": ["red bolt", "nut", "red bolt", "café"],
        "product": ["7", "9", "9", "7"],
        "relevance": [3.0, 1.5, 2.0, 0.0],
    }
)
PRODUCTS = pl.DataFrame(
    {"product": ["9", "8", "7"], "title": ['Nut 8"', "Saw", "Bolt, red"]}
)


def check(data):
    assert data.queries == ("red bolt", "nut", "café")
    assert data.product_ids == ("9", "8", "7")
    assert data.titles == ('Nut 8"', "Saw", "Bolt, red")
    for name, expected, dtype in (
        ("query", [0, 1, 0, 2], np.int32),
        ("product", [2, 0, 0, 2], np.int32),
        ("relevance", [3, 1.5, 2, 0], np.float32),
    ):
        assert getattr(data, name).dtype == dtype
        np.testing.assert_array_equal(getattr(data, name), expected)


def test_indices_follow_appearance_and_the_products_table():
    check(from_frames(PAIRS, PRODUCTS))


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_two_files_written_and_read_back(tmp_path, kind):
    pairs, products = tmp_path / f"pairs.{kind}", tmp_path / f"products.{kind}"
    getattr(PAIRS, f"write_{kind}")(pairs)
    getattr(PRODUCTS, f"write_{kind}")(products)
    check(
        load_search_pairs(prepare_search(pairs, products=products, out=tmp_path / "o"))
    )


def test_one_file_takes_products_in_order_of_appearance(tmp_path):
    one = PAIRS.join(PRODUCTS, on="product", maintain_order="left")
    one.write_csv(tmp_path / "one.csv")
    data = load_search_pairs(prepare_search(tmp_path / "one.csv", out=tmp_path / "o"))
    assert data.product_ids == ("7", "9")
    assert data.titles == ("Bolt, red", 'Nut 8"')
    np.testing.assert_array_equal(data.product, [0, 1, 1, 0])


def test_missing_data_set(tmp_path):
    with pytest.raises(UserError, match="not a prepared data set"):
        load_search_pairs(tmp_path)
