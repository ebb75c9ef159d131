"""Random tables in every kind of file, damaged at random, beside an oracle.

Nothing may end in a traceback, each row is read or reported, and what is read is what
the csv and json modules, Decimal and datetime find in the file.
"""

import itertools
import random

import numpy as np
import pytest
import random_tables as tables
import table_oracle as oracle
from random_tables import NAMES

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
        wanted = oracle.expected(rows)
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
    path, rows = tables.written(rng, folder)
    check(path, rows, rng.choice([100, 700, *[1 << 22] * 6]))


@pytest.fixture(autouse=True)
def chunk():
    before = lines.CHUNK
    yield
    lines.CHUNK = before


def test_random_files(tmp_path, fuzz):
    for seed in range(fuzz):
        one(seed, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("length", range(1, 7))
def test_every_short_file_is_read_as_the_csv_module_reads_it(tmp_path, length, fuzz):
    if length == 6 and fuzz < 4**6:
        pytest.skip("4,096 files: for long fuzzing")
    schema = [Column(name, "category", filled=False) for name in "xy"]
    for letters in itertools.product('a",\n', repeat=length):
        content = f"x,y\n{''.join(letters)}\n".encode()
        path, findings = tmp_path / "t.csv", Findings()
        path.write_bytes(content)
        found = read(path, schema, Options(), findings)
        try:
            wanted = oracle.csv_rows(content, ",", "xy")
        except oracle.Fatal:
            wanted = {}
        good = {
            row: {name: oracle.label(v) for name, v in values.items()}
            for row, values in wanted.items()
            if values != oracle.BAD
        }
        if found is None:
            assert not wanted and findings.report().fatal, content
            continue
        x, y = found.table["x"], found.table["y"]
        rows = found.rows(np.arange(found.table.rows))[1].tolist()
        labels = zip(
            x.vocabulary.take(x.array), y.vocabulary.take(y.array), strict=True
        )
        read_as = {
            r: dict(zip("xy", v, strict=True))
            for r, v in zip(rows, labels, strict=True)
        }
        assert read_as == good, content
        assert findings.report().bad_rows == len(wanted) - len(good), content
