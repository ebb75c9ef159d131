"""Columns of the tables that users bring."""

from recjax.tables.old.columns import Column

EVENTS = (
    Column("user", "id"),
    Column("item", "id", shared=True),
    Column("timestamp", "time"),
    Column("rating", "number", required=False),
)
ITEMS = (
    Column("item", "id", shared=True),
    Column("title", "text"),
    Column("tags", "note", required=False),
)
PAIRS = (
    Column("query", "text"),
    Column("product", "id", shared=True),
    Column("relevance", "gain"),
)
PRODUCTS = (Column("product", "id", shared=True), Column("title", "text"))
TITLED_PAIRS = (*PAIRS, Column("title", "text"))
