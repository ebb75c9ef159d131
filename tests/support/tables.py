"""Reading a small table in a test."""

from recjax.tables.columns import Column
from recjax.tables.read import Options, read
from recjax.tables.report import Findings

NOW = 1_000_000_000
"""2001-09-09."""
EVENTS = (
    Column("user", "id"),
    Column("item", "id"),
    Column("timestamp", "timestamp"),
    Column("rating", "number", required=False),
)


def write(path, content):
    """Writes text or bytes, and returns the path."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def load(source, schema=EVENTS, rename=None, **options):
    """Returns what is read, or None, and the report."""
    findings = Findings()
    found = read(source, schema, Options(**{"now": NOW, **options}), findings, rename)
    return found, findings.report()


def only(report):
    """Returns (kind, row, column, value) of the one problem there is."""
    (problem,) = report.problems
    assert problem.fix
    assert list(report.counts.values()) == [1]
    return problem.kind, problem.row, problem.column, problem.value


def values(found, name):
    """Returns a column as a list of what stands for each row."""
    column = found.table[name]
    if column.type in ("ids", "categories"):
        rows = (column.values[i] for i in range(found.table.rows))
        return [[column.labels[code] for code in row] for row in rows]
    if column.labels is not None:
        return [column.labels[code] if code >= 0 else None for code in column.values]
    if column.type in ("vector", "bits"):
        return [column.values[i].tolist() for i in range(found.table.rows)]
    return list(column.values) if column.type == "text" else column.values.tolist()


def rows(found):
    """Returns the row numbers of a table."""
    return found.rows(range(found.table.rows))[1].tolist()
