"""Random and damaged tables of every kind through each command that reads a table.

Nothing may end in a traceback; rows in are rows out and rows reported; and what comes
out is what the csv and json modules, Decimal and datetime find in the file.
"""

import random
from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import random_tables as tables
import table_oracle as oracle

from recjax.bundle.session_columns import ServedColumns
from recjax.data.images.graded import RelevanceTable
from recjax.data.new_items import read_items
from recjax.data.sessions.rules import SessionRules
from recjax.errors import UserError
from recjax.evals.triplet_file import evaluate_triplets
from recjax.prepare.describe import described
from recjax.prepare.options import Files, How
from recjax.prepare.prepare import check
from recjax.serve.session import feed_file
from recjax.tables.columns import Column
from recjax.tables.result import Options
from recjax.users.shard import read_table

AS_EVENTS = ("user", "item", "title", "price", "timestamp")
AS_JUDGEMENTS = ("query", "candidate", "title", "grade", "timestamp")
AS_IMAGES = ("image", "brand", "split", "price", "note")
AS_PAIRS = ("image", "other_image", "note", "relevance", "time")
AS_TRIPLETS = ("query_image", "positive_image", "negative_image", "price", "time")
AS_ITEMS = ("id", "brand", "title", "price", "created")
SKIP = How(now=oracle.NOW, on_bad_row="skip")
TYPES = {"title": "text", "price": "number"}


def good_rows(rows, ids):
    """Returns the rows that are good by the oracle; None if some are not clear."""
    try:
        found = oracle.expected(rows, ids)
    except oracle.Fatal:
        return []
    if oracle.UNCLEAR in found.values():
        return None
    return [values for values in found.values() if values != oracle.BAD]


def labels(table, name):
    return table[name].vocabulary.take(table[name].array)


def odd(rows):
    """Returns whether something is wrong in a column that a reader may not read."""
    return rows is None or oracle.BAD in rows.values()


def whole(checked, rows, table):
    """Checks that each row of a file was read or reported; returns the table."""
    report = checked.report
    str(report)
    if checked.data is None:
        assert report.fatal
        return None
    found = checked.data.tables[table]
    assert sum(report.rows.values()) == found.rows + report.bad_rows
    # The oracle gives up where a column is lost that this reader can do without.
    assert rows is None or len(rows) == found.rows + report.bad_rows
    return found


def events(rng, folder):
    path, rows = tables.written(rng, folder, AS_EVENTS)
    columns = tuple(f"{name}={type}" for name, type in TYPES.items())
    how = How(column=columns, now=oracle.NOW, on_bad_row="skip")
    table = whole(check(Files(events=path), how), rows, "events")
    good = None if rows is None else good_rows(rows, ("user", "brand"))
    if table is None:
        assert not good
    elif good is not None:
        wanted = {}
        for user, item, title, price, time in good:
            wanted.setdefault((user, item, time), (title, price))
        texts, prices = [*table["title"].texts], map(repr, table["price"].array)
        keys = zip(
            labels(table, "user"),
            labels(table, "item"),
            table["timestamp"].array.tolist(),
            strict=True,
        )
        assert dict(zip(keys, zip(texts, prices, strict=True), strict=True)) == wanted
        when = table["timestamp"].array[1:] - table["timestamp"].array[:-1]
        user = np.diff(table["user"].array)
        assert (user >= 0).all() and (when[user == 0] >= 0).all()


def users(rng, folder):
    path, rows = tables.written(rng, folder, AS_EVENTS)
    table = read_table(path, Options(now=oracle.NOW))
    assert table.rows
    if odd(rows):
        return
    good = good_rows({row: v | {"price": ""} for row, v in rows.items()}, IDS)
    if good is not None:
        found = zip(
            labels(table, "user"),
            labels(table, "item"),
            table["timestamp"].array.tolist(),
            strict=True,
        )
        assert [*found] == [(user, item, time) for user, item, _, _, time in good]


IDS = ("user", "brand")


class Anything:
    """Knows every item."""

    def __contains__(self, item):
        return True


