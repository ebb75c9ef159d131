"""Columns of queries and products of a search: rows and numbers counted by hand."""

from dataclasses import replace

import numpy as np
import pytest

from recjax.data.columns import CategoryColumn, NumberColumn
from recjax.data.inputs import encode_all
from recjax.data.search import Search, SearchData
from recjax.data.search_pairs import SearchPairs
from recjax.prepare import make

COUNTRIES = ("no", None, "it", "no")
PRICES = (10.0, 20.0, None, 40.0, 999.0)
"""The last product is in no pair: it teaches nothing."""
COLUMNS = {
    "query": {"country": CategoryColumn()},
    "item": {"price": NumberColumn()},
}


@pytest.fixture(scope="module")
def data():
    settings = Search(
        "memory",
        batch_size=4,
        negatives=4,
        title_share=0.0,
        fit=("train", "validation", "test"),
        columns=COLUMNS,
    )
    queries = ("shoe", "hat", "lamp", "boot")
    titles = ("red shoe", "green hat", "blue lamp", "grey boot", "old boot")
    tables = {
        "query": make.entity(queries, make.category("country", COUNTRIES)),
        "item": make.entity(
            list("abcde"), make.text("title", titles), make.number("price", PRICES)
        ),
    }
    pair = np.arange(4, dtype=np.int32)
    known = SearchPairs(pair, pair, np.full(4, 3, np.float32), tables)
    return SearchData(settings, 0, known)


def price(product):
    """Returns the standardised price of a product, and whether it is missing."""
    known = [10.0, 20.0, 40.0]
    value = PRICES[product]
    if value is None:
        return [0, 1]
    return [(value - np.mean(known)) / np.std(known), 0]


def test_a_batch_has_the_columns_of_both_sides(data):
    batch, labels = data.batch(0), data.inputs["country"].labels
    row = {None: 0, **{label: at + 1 for at, label in enumerate(labels)}}
    assert sorted(labels) == ["it", "no"]
    for at, query in enumerate(batch["query_id"]):
        assert batch["query"]["country"][at].tolist() == [row[COUNTRIES[query]]]
    for side in ("positive", "negative"):
        wanted = [price(product) for product in batch[f"{side}_id"]]
        np.testing.assert_allclose(batch[side]["price"], wanted, atol=1e-5)


def test_raw_queries_become_what_is_evaluated(data):
    raw = data.raw_queries("train", 4)
    made, queries = encode_all(data.inputs, raw, 4), data.queries("train")
    for name, array in queries.features.items():
        np.testing.assert_array_equal(made[name], array, err_msg=name)


def test_words_of_a_title_have_no_columns_of_a_query(data):
    spans = replace(data, settings=replace(data.settings, title_share=1.0))
    assert (spans.batch(0)["query"]["country"] == 0).all()
