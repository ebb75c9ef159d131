"""Reading a user's CSV or Parquet file into columns with the row of each record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from recjax.errors import nearest
from recjax.tables.old.columns import Column, Table, resolve
from recjax.tables.old.csv_file import SEPARATORS, read_csv
from recjax.tables.report import Findings

PARQUET = (".parquet", ".pq")


def read_table(
    path: Path,
    schema: Sequence[Column],
    columns: Mapping[str, str],
    encoding: str,
    findings: Findings,
) -> Table | None:
    """Reads the schema's columns; problems go to `findings`.

    CSV values stay text; records that cannot be taken apart are left out.
    Row numbers are lines as an editor shows them (header: 1); in Parquet, records
    from 1.

    Args:
      path: a .csv, .tsv (UTF-8 unless `encoding` says otherwise) or .parquet file.
      schema: the columns wanted.
      columns: recjax's name -> the file's, where they differ.
      encoding: Python's name of a CSV file's encoding.
      findings: where problems go.

    Returns:
      The table, or None if the file as a whole cannot be used.
    """
    if not usable(path, (*SEPARATORS, *PARQUET), findings):
        return None
    try:
        if path.suffix.lower() in PARQUET:
            return _read_parquet(path, schema, columns, findings)
        return read_csv(path, schema, columns, encoding, findings)
    except OSError as error:
        unreadable(path, error, findings)
    return None


def usable(path: Path, suffixes: Sequence[str], findings: Findings) -> bool:
    """Returns whether `path` is a file with one of the suffixes; else says why not."""
    file = path.name
    if path.is_dir():
        findings.of_file(file, "a folder, not a file", "name the file in it", str(path))
    elif not path.exists():
        fix = f"check the path{_near(path)}"
        findings.of_file(file, "no such file", fix, str(path))
    elif path.suffix.lower() not in suffixes:
        fix = f"save it as one of {', '.join(suffixes)}"
        findings.of_file(file, "unknown extension", fix, repr(path.suffix))
    else:
        return True
    return False


def unreadable(path: Path, error: OSError, findings: Findings) -> None:
    """Notes that a file cannot be read."""
    fix = "make the file readable for you"
    findings.of_file(path.name, "cannot be read", fix, error.strerror or str(error))


def _read_parquet(
    path: Path,
    schema: Sequence[Column],
    columns: Mapping[str, str],
    findings: Findings,
) -> Table | None:
    file = path.name
    if not path.stat().st_size:
        findings.of_file(file, "empty file", "write it again")
        return None
    try:
        header = list(pl.read_parquet_schema(path))
        names = resolve(header, "", file, schema, columns, findings)
        if names is None:
            return None
        frame = pl.read_parquet(path, columns=list(names.values()))
    except pl.exceptions.PolarsError as error:
        fix = "write it again; it is damaged or no Parquet"
        findings.of_file(file, "unreadable Parquet", fix, str(error).splitlines()[0])
        return None
    findings.read(file, frame.height)
    if not frame.height:
        findings.of_file(file, "no rows", "give it rows")
        return None
    frame = frame.select(pl.col(there).alias(name) for name, there in names.items())
    rows = pl.int_range(1, frame.height + 1, dtype=pl.Int64, eager=True).alias("row")
    return Table(file, names, frame.insert_column(0, rows))


def _near(path: Path) -> str:
    try:
        return "." + nearest(path.name, (p.name for p in path.parent.iterdir()))
    except OSError:
        return f": there is no folder {path.parent}"
