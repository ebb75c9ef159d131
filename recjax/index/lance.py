"""LanceDB: a collection is a table in a folder, or in an object store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from recjax.errors import UserError
from recjax.extras import require
from recjax.index.engine import EXACT_BELOW, Columns, Layout, partitions
from recjax.index.filters import Filter


@dataclass(frozen=True)
class Lance:
    """A table.

    Attributes:
      base: the database.
      layout: of the table.
    """

    base: Any
    layout: Layout

    @classmethod
    def open(cls, place: str, layout: Layout) -> Lance:
        """Connects; see `open_engine`."""
        require("lancedb", "engines", "lancedb:PATH")
        import lancedb

        try:
            return cls(lancedb.connect(place), layout)
        except (OSError, ValueError, RuntimeError) as error:
            raise UserError(f"lancedb:{place}: cannot be opened: {error}") from error

    @property
    def table(self) -> Any:
        """The table, as it is now."""
        return self.base.open_table(self.layout.name)

    def exists(self) -> bool:
        """Returns whether the table is there."""
        try:
            self.base.open_table(self.layout.name)
        except (ValueError, OSError, RuntimeError) as error:
            if "not found" in str(error):
                return False
            raise UserError(f"lancedb: {error}") from error
        return True

    def create(self, size: int) -> None:
        """Makes the table."""
        self.base.create_table(self.layout.name, schema=self._schema())

    def _schema(self) -> Any:
        import pyarrow as pa

        types = {"number": pa.float64(), "text": pa.string()}
        vector = pa.list_(pa.float32(), self.layout.width)
        own = [(name, types[kind]) for name, kind in self.layout.columns.items()]
        fields = [("row", pa.int64()), ("id", pa.string()), ("vector", vector), *own]
        return pa.schema(fields)

    def count(self) -> int:
        """Returns how many rows are there; a batch is there whole or not at all."""
        return self.table.count_rows()

    def write(self, rows: np.ndarray, vectors: np.ndarray, columns: Columns) -> None:
        """Appends rows; those that are there already stay."""
        import pyarrow as pa

        table, schema = self.table, self._schema()
        kept = slice(min(max(table.count_rows() - int(rows[0]), 0), len(rows)), None)
        if not len(rows[kept]):
            return
        flat = pa.array(np.ascontiguousarray(vectors[kept], np.float32).ravel())
        made = {
            "row": rows[kept],
            "vector": pa.FixedSizeListArray.from_arrays(flat, self.layout.width),
            **{name: list(values)[kept] for name, values in columns.items()},
        }
        table.add(pa.table(made, schema=schema))

    def finish(self, size: int) -> None:
        """Makes partitions of a large table."""
        if size >= EXACT_BELOW:
            how = {"num_partitions": partitions(size), "index_type": "IVF_FLAT"}
            self.table.create_index(metric="dot", vector_column_name="vector", **how)

    def read(self, rows: Sequence[int]) -> dict[int, tuple[str, np.ndarray]]:
        """Returns place -> id and vector of some rows."""
        listed = ", ".join(str(int(row)) for row in rows)
        found = self.table.search().where(f"row IN ({listed})").limit(len(rows) + 1)
        table = found.select(["row", "id", "vector"]).to_arrow()
        vectors = np.stack(table["vector"].to_pylist() or [np.zeros(0)])
        places, ids = table["row"].to_pylist(), table["id"].to_pylist()
        if len(set(places)) != len(places):
            raise UserError(f"{self.layout.name}: a row stands there twice")
        return dict(zip(places, zip(ids, vectors, strict=False), strict=False))

    def search(
        self, query: np.ndarray, k: int, where: Sequence[Filter], effort: int
    ) -> tuple[list[int], list[float]]:
        """Returns the nearest rows; see `Engine`."""
        asked = self.table.search(query).distance_type("dot").nprobes(effort)
        if where:
            # More partitions where those hold too few that meet the conditions.
            asked = asked.maximum_nprobes(0)
            condition = " AND ".join(one.sql() for one in where)
            asked = asked.where(condition, prefilter=True)
        found = asked.limit(k).select(["row", "_distance"]).to_arrow()
        # Its distance is 1 - the dot product.
        scores = 1 - np.asarray(found["_distance"], np.float32)
        return found["row"].to_pylist(), scores.tolist()
