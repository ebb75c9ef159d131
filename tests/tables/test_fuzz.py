"""Random tables in every kind of file, damaged at random, beside an oracle.

Nothing may end in a traceback, each row is read or reported, and what is read is what
the csv and json modules, Decimal and datetime find in the file.
"""

import csv
import datetime as dt
import gzip
import io
import json
import random

import numpy as np
import polars as pl
import pytest
import table_oracle as oracle

from recjax.tables import lines
from recjax.tables.columns import Column
from recjax.tables.read import Options, read
from recjax.tables.report import Findings
from recjax.tables.typed import MISSING_TIME

SCHEMA = (
    Column("user", "id"),
    Column("brand", "category", filled=False),
    Column("title", "text", filled=False),
    Column("price", "number", filled=False),
    Column("time", "timestamp"),
)
NAMES = tuple(column.name for column in SCHEMA)
ODD = [
    "",
    " ",
    '"',
    "'",
    ",",
    "\t",
    "\n",
    "\r",
    "\r\n",
    ";",
    "|",
    "é",
    "日本",
    "\u2028",
]
ODD += ["\ufeff", "\xa0", "0", "-1", "1e5", "NaN", "inf", "null", "3,5", "\x00", "[1]"]
IDS = ["u1", " u1", "u1 ", "007", "7", "7.0", "é", "e\u0301", 'say "hi"', "a,b", "a\nb"]
CLOCKS = [
    "1700000000",
    "1700000000.25",
    " 1600000000 ",
    "2023-11-05T01:02:03.123456789Z",
]
CLOCKS += ["2020-02-30", "1999-12-31 23:59", "2001-02-03", "2001-02-03T04:05:06+02:00"]
CLOCKS += ["1.7e9", "20231105", "-5", "", "yesterday", "1700000000000", "9" * 20]
PRICES = ["1", "2.5", "-0.1", ".5", "5.", "+3", "1e-3", "1e39", "", "NaN", "x", "1_000"]


def cell(rng, common):
    odd = rng.random()
    if odd < 0.06:
        return rng.choice(ODD) + rng.choice(common)
    return rng.choice(ODD) if odd < 0.09 else rng.choice(common)


def table(rng):
    """Returns rows of texts, most of them good."""
    ids = [f"u{rng.randrange(50)}" for _ in range(20)] + (
        IDS if rng.random() < 0.3 else []
    )
    unit = rng.choice([1, 1, 10**3, 10**6, 10**9])
    clocks = [str(rng.randrange(650_000_000, 1_790_000_000) * unit) for _ in range(60)]
    if rng.random() < 0.4:
        clocks += CLOCKS
    prices = [f"{rng.uniform(-99, 99):.3f}" for _ in range(30)]
    if rng.random() < 0.4:
        prices += PRICES
    words = ["red", "blue", "dark red", "", " green "]
    common = {
        "user": ids,
        "brand": words,
        "title": words,
        "price": prices,
        "time": clocks,
    }
    rows = rng.choice([0, 1, 2, 5, 20, 60])
    clean = rng.random() < 0.4
    draw = (lambda rng, of: rng.choice(of)) if clean else cell
    return [[draw(rng, common[name]) for name in NAMES] for _ in range(rows)]


