"""Random tables of events in every kind of file, most of them good."""

import csv
import datetime as dt
import gzip
import io
import json

import polars as pl
import table_oracle as oracle

NAMES = ("user", "brand", "title", "price", "time")
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


def written(rng, folder, names=NAMES):
    """Writes a random table of some kind, maybe damaged.

    Args:
      rng: random numbers.
      folder: where to.
      names: what `NAMES` are called in the file.

    Returns:
      The file, and {row: values by name, or BAD}; None if it cannot be read at all.
    """
    kind = rng.choice(["csv", "csv", "tsv", "csv.gz", "jsonl", "jsonl.gz", "parquet"])
    path, rows = folder / f"t.{kind}", table(rng)
    if kind == "parquet":
        return path, parquet(rng, path, rows, names)
    separator = "\t" if kind == "tsv" else ","
    lines = "json" in kind
    if lines:
        made = as_json(rng, rows, names)
    else:
        made = as_csv(rng, rows, separator, names)
    content = damaged(rng, made)
    if b"\0" in content[:65_536]:
        content = content.replace(b"\0", b"0")
    path.write_bytes(gzip.compress(content) if kind.endswith("gz") else content)
    if not content.strip():
        return path, None
    try:
        if lines:
            found = oracle.json_rows(content, names)
        else:
            found = oracle.csv_rows(content, separator, names)
    except oracle.Fatal:
        return path, None
    back = dict(zip(names, NAMES, strict=True))
    return path, {
        row: v if v == oracle.BAD else {back[name]: one for name, one in v.items()}
        for row, v in found.items()
    }


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


def as_csv(rng, rows, separator, names=NAMES):
    text = io.StringIO()
    writer = csv.writer(
        text,
        delimiter=separator,
        lineterminator=rng.choice(["\n", "\n", "\r\n"]),
        quoting=rng.choice([csv.QUOTE_MINIMAL, csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    )
    order = rng.sample(range(len(NAMES)), len(NAMES))
    writer.writerows([row[i] for i in order] for row in (names, *rows))
    content = text.getvalue()
    if rng.random() < 0.2:
        content = content.rstrip("\r\n") + rng.choice(["", "\n\n\n"])
    return (b"\xef\xbb\xbf" if rng.random() < 0.1 else b"") + content.encode()


def as_json(rng, rows, names=NAMES):
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

    made = [
        {n: value(known, t) for n, known, t in zip(names, NAMES, row, strict=True)}
        for row in rows
    ]
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


def parquet(rng, path, rows, names=NAMES):
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
    renamed = {own: frame[name] for own, name in zip(names, NAMES, strict=True)}
    pl.DataFrame(renamed).write_parquet(path)
    each = zip(*(columns[name] for name in NAMES), strict=True)
    return {i: dict(zip(NAMES, row, strict=True)) for i, row in enumerate(each, 1)}
