"""What is known of a bundle's items beside their vectors: `where` reads it.

columns.parquet   a row an item, in the order of the vectors: categories, numbers,
                  times, texts
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from recjax.data.prepared import as_texts
from recjax.errors import UserError
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


def rows(folder: Path, where: str) -> np.ndarray:
    """Returns the rows of the items that fulfil a condition, i64[n].

    Args:
      folder: of the bundle.
      where: of SQL, as "price < 50 AND colour = 'red'".

    Raises:
      UserError: it is no condition, or the bundle knows no such column.
    """
    import polars as pl

    if not isinstance(where, str):
        raise UserError(f'where={where!r}: expected a text, as where="price < 50"')
    if not (folder / FILE).is_file():
        raise UserError(
            f"{folder} knows no columns of its items, so where={where!r} says nothing; "
            "prepare the data with a table of items, and export anew"
        )
    known = pl.read_parquet(folder / FILE)
    try:
        told = known.select(pl.sql_expr(where).cast(pl.Boolean).alias("fits"))["fits"]
    except pl.exceptions.PolarsError as error:
        reason = str(error).splitlines()[0]
        columns = ", ".join(known.columns)
        raise UserError(
            f"where={where!r}: {reason}. Items have {columns}; write it as in "
            "\"price < 50 AND colour = 'red'\""
        ) from error
    return np.flatnonzero(told.fill_null(False).to_numpy())


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