def as_csv(rng, rows, separator):
    text = io.StringIO()
    writer = csv.writer(
        text,
        delimiter=separator,
        lineterminator=rng.choice(["\n", "\n", "\r\n"]),
        quoting=rng.choice([csv.QUOTE_MINIMAL, csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    )
    writer.writerows([NAMES, *rows])
    content = text.getvalue()
    if rng.random() < 0.2:
        content = content.rstrip("\r\n") + rng.choice(["", "\n\n\n"])
    return (b"\xef\xbb\xbf" if rng.random() < 0.1 else b"") + content.encode()


def as_json(rng, rows):
    def value(name, text):
        odd = rng.random()
        if name in ("price", "time") and oracle.NUMBER.fullmatch(text):
            try:
                return json.loads(text)
            except ValueError:
                return text
        if not text and odd < 0.5 or odd < 0.02:
            return None
        return odd < 0.03 if odd < 0.04 else text

    made = [{n: value(n, t) for n, t in zip(NAMES, row, strict=True)} for row in rows]
    ascii_only = rng.random() < 0.5
    lines = [json.dumps(row, ensure_ascii=ascii_only) for row in made]
    return "".join(line + "\n" for line in lines).encode()


def damaged(rng, content):
    """Returns the bytes with some changed, in a third of cases."""
    content = bytearray(content)
    for _ in range(rng.choice([0, 0, 0, 0, 1, 1, 2, 5])):
        at = rng.randrange(len(content) + 1)
        what = rng.randrange(5)
        if what == 0:
            content[at : at + rng.randrange(1, 9)] = b""
        elif what == 1:
            content[at:at] = rng.choice(
                [b'"', b'"', b",", b"\n", b"\r", b"\t", b"\\", b"{"]
            )
        elif what == 2:
            content[at : at + 1] = bytes([rng.randrange(1, 256)])
        elif what == 3:
            content[at:at] = content[at : at + rng.randrange(40)]
        elif rng.random() < 0.2:
            del content[at:]
    return bytes(content)


def check(path, rows, monkey_chunk):
    """Compares what is read with {row: values by name, or BAD}, or None if fatal."""
    findings = Findings()
    lines.CHUNK = monkey_chunk
    found = read(path, SCHEMA, Options(now=oracle.NOW), findings)
    report = findings.report()
    str(report)
    if rows is None:
        assert found is None and report.fatal, report
        return
    try:
        wanted = expected(rows)
    except oracle.Fatal:
        assert found is None and report.fatal, report
        return
    if not rows:
        assert found is None and "no rows" in str(report)
        return
    assert found is not None, report
    kept = found.rows(np.arange(found.table.rows))[1].tolist()
    assert sum(report.rows.values()) == len(rows) == len(kept) + report.bad_rows
    must = [
        row
        for row, values in wanted.items()
        if values not in (oracle.BAD, oracle.UNCLEAR)
    ]
    may = {row for row, values in wanted.items() if values == oracle.UNCLEAR}
    assert [row for row in kept if row not in may] == must
    for row, values in zip(kept, texts(found.table), strict=True):
        if row not in may:
            assert values == wanted[row], row


def expected(rows):
    """Returns {row: (id, category, text, number, ns), BAD or UNCLEAR}."""
    good = {}
    for row, values in rows.items():
        if values != oracle.BAD:
            user, price = oracle.label(values["user"]), oracle.number(values["price"])
            time = oracle.time(values["time"])
            good[row] = user, price, time
    early = {
        row: time
        for row, (user, price, time) in good.items()
        if user and not isinstance(price, str) and time not in (None, oracle.BAD)
    }
    clocks = oracle.times(early)
    made = {}
    for row, values in rows.items():
        if clocks.get(row, oracle.BAD) in (oracle.BAD, oracle.UNCLEAR):
            made[row] = clocks.get(row, oracle.BAD)
        else:
            labels = (oracle.label(values[name]) for name in ("user", "brand", "title"))
            made[row] = (*labels, repr(good[row][1]), clocks[row])
    return made


def texts(table):
    """Yields the rows of a table as `expected` has them."""
    user, brand, title, price, time = (table[name] for name in NAMES)
    assert time.values.dtype == np.int64 and price.values.dtype == np.float32
    assert MISSING_TIME not in time.values
    for column in (user, brand):
        used = column.values[column.values >= (column is brand)]
        first = list(dict.fromkeys(used.tolist()))
        assert first == list(range(column is brand, len(column.labels)))
    for i in range(table.rows):
        labels = user.labels[user.values[i]], brand.labels[brand.values[i]]
        yield *labels, title.values[i], repr(price.values[i]), int(time.values[i])


def one(seed, folder):
    rng = random.Random(seed)
    kind = rng.choice(["csv", "csv", "tsv", "csv.gz", "jsonl", "jsonl.gz", "parquet"])
    path, rows = folder / f"t.{kind}", table(rng)
    chunk = rng.choice([100, 700, *[1 << 22] * 6])
    if kind == "parquet":
        check(path, parquet(rng, path, rows), chunk)
        return
    separator = "\t" if kind == "tsv" else ","
    made = as_json(rng, rows) if "json" in kind else as_csv(rng, rows, separator)
    content = damaged(rng, made)
    if b"\0" in content[:65_536]:
        content = content.replace(b"\0", b"0")
    path.write_bytes(gzip.compress(content) if kind.endswith("gz") else content)
    try:
        if "json" in kind:
            wanted = oracle.json_rows(content, NAMES)
        else:
            wanted = oracle.csv_rows(content, separator, NAMES)
    except oracle.Fatal:
        wanted = None
    if not content.strip():
        wanted = None
    check(path, wanted, chunk)


def parquet(rng, path, rows):
    """Writes rows with a column in another type each time; returns what is right."""
    columns = {name: [row[i] for row in rows] for i, name in enumerate(NAMES)}
    frame = {
        name: pl.Series(name, values, dtype=pl.String)
        for name, values in columns.items()
    }
    whole = [str(rng.randrange(2**40)) for _ in rows]
    if rng.random() < 0.5:
        dtype = rng.choice([pl.Int64, pl.UInt64, pl.Float64])
        frame["user"], columns["user"] = pl.Series(map(int, whole), dtype=dtype), whole
    if rng.random() < 0.5:
        frame["brand"] = frame["brand"].cast(pl.Categorical)
    if rng.random() < 0.5:
        real = [rng.choice([None, rng.uniform(-1e6, 1e6)]) for _ in rows]
        frame["price"] = pl.Series(real, dtype=pl.Float64)
        columns["price"] = [None if x is None else repr(x) for x in real]
    seconds = [rng.randrange(650_000_000, 1_790_000_000) for _ in rows]
    kind = rng.randrange(4)
    if kind == 1:
        frame["time"], columns["time"] = (
            pl.Series(seconds, dtype=pl.Int64),
            map(str, seconds),
        )
    elif kind == 2:
        unit = rng.choice(["ms", "us", "ns"])
        moments = pl.Series([s * 1000 + 7 for s in seconds], dtype=pl.Int64)
        frame["time"] = moments.cast(
            pl.Datetime("ms", rng.choice([None, "Asia/Tokyo"]))
        )
        frame["time"] = frame["time"].dt.cast_time_unit(unit)
        columns["time"] = [
            dt.datetime.fromtimestamp(s, dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.007")
            for s in seconds
        ]
    elif kind == 3:
        real = [s + rng.random() for s in seconds]
        frame["time"] = pl.Series(real, dtype=pl.Float64)
        columns["time"] = [f"{oracle.Decimal(x):.9f}" for x in real]
    pl.DataFrame({name: frame[name] for name in NAMES}).write_parquet(path)
    each = zip(*(columns[name] for name in NAMES), strict=True)
    return {i: dict(zip(NAMES, row, strict=True)) for i, row in enumerate(each, 1)}


@pytest.fixture(autouse=True)
def chunk():
    before = lines.CHUNK
    yield
    lines.CHUNK = before


def test_some_files(tmp_path):
    for seed in range(300):
        one(seed, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("block", range(6))
def test_many_files(tmp_path, block):
    for seed in range(1_000 * (block + 1), 1_000 * (block + 2)):
        one(seed, tmp_path)
