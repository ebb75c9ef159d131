"""Reading a Parquet table of pins or products batch by batch: checking, then writing.

A table may be larger than memory: of each batch only ids and the rows that are good are
kept, and the file is read again when it is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from recjax.tables.old import entity_values
from recjax.tables.old.columns import resolve
from recjax.tables.old.convert import Unit, convert
from recjax.tables.old.entity_schema import (
    CODES,
    CREATED,
    DENSE,
    ENTITY,
    TEXT_FIELDS,
    with_published,
)
from recjax.tables.old.read import PARQUET, unreadable, usable
from recjax.tables.report import Findings
from recjax.text.column import encode_texts

BATCH = 4_096
"""Rows read at a time: with 20 images a product about 100 MB."""
CONVERTED = {"id": "id", CREATED: "time"}
"""Column -> kind, of those with one value a row."""
NEEDS = {"id": "text or integers", CREATED: "unix seconds or dates"}
Clock = tuple[Unit, float]
"""Unit of numeric times, and unix seconds now."""
NONE: Clock = ("s", 0.0)


@dataclass(frozen=True)
class Block:
    """Good rows of one batch.

    Attributes:
      ids: the ids.
      texts: field -> (u8 bytes, i32[n] bytes of each).
      dense: feature -> ([M, D] vectors, i32[n] vectors of each).
      created: i64[n], unix seconds, where the file was asked for them and says.
    """

    ids: pl.Series
    texts: Mapping[str, tuple[np.ndarray, np.ndarray]]
    dense: Mapping[str, tuple[np.ndarray, np.ndarray]]
    created: np.ndarray | None = None


@dataclass(frozen=True)
class EntityFile:
    """A checked table.

    Attributes:
      path: the file.
      names: recjax's column name -> the file's.
      widths: feature -> numbers, or bytes, of a vector.
      good: bool[rows]: which rows to use.
      ids: the ids of those rows.
      created: i64 seconds of those rows, or None.
    """

    path: Path
    names: Mapping[str, str]
    widths: Mapping[str, int]
    good: np.ndarray
    ids: pl.Series
    created: np.ndarray | None = None

    def blocks(self, rows: int = BATCH) -> Iterator[Block]:
        """Yields the good rows in order, from at most `rows` rows of the file each."""
        start, done, widths = 0, 0, dict(self.widths)
        for frame in _batches(self.path, self.names, rows):
            keep = self.good[start : start + frame.height]
            start += frame.height
            if keep.any():
                block = _block(frame.filter(keep), widths)
                rows_of = slice(done, done := done + len(block.ids))
                created = None if self.created is None else self.created[rows_of]
                yield replace(block, created=created)


def check_entities(
    path: Path,
    columns: Mapping[str, str],
    findings: Findings,
    clock: Clock | None = None,
) -> EntityFile | None:
    """Reads a table once; problems go to `findings`.

    Args:
      path: a Parquet file: `id`, and any of the fields and features of the schema.
      columns: recjax's name -> the file's, where they differ.
      findings: where problems go.
      clock: unit of numeric times, and unix seconds now; None leaves `created` unread.

    Returns:
      The checked table, or None if it cannot be used as a whole.
    """
    if not usable(path, PARQUET, findings):
        return None
    if not path.stat().st_size:
        findings.of_file(path.name, "empty file", "write it again")
        return None
    try:
        return _check(path, columns, findings, clock)
    except pa.ArrowException as error:
        fix = "write it again; it is damaged or no Parquet"
        why = str(error).splitlines()[0]
        findings.of_file(path.name, "unreadable Parquet", fix, why)
    except OSError as error:
        unreadable(path, error, findings)
    return None


def _check(
    path: Path,
    columns: Mapping[str, str],
    findings: Findings,
    clock: Clock | None,
) -> EntityFile | None:
    header = list(pq.read_schema(path).names)
    # A name for the other table's column need not stand in this one.
    own = {k: v for k, v in columns.items() if k == "id" or v in header}
    mapped = with_published(own, header)
    names = resolve(header, "", path.name, ENTITY, mapped, findings)
    if names is None:
        return None
    if clock is None:
        names.pop(CREATED, None)
    ids, good, created, widths, start = [], [], [], {}, 0
    for frame in _batches(path, names, BATCH):
        checked = _check_batch(
            frame, names, widths, path.name, start, findings, clock or NONE
        )
        if checked is None:
            return None
        ids.append(checked[0])
        good.append(checked[1])
        if CREATED in names:
            created.append(checked[2].fill_null(0).to_numpy())
        start += frame.height
    findings.read(path.name, start)
    if not start:
        findings.of_file(path.name, "no rows", "give it rows")
        return None
    ids, good = pl.concat(ids), np.concatenate(good)
    good &= ~_given_twice(ids, good, path.name, names["id"], findings)
    times = np.concatenate(created)[good] if created else None
    return EntityFile(path, names, widths, good, ids.filter(good), times)


def _batches(path: Path, names: Mapping[str, str], rows: int) -> Iterator[pl.DataFrame]:
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=rows, columns=list(names.values())):
            frame = pl.from_arrow(batch)
            yield frame.select(pl.col(there).alias(n) for n, there in names.items())


def _check_batch(
    frame: pl.DataFrame,
    names: Mapping[str, str],
    widths: dict[str, int],
    file: str,
    start: int,
    findings: Findings,
    clock: Clock,
) -> tuple[pl.Series, np.ndarray, pl.Series | None] | None:
    """Returns the ids, which rows are good, and `created`; learns new widths."""
    good = np.ones(frame.height, bool)

    def note(there: str, quote: bool):
        def tell(kind, fix, at, shown):
            good[at] = False
            rows = np.asarray(at) + start + 1
            findings.of_rows(file, there, kind, rows, shown, fix, quote=quote)

        return tell

    made, wrong = {}, {}
    for name in frame.columns:
        try:
            if name in CONVERTED:
                tell = note(names[name], quote=True)
                made[name] = _converted(frame[name], CONVERTED[name], clock, tell)
            elif name in TEXT_FIELDS:
                entity_values.words(frame[name])
            else:
                tell = note(names[name], quote=False)
                found = _vectors(frame[name], name, widths.get(name), tell)
                if len(found[0]):
                    widths.setdefault(name, found[0].shape[1])
        except entity_values.WrongType as error:
            wrong[name] = str(error)
    for name, dtype in wrong.items():
        needs = NEEDS.get(name, "text or lists of text")
        if name in DENSE:
            needs = "a list of numbers, or one of them an image (ue_v4: bytes),"
        fix = f"store {needs} in it"
        findings.of_file(file, f"column of type {dtype}", fix, repr(names[name]))
    return None if wrong else (made["id"], good, made.get(CREATED))


def _converted(
    values: pl.Series, kind: str, clock: Clock, note: entity_values.Note
) -> pl.Series:
    found = convert(values, kind, *clock)
    if found is None:
        raise entity_values.WrongType(str(values.dtype))
    for problem, fix, bad in found.problems:
        if bad.any():
            note(problem, fix, np.flatnonzero(bad.to_numpy()), values.filter(bad))
    return found.values


def _vectors(
    values: pl.Series, name: str, width: int | None, note: entity_values.Note
) -> tuple[np.ndarray, np.ndarray]:
    kind = "codes" if name in CODES else "vectors"
    return entity_values.vectors(values, kind, width, note)


def _block(frame: pl.DataFrame, widths: Mapping[str, int]) -> Block:
    def changed(kind, fix, at, shown):
        raise ValueError(f"the file changed while it was prepared ({kind})")

    texts = [name for name in frame.columns if name in TEXT_FIELDS]
    return Block(
        ids=convert(frame["id"], "id", "s", 0).values,
        texts={t: encode_texts(entity_values.words(frame[t])) for t in texts},
        dense={
            name: _vectors(frame[name], name, width, changed)
            for name, width in widths.items()
        },
    )


def _given_twice(
    ids: pl.Series, good: np.ndarray, file: str, column: str, findings: Findings
) -> np.ndarray:
    """Returns which of the good rows have an id that an earlier one has."""
    frame = pl.DataFrame({"id": ids, "row": np.arange(1, len(ids) + 1)}).filter(good)
    again = frame.filter(~pl.col("id").is_first_distinct())
    bad = np.zeros(len(ids), bool)
    if again.height:
        first = frame.unique("id", keep="first", maintain_order=True)
        lost = again.join(first, on="id", how="left", maintain_order="left")
        shown = [f"{i} (first in row {r})" for i, r in lost["id", "row_right"].rows()]
        fix = "keep one of the rows"
        rows = again["row"].to_numpy()
        kind = "id given twice"
        findings.of_rows(file, column, kind, rows, shown, fix, quote=False)
        bad[rows - 1] = True
    return bad