def feed(rng, folder):
    path, rows = tables.written(rng, folder, AS_EVENTS)
    fed = []
    states = SimpleNamespace(
        kept=SimpleNamespace(
            rules=SessionRules(gap=1_800),
            event=ServedColumns("event"),
            user=ServedColumns("user"),
        ),
        items=SimpleNamespace(rows=Anything()),
        last=lambda user: None,
        feed=lambda user, item, when, **_: fed.append((user, item, when)),
        described=lambda user: True,
    )
    told = feed_file(states, path, Options(now=oracle.NOW))
    times = [when.astype(np.int64) for _, _, when in fed]
    assert times == sorted(times) and told.events == len(fed)
    if odd(rows):
        return
    good = good_rows({row: v | {"price": ""} for row, v in rows.items()}, IDS)
    if good is not None:
        found = {(*who, int(when.astype(np.int64))) for *who, when in fed}
        assert found == {(user, item, time) for user, item, _, _, time in good}
        assert len(fed) == len(rows)


def items(rng, folder):
    path, rows = tables.written(rng, folder, AS_ITEMS)
    text = Column("title", "text", filled=False)
    table = read_items(path, "item", (text,), Options(now=oracle.NOW))
    ids = labels(table, "id")
    assert len(set(ids)) == len(ids) == table.rows
    if odd(rows):
        return
    assert ids == [oracle.label(row["user"]) for row in rows.values()]
    assert [*table["title"].texts] == [oracle.label(r["title"]) for r in rows.values()]


def entities(rng, folder):
    path, rows = tables.written(rng, folder, AS_ITEMS)
    table = whole(check(Files(items=path), SKIP), rows, "item")
    if table is not None and rows is not None:
        ids = {oracle.label(v["user"]) for v in rows.values() if v != oracle.BAD}
        assert {*table["id"].vocabulary} <= ids
        assert len({*table["id"].vocabulary}) == table.rows
    kept = check(Files(items=path), replace(SKIP, on_bad_row="empty"))
    assert (kept.data is None) == (table is None)
    if kept.data is not None:
        report, found = kept.report, kept.data.tables["item"].rows
        lost = sum(report.rows.values()) - found
        assert table.rows <= found and lost <= sum(report.needed.values())
        assert report.needed or not lost


def judgements(rng, folder):
    path, rows = tables.written(rng, folder, AS_JUDGEMENTS)
    checked = check(Files(judgements=path), SKIP)
    table = whole(checked, rows, "judgements")
    if table is not None and rows is not None:
        known = Counter(
            (oracle.label(v["user"]), oracle.label(v["brand"]))
            for v in rows.values()
            if v != oracle.BAD
        )
        pairs = zip(labels(table, "query"), candidates(checked.data), strict=True)
        assert not Counter(pairs) - known


def candidates(data):
    table = data.tables["judgements"]
    ids = data.tables["item"]["id"].vocabulary
    return ids.take(table["candidate"].array)


def images(rng, folder):
    path, rows = tables.written(rng, folder, AS_IMAGES)
    whole(check(Files(images=path), SKIP), rows, "image")


def pairs(rng, folder):
    path, _ = tables.written(rng, folder, AS_PAIRS)
    names = np.array([f"u{i}" for i in range(50)] + ["red", "blue", "dark red"])
    classes = np.zeros((len(names), 1), np.int32)
    has = {"names": names, "labels": classes, "levels": ("class",)}
    known = type("Known", (), {**has, "__len__": lambda _: len(names)})()
    RelevanceTable(str(path)).open(known, np.arange(len(names)), None)


def triplets(rng, folder):
    path, _ = tables.written(rng, folder, AS_TRIPLETS)
    evaluate_triplets({}, path, folder / "none")


def describe(rng, folder):
    path, _ = tables.written(rng, folder)
    assert described([path], Options(now=oracle.NOW))


READERS = (
    *(events, events, users, items, entities, judgements),
    *(images, pairs, triplets, describe, feed),
)


def some(seeds, folder):
    """Reads a table by each reader in turn; returns how often one gave rows."""
    read = Counter()
    for seed in seeds:
        reader, rng = READERS[seed % len(READERS)], random.Random(seed)
        try:
            reader(rng, folder)
            read[reader.__name__] += 1
        except UserError as error:
            assert str(error)
        except Exception as error:
            raise AssertionError(f"{reader.__name__}, seed {seed}") from error
    return read


def test_random_tables_by_all_readers(tmp_path, fuzz):
    read = some(range(fuzz), tmp_path)
    assert read["events"] and read["describe"]
    assert read["users"] + read["items"] + read["feed"]
