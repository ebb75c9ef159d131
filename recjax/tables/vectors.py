"""Columns of vectors: none, one or several a row, of numbers or of bytes."""

from __future__ import annotations

import numpy as np
import polars as pl

from recjax.tables.convert import LARGEST, Problem, WrongType, plain
from recjax.tables.typed import Ragged
from recjax.text.column import offsets_of


def to_vectors(
    values: pl.Series, width: int | None, *, filled: bool, bits: bool
) -> tuple[Ragged, int | None, list[Problem]]:
    """Returns the vectors of each row, and their width.

    Args:
      values: a list (or array) of numbers, or a list of such, or a text of numbers
        between brackets or spaces; for bits also bytes, or a list of bytes.
      width: numbers, or bytes, of a vector; None: as most have.
      filled: whether a row without a vector is a problem.
      bits: whether vectors hold bytes.

    Returns:
      f32 or u8 [M, width], of the rows without a problem; the width, None where there
      is no vector yet; the problems.

    Raises:
      WrongType: the column holds something else.
    """
    counts, rows, each = _apart(values, bits)
    lengths = _lengths(each)
    total, found = len(values), []
    if filled:
        fix = "give it a vector, or delete the row"
        found.append(Problem("missing value", fix, counts == 0))
    if width is None and len(lengths):
        sizes, times = np.unique(lengths, return_counts=True)
        width = int(sizes[len(sizes) - 1 - times[::-1].argmax()])
    unit = "bytes" if bits else "numbers"
    odd = lengths != width
    shown = [f"{n:,} {unit}" for n in lengths[odd]]
    fix = f"give it {width or 0:,} {unit} as the others have, or none (null)"
    found.append(_problem("wrong length", fix, rows[odd], shown, total))
    right = ~odd & ~found[-1].bad[rows]
    flat = _numbers(each.filter(pl.Series(right)), bits).reshape(-1, width or 1)
    low, high = (0, 255) if bits else (-LARGEST, LARGEST)
    with np.errstate(invalid="ignore"):
        wrong = ~((flat >= low) & (flat <= high))
        if bits and flat.dtype != np.uint8:
            wrong |= flat != np.floor(flat)
        at = wrong.any(axis=1)
        first = wrong[at].argmax(axis=1)
        shown = [
            f"{number:g} at position {i + 1}"
            for number, i in zip(flat[at, first], first, strict=True)
        ]
        needs = "whole numbers of 0 to 255" if bits else "finite numbers"
        kind = "not a byte" if bits else "not a finite number"
        fix = f"give it {needs}, or no vector at all (null)"
        found.append(_problem(kind, fix, rows[right][at], shown, total))
        flat = flat.astype(np.uint8 if bits else np.float32)
    found = [problem for problem in found if problem.bad.any()]
    return Ragged(offsets_of(counts), flat), width, found


def _apart(values: pl.Series, bits: bool) -> tuple[np.ndarray, np.ndarray, pl.Series]:
    """Returns vectors a row, the row of each vector, and the vectors."""
    if values.dtype != pl.Binary:
        values = plain(values)
    values = _of_texts(values) if values.dtype == pl.String else _as_lists(values)
    dtype = values.dtype
    inner = dtype.inner if isinstance(dtype, pl.List) else None
    if isinstance(inner, pl.List) or inner == pl.Binary:
        counts = values.list.len().fill_null(0).to_numpy().astype(np.int64)
        each = values.filter(pl.Series(counts > 0)).explode()
        rows = np.repeat(np.arange(len(values)), counts)
    else:
        if inner is not None:
            there = values.list.len() > 0
        elif dtype == pl.Binary and bits:
            there = values.bin.size() > 0
        else:
            raise WrongType(dtype, _needs(bits))
        there = there.fill_null(False)
        counts = there.to_numpy().astype(np.int64)
        rows, each = np.flatnonzero(counts), values.filter(there)
    kind = each.dtype.inner if isinstance(each.dtype, pl.List) else each.dtype
    number = kind.is_numeric() or kind in (pl.Null, pl.String)
    if not number and not (kind == pl.Binary and bits):
        raise WrongType(dtype, _needs(bits))
    return counts, rows, each


def _needs(bits: bool) -> str:
    return "a list of numbers" + (", or bytes" if bits else "") + ", or a list of such"


def _of_texts(values: pl.Series) -> pl.Series:
    """Returns lists of lists of texts of what stands between brackets, or alone."""
    # "0,5 1,5" could be four numbers or two: it becomes no number.
    unclear = r"^.*(\d,\d.*\d\s+[-+.\d]|\d\s+[-+.\d].*\d,\d).*$"
    parts = values.str.replace(unclear, "?").str.split("]")
    each = pl.element().str.strip_chars("[], \t\r\n")
    split = pl.element().str.replace_all(r"\s*,\s*|\s+", " ").str.split(" ")
    return parts.list.eval(each.filter(each != "")).list.eval(split)


def _as_lists(values: pl.Series) -> pl.Series:
    """Returns fixed-size arrays, at either depth, as lists."""
    dtype = values.dtype
    if isinstance(dtype, pl.Array):
        inner, sizes = dtype.inner, dtype.shape
        while isinstance(inner, pl.Array):
            inner = inner.inner
        for _ in sizes:
            inner = pl.List(inner)
        return values.cast(inner)
    if isinstance(dtype, pl.List) and isinstance(dtype.inner, pl.Array):
        return values.cast(pl.List(pl.List(dtype.inner.inner)))
    return values


def _lengths(each: pl.Series) -> np.ndarray:
    sizes = each.bin.size() if each.dtype == pl.Binary else each.list.len()
    return sizes.fill_null(0).to_numpy().astype(np.int64)


def _numbers(each: pl.Series, bits: bool) -> np.ndarray:
    """Returns all numbers end to end; a missing one is NaN."""
    if each.dtype == pl.Binary:
        return np.frombuffer(b"".join(each), np.uint8)
    flat = each.explode() if len(each) else pl.Series([], dtype=pl.Float64)
    if flat.dtype == pl.UInt8 and not flat.null_count():
        return flat.to_numpy()
    wide = pl.Float32 if flat.dtype == pl.Float32 else pl.Float64
    return flat.cast(wide, strict=False).fill_null(float("nan")).to_numpy()


def _problem(
    kind: str, fix: str, rows: np.ndarray, shown: list[str], total: int
) -> Problem:
    """Returns a problem of rows, which may come more than once, in order."""
    rows, first = np.unique(rows, return_index=True)
    bad = np.zeros(total, bool)
    bad[rows] = True
    return Problem(kind, fix, bad, [shown[i] for i in first])
