"""A prepared catalogue, its columns memory-mapped."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from recjax.data.catalog.entities import Catalog, Entities, Pairs, Vectors
from recjax.data.given_split import given_split
from recjax.data.prepared import Prepared, as_texts, seconds
from recjax.data.search_pairs import query_texts
from recjax.tables.typed import Ragged, Table

CREATED = "created"
"""Column of when an entity came to be: before, it could not be shown to anybody."""
TEXTS = ("text", "category", "categories")


def load_catalog(name: str | Path) -> Catalog:
    """Opens the judgements of a prepared data set that name actions, and its entities.

    Raises:
      UserError: it is not prepared, damaged, or has no such judgements.
    """
    known = Prepared.open(name)
    needs = ("query", "candidate", "candidate_type", "action")
    judged = known.table("judgements", *needs)
    kinds = tuple(judged["candidate_type"].vocabulary)[1:]
    when = np.zeros(judged.rows, np.int64)
    if "timestamp" in judged:
        when = seconds(judged["timestamp"])
    return Catalog(
        queries=query_texts(known.table("query")),
        actions=tuple(judged["action"].vocabulary)[1:],
        kinds=kinds,
        pairs=Pairs(
            query=judged["query"].array,
            candidate=judged["candidate"].array,
            candidate_type=judged["candidate_type"].array - 1,
            action=judged["action"].array - 1,
            timestamp=when,
            split=given_split(judged, "judgements"),
        ),
        entities={k: entities_of(known.table(k)) for k in kinds if k != "query"},
        tables={name: known.table(name) for name in {*kinds, "query"}},
    )


def entities_of(table: Table) -> Entities:
    """Returns a table's ids, columns that are texts, and vectors."""
    columns = [c for name, c in table.columns.items() if name != "id"]
    created = table.columns.get(CREATED)
    return Entities(
        ids=table["id"].vocabulary,
        texts={c.name: as_texts(c) for c in columns if c.type in TEXTS},
        dense={
            c.name: Vectors(c.values.values, c.values.start)
            for c in columns
            if isinstance(c.values, Ragged) and c.labels is None
        },
        created=None if created is None else seconds(created),
    )
