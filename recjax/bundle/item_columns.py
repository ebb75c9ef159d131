"""What is known of a bundle's items beside their vectors: `where` reads it.

columns.parquet   a row an item, in the order of the vectors: categories, numbers,
                  times, texts
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from recjax.data.prepared import as_texts
from recjax.errors import UserError
from recjax.index.filters import Filter, Kind, read_all
from recjax.index.item_vectors import Best
from recjax.tables.typed import MISSING_TIME, Ragged, Table, TypedColumn

if TYPE_CHECKING:  # Polars is for those who read or write it.
    import polars as pl

FILE = "columns.parquet"
KINDS = ("id", "text", "category", "categories", "number", "timestamp")


def save(folder: Path, table: Table | None) -> None:
    """Writes the columns of items; none where nothing is known of them."""
    if table is None:
        return
    import polars as pl

    kept = [c for c in table.columns.values() if c.type in KINDS]
    pl.DataFrame([_series(one) for one in kept]).write_parquet(folder / FILE)


def load(folder: Path) -> pl.DataFrame:
    """Reads what `save` wrote.

    Raises:
      UserError: nothing is known of the items of a bundle.
    """
    if not (folder / FILE).is_file():
        raise UserError(
            "the bundle knows no columns of its items, so conditions say nothing; "
            "prepare the data with a table of items, and export anew"
        )
    import polars as pl

    return pl.read_parquet(folder / FILE)


def fits(known: pl.DataFrame, where: str | Sequence[str]) -> np.ndarray:
    """Returns whether items fulfil all conditions, bool[N].

    Args:
      known: what `load` returns.
      where: as "price < 50", or several; see `Filter.read`. Of a column of several
        labels one must be equal, or none for "!=". A moment is in unix seconds. Texts
        have no order.

    Raises:
      UserError: one is no condition, or the bundle knows no such column.
    """
    import polars as pl

    kinds: dict[str, Kind] = {
        name: "text" if kind in (pl.String, pl.List) else "number"
        for name, kind in known.schema.items()
    }
    found = np.ones(len(known), bool)
    for one in read_all(where, kinds):
        found &= known.select(_fulfils(one, known.schema)).to_series().to_numpy()
    return found


def _fulfils(one: Filter, schema: pl.Schema) -> pl.Expr:
    """Returns the condition as Polars has it; a missing value fulfils none."""
    import polars as pl

    column, kind = pl.col(one.column), schema[one.column]
    if isinstance(kind, pl.List):
        has = column.list.eval(pl.element().is_in(list(one.values))).list.any()
        said = ~has & (column.list.len() > 0) if one.op == "!=" else has
    else:
        if kind == pl.Datetime:
            column = seconds(column)
        value = one.values[0]
        said = {
            "=": lambda: column == value,
            "!=": lambda: column != value,
            "<": lambda: column < value,
            "<=": lambda: column <= value,
            ">": lambda: column > value,
            ">=": lambda: column >= value,
            "in": lambda: column.is_in(list(one.values)),
        }[one.op]()
        if kind == pl.String:
            said &= column != ""
    return said.fill_null(False)


def seconds(moments: Any) -> Any:
    """Returns moments of Polars, a series or an expression, in unix seconds."""
    return moments.dt.epoch("ns") / 1e9


def kept(best: Best, fits: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the best `k` items that fit, and their scores [B, k].

    Where there are fewer, the rest is item -1 with score -inf. More are asked for until
    there are enough: twice as many as would do if conditions and scores had nothing to
    do with each other, then eight times as many.
    """
    size, count = len(fits), int(fits.sum())
    wanted = min(size, k + 2 * k * size // max(count, 1)) if count else min(size, k)
    while True:
        items, scores = best(wanted)
        there = fits[items] & (items >= 0)
        if wanted == size or (there.sum(1) >= min(k, count)).all():
            break
        wanted = min(size, 8 * wanted)
    places = np.argsort(~there, axis=1, kind="stable")[:, :k]
    items, scores, there = (
        np.take_along_axis(one, places, 1) for one in (items, scores, there)
    )
    return np.where(there, items, -1), np.where(there, scores, -np.inf)


def _series(column: TypedColumn) -> pl.Series:
    import polars as pl

    if column.type == "number":
        return pl.Series(column.name, column.array).fill_nan(None)
    if column.type == "timestamp":
        missing = column.array == MISSING_TIME
        times = pl.Series(column.name, np.where(missing, 0, column.array))
        return times.cast(pl.Datetime("ns")).set(pl.Series(missing), None)
    if isinstance(column.values, Ragged):
        labels = column.vocabulary
        lists = [labels.take(row) for row in column.ragged]
        return pl.Series(column.name, [list(map(str, one)) for one in lists])
    return pl.Series(column.name, list(map(str, as_texts(column))))
