"""Events of many parts by partitions of their users, each of which is sorted alone.

Users are in the order of their codes, so that partitions of ranges of codes, end to
end, are the events of all users in order. This process holds ids, and a column of one
partition at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from recjax.prepare import make
from recjax.prepare.event_rows import Rules, cut, filtered, in_order, known_rows
from recjax.prepare.parts import Parted, Parts
from recjax.prepare.sessionize import met
from recjax.prepare.stored import mapped, store, store_texts, stored, stored_texts
from recjax.tables.report import Findings
from recjax.tables.result import Read
from recjax.tables.row_numbers import RowNumbers
from recjax.tables.typed import Table, TypedColumn
from recjax.text.column import Texts

SLICES = 16
"""Ranges of users that a partition of even users is of: the first ones have more."""
Task = tuple[int, int, int]
"""A partition's number, and its first slice and the one after its last."""


@dataclass(frozen=True)
class Job:
    """What a worker has to know.

    Attributes:
      found: the events; their rows lie in files.
      rules: what is asked of them.
      work: a folder that all workers see.
      labels: columns that have labels.
      users: how many users there are.
      slices: ranges of users.
    """

    found: Parted
    rules: Rules
    work: Path
    labels: tuple[str, ...]
    users: int
    slices: int

    def file(self, number: int, kind: str) -> Path:
        """Returns the place of a file."""
        return self.work / f"{number}.{kind}"


@dataclass(frozen=True)
class Told:
    """What is told of a partition.

    Attributes:
      findings: what was wrong.
      ordered: events before the filter.
      kept: events that are left.
      columns: names of their columns.
      users: codes of whom they are, i32[:].
      items: codes of what they are of, or was shown, i32[:].
      sessions: how many they are cut into.
    """

    findings: Findings
    ordered: int
    kept: int
    columns: tuple[str, ...]
    users: np.ndarray
    items: np.ndarray
    sessions: int


@dataclass(frozen=True)
class Sorted:
    """Events in order, in a file a partition.

    Attributes:
      job: the job that is done.
      told: what is told of each partition.
      findings: what was wrong in all of them.
    """

    job: Job
    told: tuple[Told, ...]
    findings: Findings

    def joined(
        self, labels: Mapping[str, Texts], users: Table | Texts, items: Table | Texts
    ) -> tuple[Table, Table, Table]:
        """Returns the events of all partitions, mapped, with their users and items.

        Args:
          labels: of columns.
          users: their table; or ids, of which those without events go.
          items: the same; those that were shown stay too.
        """
        own, user = met(users, *(told.users for told in self.told))
        others, item = met(items, *(told.items for told in self.told))
        codes = {"user": user, "item": item, "impressions": item}
        columns = []
        for index, name in enumerate(self.told[0].columns):
            each = self._pieces(index, name, codes.get(name))
            one = mapped(self.job.work / f"column {index}", each)
            held = None if name == "session" else labels.get(name)
            columns.append(replace(one, labels=held))
        for number in range(len(self.told)):
            self.job.file(number, "sorted").unlink()
        return make.table(*columns), own, others

    def _pieces(
        self, index: int, name: str, new: np.ndarray | None
    ) -> Iterator[TypedColumn]:
        sessions = 0
        for number, told in enumerate(self.told):
            (column,) = stored(self.job.file(number, "sorted"), str(index))
            if new is not None:
                column = make.recoded(column, new, None)
            if name == "session":
                column = replace(column, values=column.array + np.int32(sessions))
                sessions += told.sessions
            yield column


