"""What data a run is of: written at its start, compared whenever it is opened.

data.json  the prepared data's identity; of each table how many rows it has, and a
           digest of what they stand for, where they are no rows of the data; of each
           feature one of what was learned of the training rows
names/     what rows stand for, for a run that starts from this one
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from recjax import disk
from recjax.data.identity import Identity, refuse_other
from recjax.errors import UserError
from recjax.launch import hosts
from recjax.train.checkpoint import newest_step
from recjax.train.program import Program

NAME, NAMES = "data.json", "names"
AGAIN = "train again with another --workdir"


@dataclass(frozen=True)
class Rows:
    """What the rows of a table are.

    Attributes:
      count: how many there are, row 0 included.
      names: digests of what they stand for; None where they are rows of the data.
    """

    count: int
    names: tuple[str | None, ...]


@dataclass(frozen=True)
class DataRecord:
    """What data a run is of.

    Attributes:
      data: its identity; None where it was not prepared by recjax.
      rows: table -> what its rows are.
      fitted: "side/feature" -> digest of what was learned of the training rows.
    """

    data: Identity | None
    rows: dict[str, Rows]
    fitted: dict[str, str]

    @classmethod
    def of(cls, program: Program) -> DataRecord:
        """Returns what an opened experiment reads now."""
        digests = {give: digest(give()) for give in _all_names(program)}
        rows = {
            name: Rows(spec.rows, tuple(_each(digests, spec.names)))
            for name, spec in program.specs.items()
        }
        fitted = {
            f"{side}/{name}": digest([feature.fitted])
            for side, features in program.dataset.sides.items()
            for name, feature in features.items()
            if getattr(feature, "fitted", "")
        }
        return cls(program.data, rows, fitted)

    @classmethod
    def read(cls, run: Path) -> DataRecord:
        """Returns what was written of a run.

        Raises:
          UserError: nothing was, or it is damaged.
        """
        path = run / NAME
        if not path.exists():
            raise UserError(f"{run} does not say of which data it is: {AGAIN}")
        told = disk.read_json(path, AGAIN, rows=dict, fitted=dict)
        try:
            data = None if told["data"] is None else Identity.read(told["data"])
            rows = {n: Rows(one[0], tuple(one[1])) for n, one in told["rows"].items()}
        except (TypeError, LookupError) as error:
            raise UserError(f"{path} is damaged: {error!r}; {AGAIN}") from error
        return cls(data, rows, told["fitted"])

    def write(self, run: Path, program: Program) -> None:
        """Writes it to a run folder, the names first."""
        with disk.writing("the run folder", run, disk.GO_ON):
            (run / NAMES).mkdir(exist_ok=True)
            for give in _all_names(program):
                names = list(give())
                disk.write_text(
                    run / NAMES / f"{digest(names)}.json", json.dumps(names)
                )
            rows = {n: [one.count, list(one.names)] for n, one in self.rows.items()}
            data = None if self.data is None else self.data.told
            told = {"data": data, "rows": rows, "fitted": self.fitted}
            disk.write_text(run / NAME, json.dumps(told, indent=1) + "\n")


def check(run: Path, program: Program) -> None:
    """Compares the data that a run was trained on with what it would read now.

    Raises:
      UserError: it is other data, or a text means other rows of a table; says which
        command made each.
    """
    made, now = DataRecord.read(run), DataRecord.of(program)
    if made.data is not None and now.data is not None:
        refuse_other(str(run), made.data, now.data, str(run))
    changed = [n for n, one in now.fitted.items() if made.fitted.get(n, one) != one]
    if changed:
        raise UserError(
            f"{run}: the training rows that the features {', '.join(changed)} were "
            f"fitted to have changed: {now.data or 'the data'} has other values or "
            f"events since; {AGAIN}"
        )
    for name, rows in now.rows.items():
        before = made.rows.get(name)
        if before is not None and before.names != rows.names:
            raise UserError(
                f"{run}: the texts that table {name!r} is learned for are others now: "
                f"{now.data or 'the data'} has other texts or events since; {AGAIN}"
            )


def checked_or_written(run: Path, program: Program) -> None:
    """Checks a run that goes on, and writes the record of one that begins.

    Raises:
      UserError: by all processes, where one finds other data.
    """
    record, error = DataRecord.of(program), ""
    # Where it lies may differ from host to host.
    data = record.data and (record.data.digest, record.data.made_as)
    told = f"{program.dataset.facts()} {data} {record.rows} {record.fitted}"
    hosts.agree("data", told, "prepare the same data on all of them")
    try:
        if newest_step(run / "checkpoints") >= 0:
            check(run, program)
        elif hosts.first():
            record.write(run, program)
    except UserError as found:
        error = str(found)
    hosts.all_or_error("data", error)


def read_names(run: Path, digest: str) -> list[str]:
    """Returns the names that a run wrote.

    Raises:
      UserError: the file is missing or damaged.
    """
    path = run / NAMES / f"{digest}.json"
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read ({error})") from error


def digest(names: Sequence[str]) -> str:
    """Returns what tells lists of names apart."""
    return hashlib.sha256(json.dumps(list(names)).encode()).hexdigest()[:32]


def _all_names(program: Program):
    given = [one for spec in program.specs.values() for one in spec.names]
    return [one for one in dict.fromkeys(given) if one is not None]


def _each(digests, names):
    return dict.fromkeys(None if one is None else digests[one] for one in names)
