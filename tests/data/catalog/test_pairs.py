"""Which pairs train, validate and are asked, by hand-made pairs."""

from dataclasses import replace

import numpy as np
import pytest

from recjax.data.catalog import pairs as catalog_pairs
from recjax.data.catalog.entities import Catalog, Entities, Pairs
from recjax.data.catalog.pairs import Engagement
from recjax.errors import UserError
from recjax.text.column import pack

TYPES = ("pin", "product", "query")


def pairs(rows):
    """Returns pairs of (query, candidate, kind, action, timestamp)."""
    columns = list(zip(*rows, strict=True))
    types = (np.int32, np.int32, np.uint8, np.uint8, np.int64)
    return Pairs(*(np.array(c, t) for c, t in zip(columns, types, strict=True)))


def catalog(rows, queries=("a", "b", "c")):
    return Catalog(pack(list(queries)), ("save", "click"), TYPES, pairs(rows), {})


def test_what_there_was_before_a_moment():
    pin, query = (TYPES.index(kind) for kind in ("pin", "query"))
    # (query, candidate, type, action, time)
    known = catalog([(0, 0, pin, 0, 5), (1, 2, query, 0, 8), (0, 1, pin, 0, 9)])
    since = {"pin": np.array([0, 7, 8, 9]), "product": None}
    entities = {
        kind: Entities(pack(list("wxyz")), {}, {}, times)
        for kind, times in since.items()
    }
    known = replace(known, entities=entities)

    def there(kind, moment):
        return catalog_pairs.there_before(known, kind, moment).tolist()

    assert there("pin", 8) == [0, 1] and there("pin", None) == [0, 1, 2, 3]
    assert there("product", 1) == [0, 1, 2, 3]
    assert there("query", 8) == [0] and there("query", 9) == [0, 1, 2]
    with pytest.raises(UserError, match="every query was created at .* = 5 or later"):
        there("query", 5)


def test_pairs_of_a_task():
    rows = [(0, 0, 0, 0, 0), (0, 0, 0, 1, 0), (0, 0, 1, 0, 0)]
    found = catalog_pairs.engaged(catalog(rows), Engagement("pin", ("save",)))
    assert found.tolist() == [True, False, False]
    with pytest.raises(UserError, match="saved.*save, click.*'save'"):
        catalog_pairs.engaged(catalog(rows), Engagement("pin", ("saved",)))
    with pytest.raises(UserError, match="'board'"):
        catalog_pairs.engaged(catalog(rows), Engagement("board", ("save",)))


def test_caps_keep_a_random_part_of_popular_candidates():
    rows = [(i, c, 0, 0, 0) for i, c in enumerate([7] * 50 + [3] * 4 + [5])]
    known, chosen = pairs(rows), np.arange(2, 55)
    kept = catalog_pairs.capped(known, chosen, 4, seed=0)
    counts = np.bincount(known.candidate[kept], minlength=8)
    assert (counts[7], counts[3], counts[5]) == (4, 4, 1)
    assert set(kept) <= set(chosen) and (np.diff(kept) > 0).all()
    drawn = {tuple(catalog_pairs.capped(known, chosen, 4, seed)) for seed in range(9)}
    assert len(drawn) > 4
    rates = np.zeros(50)
    for seed in range(300):
        kept = catalog_pairs.capped(known, np.arange(55), 4, seed)
        rates[kept[kept < 50]] += 1 / 300
    # Binomial with p = 4 / 50: five deviations.
    assert np.abs(rates - 0.08).max() < 5 * (0.08 * 0.92 / 300) ** 0.5


def test_known_positives_keep_the_most_frequent():
    rows = [(0, c, 0, 0, 0) for c in (4, 4, 4, 9, 2, 2)] + [(2, 1, 0, 0, 0)]
    known = catalog_pairs.known_positives(pairs(rows), np.arange(7), 3, 2)
    assert known.tolist() == [[4, 2], [-1, -1], [1, -1]]


def test_shares_by_kind():
    tasks = {
        "a": Engagement("pin", ("save",), 2),
        "b": Engagement("query", ("click",), 1),
        "c": Engagement("pin", ("click",), 1),
        "d": Engagement("product", ("save",)),
    }
    wanted = {"pin": [("a", 2), ("c", 1)], "query": [("b", 1)]}
    assert catalog_pairs.shares(tasks) == wanted
    with pytest.raises(UserError, match="share"):
        catalog_pairs.shares({"d": tasks["d"]})


def test_parts_lie_together_group_by_group():
    laid = catalog_pairs.interleaved([np.arange(6), np.arange(100, 103)], 3)
    assert laid.tolist() == [0, 1, 100, 2, 3, 101, 4, 5, 102]
