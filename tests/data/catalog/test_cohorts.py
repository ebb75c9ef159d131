"""Groups of judged pairs, by hand."""

import numpy as np

from recjax.data.catalog.cohorts import RARE, cohorts
from recjax.data.catalog.entities import Entities
from recjax.text.column import pack

QUERY, ITEM = np.array([0, 1, 2, 2]), np.array([0, 1, 2, 0])
TRAINED = np.repeat([1, 2], [RARE, RARE + 1])


def test_pairs_of_entities():
    texts = {"title": pack(["a", "", ""]), "description": pack(["", "b", ""])}
    entities = Entities(pack(["x", "y", "z"]), texts, {})
    found = cohorts(QUERY, ITEM, TRAINED, np.array([2, 2, 1]), entities)
    assert {name: mask.tolist() for name, mask in found.items()} == {
        "new query": [True, False, False, False],
        "rare query": [False, True, False, False],
        "new item": [True, False, False, True],
        "no title": [False, False, True, False],
    }


def test_pairs_of_queries_have_no_titles():
    found = cohorts(QUERY, ITEM, TRAINED, np.array([0]), None)
    assert set(found) == {"new query", "rare query", "new item"}
    assert found["new item"].tolist() == [False, True, True, False]


def test_where_no_text_is_known_nobody_has_a_title():
    entities = Entities(pack(["x", "y", "z"]), {}, {})
    assert cohorts(QUERY, ITEM, TRAINED, ITEM, entities)["no title"].all()
