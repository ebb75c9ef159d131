"""Checking one column of a batch of entities: texts, vectors and codes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

import numpy as np
import polars as pl

Note = Callable[[str, str, np.ndarray, Iterable[str]], None]
"""Takes a kind of problem, its fix, the rows (positions) and what stands in each."""


class WrongType(Exception):
    """A column's type cannot hold what it should; the message is that type."""


def words(values: pl.Series) -> pl.Series:
    """Returns texts, "" where nothing is; a list becomes a text of a line an entry.

    Raises:
      WrongType: neither texts nor lists of texts.
    """
    if isinstance(values.dtype, pl.Categorical | pl.Enum) or values.dtype == pl.Null:
        values = values.cast(pl.String)
    if isinstance(values.dtype, pl.List) and values.dtype.inner == pl.Null:
        values = values.cast(pl.List(pl.String))
    if values.dtype == pl.List(pl.String):
        each = pl.element().str.replace_all(r"\s+", " ").str.strip_chars()
        lines = values.list.eval(each.filter(each.str.len_bytes() > 0))
        return lines.list.join("\n").fill_null("")
    if values.dtype.is_integer():
        values = values.cast(pl.String)
    if values.dtype != pl.String:
        raise WrongType(str(values.dtype))
    return values.str.strip_chars().fill_null("")


def vectors(
    values: pl.Series, kind: str, width: int | None, note: Note
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the vectors of a column: of an entity one, or one an image, or none.

    Args:
      values: a list (or array) of numbers, or a list of such; for "codes" also bytes
        or a list of bytes. Null and [] are no vector.
      kind: "vectors" (float32) or "codes" (uint8).
      width: numbers a vector; None: that of most.
      note: told of rows with bad vectors, which are then without any.

    Returns:
      [M, D] all vectors, and i32[n] how many each row has.

    Raises:
      WrongType: the column holds something else.
    """
    counts, rows, each = _images(values)
    lengths = _lengths(each)
    if width is None:
        of_most = Counter(lengths.tolist()).items()
        width = max(of_most, key=lambda found: found[::-1], default=(0, 0))[0]
    bad = np.zeros(len(values), bool)
    unit = "bytes" if kind == "codes" else "numbers"
    odd = np.flatnonzero(lengths != width)
    if odd.size:
        shown = [f"{n:,} {unit}" for n in lengths[odd]]
        fix = f"give it {width:,} {unit} as the others have, or none (null)"
        bad |= _tell(note, "wrong length", fix, rows[odd], shown, len(values))
    right = np.flatnonzero((lengths == width) & ~bad[rows])
    flat = _numbers(each[right], kind).reshape(-1, width)
    low, high = (0, 255) if kind == "codes" else (-3.4e38, 3.4e38)
    with np.errstate(invalid="ignore"):
        wrong = ~((flat >= low) & (flat <= high))
        if kind == "codes" and flat.dtype != np.uint8:
            wrong |= flat != np.floor(flat)
    if wrong.any():
        found = np.flatnonzero(wrong.any(axis=1))
        at = wrong[found].argmax(axis=1)
        numbers = flat[found, at]
        pairs = zip(numbers, at, strict=True)
        shown = [f"{number:g} at position {i + 1}" for number, i in pairs]
        needs = "whole numbers of 0 to 255" if kind == "codes" else "finite numbers"
        what = "not a byte" if kind == "codes" else "not a finite number"
        fix = f"give it {needs}, or no vector at all (null)"
        bad |= _tell(note, what, fix, rows[right[found]], shown, len(values))
    keep = ~bad[rows[right]]
    dtype = np.uint8 if kind == "codes" else np.float32
    return flat[keep].astype(dtype), np.where(bad, 0, counts).astype(np.int32)


def _images(values: pl.Series) -> tuple[np.ndarray, np.ndarray, pl.Series]:
    """Returns images a row, the row of each image, and the images."""
    values = _as_lists(values)
    nested = isinstance(values.dtype, pl.List) and (
        isinstance(values.dtype.inner, pl.List) or values.dtype.inner == pl.Binary
    )
    if not nested:
        if isinstance(values.dtype, pl.List):
            there = (values.list.len() > 0).fill_null(False)
        elif values.dtype == pl.Binary:
            there = (values.bin.size() > 0).fill_null(False)
        elif values.dtype == pl.Null:
            there = pl.repeat(False, len(values), eager=True)
        else:
            raise WrongType(str(values.dtype))
        there = there.to_numpy()
        return there.astype(np.int32), np.flatnonzero(there), values.filter(there)
    counts = values.list.len().fill_null(0).to_numpy().astype(np.int32)
    images = values.filter(counts > 0).explode()
    return counts, np.repeat(np.arange(len(values)), counts), images


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
    if isinstance(each.dtype, pl.List):
        lengths = each.list.len()
    elif each.dtype == pl.Binary:
        lengths = each.bin.size()
    else:
        return np.zeros(0, np.int64)
    return lengths.fill_null(0).to_numpy().astype(np.int64)


def _numbers(each: pl.Series, kind: str) -> np.ndarray:
    """Returns all numbers end to end as float64; a missing one is NaN."""
    if each.dtype == pl.Binary:
        if kind != "codes":
            raise WrongType("Binary")
        return np.frombuffer(b"".join(each), np.uint8)
    if each.dtype == pl.Null or not len(each):
        return np.zeros(0)
    if not (each.dtype.inner.is_numeric() or each.dtype.inner == pl.Null):
        raise WrongType(str(each.dtype))
    flat = each.explode()
    if flat.dtype == pl.UInt8 and not flat.null_count():
        return flat.to_numpy()
    wide = pl.Float32 if flat.dtype == pl.Float32 else pl.Float64
    return flat.cast(wide).fill_null(float("nan")).to_numpy()


def _tell(
    note: Note, kind: str, fix: str, rows: np.ndarray, shown: list[str], total: int
) -> np.ndarray:
    """Notes each row once, and returns which rows those are."""
    rows, first = np.unique(rows, return_index=True)
    note(kind, fix, rows, [shown[i] for i in first])
    bad = np.zeros(total, bool)
    bad[rows] = True
    return bad