def sort(
    found: Parted, rules: Rules, labels: Mapping[str, Texts], parts: Parts
) -> Sorted:
    """Sorts events whose parts lie in files; those are gone then.

    Args:
      found: the events.
      rules: what is asked of them.
      labels: column -> what its codes shall stand for.
      parts: who does it.
    """
    for number, held in enumerate(labels.values()):
        store_texts(parts.work / f"{number}.labels", held)
    users = max(1, len(labels[rules.who]))
    slices = SLICES * max(1, -(-found.head.table.rows // parts.partition))
    job = Job(found, rules, parts.work, tuple(labels), users, slices)

    def run(step: Callable[..., None], tasks: list) -> None:
        list(parts.each(partial(step, job=job), tasks))

    numbers, findings = list(range(len(found.files))), Findings()
    run(_deal, numbers)
    found.delete()
    rows = np.zeros(slices, np.int64)
    for number in numbers:
        own, counts = stored(job.file(number, "dealt"), "found", "rows")
        findings.add(own)
        rows += counts
    tasks = _tasks(rows, parts.partition)
    if rules.filter.item_events > 1:
        run(_count, tasks)
        files = [job.file(number, "counted") for number, *_ in tasks]
        events = sum(stored(file, "events")[0] for file in files)
        store(job.work / "counted", {"events": events})
    run(_sort, tasks)
    for number in numbers:
        job.file(number, "dealt").unlink()
    told = [stored(job.file(n, "sorted"), "told")[0] for n, *_ in tasks]
    findings.add(Findings.of_the_same(one.findings for one in told))
    return Sorted(job, tuple(told), findings)


def _tasks(rows: np.ndarray, most: int) -> list[Task]:
    """Returns partitions of slices that have so many rows, of about `most` each."""
    number = np.maximum(np.cumsum(rows) - 1, 0) // most
    starts = np.flatnonzero(np.diff(number, prepend=-1))
    bounds = [*starts.tolist(), len(rows)]
    return [(n, bounds[n], bounds[n + 1]) for n in range(len(starts))]


def _deal(number: int, *, job: Job) -> None:
    """Writes the events of a part that have known ids, slice by slice of the users."""
    findings, labels = Findings(), _labels(job)
    one = known_rows(job.found.part(number), labels, job.rules, findings)
    columns = one.table.columns
    bare = {name: replace(column, labels=None) for name, column in columns.items()}
    table = Table(one.table.rows, bare)
    of = table[job.rules.who].array.astype(np.int64) * job.slices // job.users
    of = of.astype(np.min_scalar_type(job.slices))  # Small numbers sort by radix.
    order, counts = np.argsort(of, kind="stable"), np.bincount(of, minlength=job.slices)
    numbers, stops = one.rows(order)[1], np.cumsum(counts)
    slices = {
        str(i): (table.take(order[start:stop]), numbers[start:stop])
        for i, (start, stop) in enumerate(zip(stops - counts, stops, strict=True))
    }
    things = {"found": findings, "rows": counts, **slices}
    store(job.file(number, "dealt"), things)


def _count(task: Task, *, job: Job) -> None:
    """Writes how many events of each item are in a partition before the filter."""
    found = _partition(task, job)
    order = in_order(found, job.rules, Findings())
    items = len(found.table["item"].vocabulary)
    count = np.bincount(found.table["item"].array[order], minlength=items)
    store(job.file(task[0], "counted"), {"events": count})


def _sort(task: Task, *, job: Job) -> None:
    """Writes the events of a partition in order, and what is told of them."""
    found, findings = _partition(task, job), Findings()
    order = in_order(found, job.rules, findings)
    events = None
    if job.rules.filter.item_events > 1:
        (events,) = stored(job.work / "counted", "events")
    kept = filtered(found, order, job.rules, events)
    table = cut(found, kept, job.rules)
    codes = [table["item"].array]
    if "impressions" in table:
        codes.append(table["impressions"].ragged.values)
    session = table["session"].array if "session" in table else np.zeros(0)
    told = Told(
        findings=findings,
        ordered=len(order),
        kept=len(kept),
        columns=tuple(table.columns),
        users=_distinct(table["user"].array),
        items=_distinct(*codes),
        sessions=int(session[-1]) + 1 if len(session) else 0,
    )
    columns = {
        str(index): replace(column, labels=None)
        for index, column in enumerate(table.columns.values())
    }
    store(job.file(task[0], "sorted"), {"told": told, **columns})


def _partition(task: Task, job: Job) -> Read:
    """Returns the events of a partition in the order of the parts."""
    _, start, stop = task
    tables, places, labels = [], RowNumbers(), _labels(job)
    for part in range(len(job.found.files)):
        names = map(str, range(start, stop))
        for table, rows in stored(job.file(part, "dealt"), *names):
            tables.append(table)
            places.add(part, rows)
    columns = {}
    for name in tables[0].columns:
        column = make.joined([one[name] for one in tables])
        columns[name] = replace(column, labels=labels.get(name))
    table = Table(sum(one.rows for one in tables), columns)
    return replace(job.found.head, table=table, places=places)


def _distinct(*codes: np.ndarray) -> np.ndarray:
    """Returns all codes once; they are small, so that nothing need be sorted."""
    there = np.zeros(max(some.max(initial=-1) for some in codes) + 1, bool)
    for some in codes:
        there[some] = True
    return np.flatnonzero(there).astype(np.int32)


def _labels(job: Job) -> dict[str, Texts]:
    return {
        name: stored_texts(job.work / f"{number}.labels")
        for number, name in enumerate(job.labels)
    }
