"""A small shop to prepare, and an experiment on it."""

import numpy as np
import polars as pl
import small

from recjax.bundle.two_tower import Bundle
from recjax.data.columns import CategoryColumn, NumberColumn
from recjax.data.next_item import NextItem
from recjax.models import Table, TwoTower
from recjax.nn.inputs import EmbeddingBag
from recjax.nn.tower import Tower
from recjax.prepare.options import Files
from recjax.text.features import NGrams

HERE = '''"""A small experiment on prepared data."""

from shop import experiment

__all__ = ["experiment"]
'''
START = 1_600_000_000
USERS, ITEMS, EACH = 24, 40, 12


def experiment():
    """Returns an experiment on the data set "shop"."""
    export = Bundle(saved_model=False, min_recall=0.0, check_queries=8)
    data = NextItem(
        *("shop", 16, 24, 6, NGrams(64, 64, 64), 8, 8, 0.3),
        columns={"item": {"brand": CategoryColumn(), "price": NumberColumn(buckets=3)}},
    )
    text = EmbeddingBag("token", "importance")
    own = {name: EmbeddingBag(name) for name in ("brand", "price")}
    model = TwoTower(
        query=Tower({"history": EmbeddingBag("film"), "text": text}, small.WIDTH),
        candidate=Tower(
            {"item": EmbeddingBag("film"), "text": text, **own}, small.WIDTH
        ),
        tables={
            **{name: Table(small.WIDTH) for name in ("film", *own)},
            "token": Table(small.WIDTH),
            "importance": Table(1, from_weight=True),
        },
    )
    return small.experiment(data=data, model=model, steps=4, export=export)


def events(items=ITEMS):
    """Returns events in which item i is followed by item i + 1."""
    user, at = np.divmod(np.arange(USERS * EACH), EACH)
    item = (7 * user + at) % items
    when = START + 600 * at + user
    names = {"user": [f"u{u}" for u in user], "item": [f"i{i}" for i in item]}
    return pl.DataFrame(names | {"timestamp": when})


def items(order, word="thing"):
    """Returns the table of items in an order."""
    colors = ("red", "green", "blue", "grey")
    titles = [f"{colors[i % 4]} {word} {i}" for i in order]
    brands = [f"{word} {i % 3}" for i in order]
    columns = {"item": [f"i{i}" for i in order], "title": titles, "brand": brands}
    return pl.DataFrame(columns | {"price": [1.0 + i % 10 for i in order]})


ORDER = np.arange(ITEMS)
TITLES = ("items:title=text", "items:brand=category")
FILES = Files(events=events(), items=items(ORDER))
