"""Small logs of events, and what tests ask of a preparation."""

import pickle

import numpy as np

from recjax.data.prepared import digest_of
from recjax.prepare.options import Files, How
from recjax.prepare.prepare import prepare

HEAD = "user,item,timestamp\n"
START = 1_600_000_000


def log(*rows):
    """Returns lines of a CSV of (user, item, seconds after START)."""
    return "".join(f"{user},{item},{START + when}\n" for user, item, when in rows)


def own(events, out="mine", **how):
    """Prepares a file of events."""
    return prepare(Files(events=events), out, How(**how))


def found(checked):
    """Returns the problems of a check, each of which must have a fix."""
    assert all(p.fix for p in checked.report.problems)
    return [(p.file, p.kind, p.row, p.column, p.value) for p in checked.report.problems]


def tables(checked, *names):
    """Returns tables of a check that found no problem."""
    assert checked.report.ok, str(checked.report)
    return [checked.data.tables[name] for name in names]


def far(step, tasks):
    """Does a step as another process would, which is sent all that it needs."""
    for task in tasks:
        pickle.loads(pickle.dumps(step))(pickle.loads(pickle.dumps(task)))
        yield


def same(one, other):
    """Compares reports and, value by value, tables; returns how many events."""
    assert one.report == other.report and str(one.report) == str(other.report)
    assert (one.data is None) == (other.data is None)
    if one.data is None:
        return 0
    assert one.data.settings == other.data.settings
    assert digest_of(one.data.tables) == digest_of(other.data.tables)
    for name, table in one.data.tables.items():
        for column in table.columns.values():
            found = other.data.tables[name][column.name]
            assert (found.type, found.width) == (column.type, column.width)
            for part in ("", "values", "start", "data", "offsets"):
                mine = getattr(column.values, part, column.values)
                if isinstance(mine, np.ndarray):
                    theirs = getattr(found.values, part, found.values)
                    np.testing.assert_array_equal(mine, theirs)
                    assert mine.dtype == theirs.dtype
    return one.data.tables["events"].rows


def files_of(path):
    """Returns the arrays of a prepared data set."""
    return {
        file.relative_to(path): file.read_bytes()
        for file in path.rglob("*.npy")
        if file.is_file()
    }
