"""Opening one part of a table, whatever kind of file it is."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from recjax.tables.blocks import Block, Opened, Unusable
from recjax.tables.csv_file import open_csv
from recjax.tables.json_file import open_json
from recjax.tables.lines import Lines, Raw
from recjax.tables.report import Findings
from recjax.tables.result import Options
from recjax.tables.source import Part, Source

ROWS = 131_072
"""Rows of a block of Parquet, or of a frame."""


def open_part(part: Part, encoding: str, findings: Findings) -> Opened:
    """Opens a part; problems of rows that cannot be taken apart go to `findings`.

    Args:
      part: the part.
      encoding: of text files.
      findings: where problems go.

    Raises:
      Unusable: the part cannot be read; reading its blocks raises it too.
      UserError: an unknown encoding.
    """
    if isinstance(part.at, pl.DataFrame):
        frame = part.at
        return Opened(frame.columns, "", lambda names: _of_frame(frame, names))
    try:
        if not part.at.stat().st_size:
            raise Unusable("empty file", "give it a header and rows")
        if part.suffix in (".parquet", ".pq"):
            header, path = pq.read_schema(part.at).names, part.at
            return _guarded(Opened(header, "", lambda names: _of_parquet(path, names)))
        raw = gzip.open(part.at) if part.suffix.endswith(".gz") else open(part.at, "rb")
    except _BROKEN as error:
        raise _unusable(error) from None
    try:
        lines = Lines(raw, encoding)
        if ".jsonl" in part.suffix:
            return _guarded(open_json(lines, part.name, findings), raw)
        separator = "\t" if ".tsv" in part.suffix else ","
        return _guarded(open_csv(lines, separator, part.name, findings), raw)
    except BaseException as error:
        raw.close()
        if isinstance(error, _BROKEN):
            raise _unusable(error) from None
        raise


def each_block(
    source: Source,
    options: Options,
    findings: Findings,
    choose: Callable[[Part, Opened], Sequence[str] | None],
) -> Iterator[tuple[int, Part, Block]]:
    """Yields the rows of all parts, with the index and the part of each block.

    Args:
      source: the table.
      options: of which the encoding and what is skipped count here.
      findings: where problems go.
      choose: returns which columns of a part to read; None skips the part.
    """
    total, fatal, header = 0, findings.fatal, None
    for index, part in enumerate(source.parts):
        try:
            opened = open_part(part, options.encoding, findings)
            names, rows = choose(part, opened), 0
            if names is None:
                continue
            header = opened.header if header is None else header
            if odd := (set(header) ^ set(opened.header)) - (options.skipped or set()):
                fix = "give all parts of a table the same columns"
                if options.skipped is not None:
                    fix += (
                        f", or leave out what is not needed: --column {min(odd)}=skip"
                    )
                value = ", ".join(sorted(map(repr, odd)))
                raise Unusable("columns that not all parts have", fix, value)
            for block in opened.blocks(list(dict.fromkeys(names))):
                rows += block.frame.height + block.lost
                yield index, part, block
            findings.read(part.name, rows)
            total += rows
        except Unusable as error:
            findings.of_file(part.name, *error.problem)
    if not total and findings.fatal == fatal:
        findings.of_file(source.label, "no rows", "give it rows below the header")


_BROKEN = (
    *(OSError, EOFError, zlib.error, UnicodeError),
    *(pa.ArrowException, pl.exceptions.PolarsError, pl.exceptions.PanicException),
)


def _guarded(opened: Opened, raw: Raw | None = None) -> Opened:
    """Returns the same, whose blocks raise nothing but `Unusable` and close `raw`."""

    def blocks(names: Sequence[str]) -> Iterator[Block]:
        try:
            yield from opened.blocks(names)
        except _BROKEN as error:
            raise _unusable(error) from None
        finally:
            close()

    close = opened.close if raw is None else raw.close
    return Opened(opened.header, opened.separator, blocks, close)


def _unusable(error: Exception) -> Unusable:
    if isinstance(error, gzip.BadGzipFile | EOFError | zlib.error):
        return Unusable("damaged gzip", "pack the file again", str(error))
    why = str(error).splitlines()[0] if str(error) else ""
    if isinstance(error, OSError) and error.strerror:
        return Unusable("cannot be read", "make it readable for you", error.strerror)
    fix = "write it again; it is damaged or no Parquet"
    return Unusable("unreadable Parquet", fix, why)


def _of_frame(frame: pl.DataFrame, names: Sequence[str]) -> Iterator[Block]:
    for start in range(0, frame.height, ROWS):
        rows = frame.select(names).slice(start, ROWS)
        yield Block(rows, range(start + 1, start + 1 + rows.height))


def _of_parquet(path: Path, names: Sequence[str]) -> Iterator[Block]:
    start = 1
    # Of a damaged file Polars's own reader ends the process, or never returns.
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=ROWS, columns=list(names)):
            batch.validate(full=True)
            frame = pl.from_arrow(batch.replace_schema_metadata(None))
            yield Block(frame.select(names), range(start, start + frame.height))
            start += frame.height
