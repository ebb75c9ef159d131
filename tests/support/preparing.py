"""Small logs of events, and what tests ask of a preparation."""

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
