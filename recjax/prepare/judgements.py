"""Judged pairs of queries and candidates, of one kind or several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from recjax.errors import nearest
from recjax.prepare import make
from recjax.prepare.gather import Reading, places
from recjax.tables.check import given_twice
from recjax.tables.columns import Column
from recjax.tables.report import Findings
from recjax.tables.result import Read
from recjax.tables.typed import Table, TypedColumn, select

QUERY = "query"
SCHEMA = (
    Column(QUERY, "id"),
    Column("candidate", "id"),
    Column("candidate_type", "category", required=False),
    Column("grade", "number", required=False, least=0),
    Column("action", "category", required=False),
    Column("timestamp", "timestamp", required=False),
    Column("split", "category", required=False),
    Column("title", "text", required=False),
)
OWN = (QUERY, "candidate", "candidate_type", "title")
"""Columns that become others; the rest stay as they are."""


def read_judgements(
    reading: Reading, entities: Mapping[str, Table]
) -> dict[str, Table] | None:
    """Returns the tables of judgements, queries and candidates.

    A candidate is of the kind that its row's `candidate_type` names, or else of the one
    kind that has a table; if none has, its table is made of the ids, with `title`.

    Args:
      reading: the tables and options.
      entities: those that have a table of their own.

    Returns:
      None if the judgements cannot be used, and then the findings say why.
    """
    findings = reading.findings
    names = reading.header("judgements")
    either = replace(SCHEMA[3], required="action" not in names)
    found = reading.read("judgements", (*SCHEMA[:3], either, *SCHEMA[4:]))
    if found is None:
        return None
    kinds = sorted(set(entities) - {QUERY, "user"})
    table, good = found.table, np.ones(found.table.rows, bool)
    if "candidate_type" in table:
        kind, kinds, good = _kinds(found, kinds, findings)
    elif len(kinds) < 2:
        kinds = kinds or ["item"]
        kind = np.zeros(table.rows, np.int32)
    else:
        fix = f"add it, with values among {', '.join(kinds)}"
        findings.of_file("judgements", "missing column", fix, "'candidate_type'")
        return None
    queries, query = _queries(found, kind == len(kinds), entities, findings)
    good &= query >= 0
    tables, candidate = {QUERY: queries}, np.zeros(table.rows, np.int32)
    for number, name in enumerate([*kinds, QUERY]):
        own = good & (kind == number)
        if name != QUERY:
            tables[name] = entities.get(name) or _of_ids(found, own)
        at = places(
            found, "candidate", tables[name]["id"].vocabulary, name, findings, own
        )
        candidate[own] = at[own]
    good &= candidate >= 0
    if "title" in table:
        if set(kinds) & set(entities):
            findings.note("judgements", "leaves out title: candidates have a table")
        else:
            good &= ~_two_titles(found, findings)
    if "action" not in table:
        key = [name for name in OWN[:3] if name in table]
        good &= ~given_twice(found, key, "the same judgement twice", findings)
    labels = make.category("", [], [*kinds, QUERY]).labels
    columns = [
        make.refers(QUERY, query, queries),
        TypedColumn("candidate", "id", candidate),
        TypedColumn("candidate_type", "category", (kind + 1).astype(np.int32), labels),
        *(column for name, column in table.columns.items() if name not in OWN),
    ]
    return {**tables, "judgements": make.table(*columns).take(good)}


def _kinds(
    found: Read, kinds: Sequence[str], findings: Findings
) -> tuple[np.ndarray, list[str], np.ndarray]:
    """Returns the kind of each candidate, all kinds but query, and the good rows."""
    column = found.table["candidate_type"]
    names = [*column.vocabulary]
    known = list(kinds) or sorted({*names} - {"", QUERY})
    number = np.array([[*known, QUERY, name].index(name) for name in names])
    kind = number[column.array].astype(np.int32)
    lost = np.flatnonzero(kind > len(known))
    shown = [names[code] for code in column.array[lost]]
    told = [f'"{name}".{nearest(name, [*known, QUERY])}' for name in shown]
    fix = f"write one of {', '.join([*known, QUERY])}, or pass --entity NAME=FILE"
    what = "unknown type"
    found.tell(findings, "candidate_type", what, lost, told, fix, quote=False)
    return kind, known, kind <= len(known)


def _queries(
    found: Read, asked: np.ndarray, entities: Mapping[str, Table], findings: Findings
) -> tuple[Table, np.ndarray]:
    """Returns the table of queries, and the row in it of each judgement's own.

    Args:
      found: the judgements.
      asked: bool[P]: whether the candidate is a query too.
      entities: those that have a table of their own.
      findings: where problems go.
    """
    query, other = found.table[QUERY], found.table["candidate"]
    if QUERY in entities:
        known = entities[QUERY]
        return known, places(found, QUERY, known["id"].vocabulary, QUERY, findings)
    texts = make.series(select(query.vocabulary, query.array))
    wanted = make.series(select(other.vocabulary, other.array[asked]))
    ids = pl.concat([texts, wanted]).unique(maintain_order=True)
    return make.entity(ids), make.index_of(texts, ids)


def _of_ids(found: Read, own: np.ndarray) -> Table:
    """Returns a table of candidates without one: their ids, maybe with titles."""
    column = found.table["candidate"]
    codes, first = np.unique(column.array[own], return_index=True)
    order = np.argsort(first)
    ids = select(column.vocabulary, codes[order])
    if "title" not in found.table:
        return make.entity(ids)
    rows = np.flatnonzero(own)[first[order]]
    return make.entity(ids, found.table["title"].take(rows))


def _two_titles(found: Read, findings: Findings) -> np.ndarray:
    """Returns which rows have another title than their candidate's first, bool[P]."""
    column = found.table["candidate"]
    titles = make.series(found.table["title"].texts)
    frame = pl.DataFrame({"id": column.array}).with_row_index("at")
    first = frame.select(pl.col("at").first().over("id")).to_series().to_numpy()
    bad = (titles[first] != titles).to_numpy()
    lost = np.flatnonzero(bad)
    _, rows = found.rows(first[lost])
    names = column.vocabulary.take(column.array[lost])
    told = zip(names, titles[lost], titles[first[lost]], rows, strict=True)
    shown = [f'{id}: "{own}", but "{one}" in row {row}' for id, own, one, row in told]
    kind, fix = "a candidate with two titles", "give it one title, or another id"
    found.tell(findings, "title", kind, lost, shown, fix, quote=False)
    return bad
