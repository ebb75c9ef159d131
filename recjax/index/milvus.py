"""Milvus: a server, a cluster, or a file that milvus-lite keeps in this process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from recjax.errors import UserError
from recjax.extras import require
from recjax.index.engine import EXACT_BELOW, Columns, Layout, partitions
from recjax.index.filters import Filter

TEXT = 65_535
"""Most bytes of a text."""


@dataclass(frozen=True)
class Milvus:
    """A collection.

    Attributes:
      client: of the server.
      layout: of the collection.
    """

    client: Any
    layout: Layout

    @classmethod
    def open(cls, place: str, layout: Layout) -> Milvus:
        """Connects; see `open_engine`."""
        require("pymilvus", "engines", "milvus:URI")
        if "://" not in place:
            require("milvus_lite", "engines", "milvus:FILE")
            # Of a file it asks for this ending.
            place = place if place.endswith(".db") else f"{place}.db"
        from pymilvus import MilvusClient
        from pymilvus.exceptions import MilvusException

        try:
            return cls(MilvusClient(uri=place), layout)
        except (MilvusException, OSError, ValueError) as error:
            raise UserError(f"milvus:{place}: does not answer: {error}") from error

    def exists(self) -> bool:
        """Returns whether the collection is there."""
        return self.client.has_collection(self.layout.name)

    def create(self, size: int) -> None:
        """Makes the collection."""
        from pymilvus import DataType

        layout = self.layout
        schema = self.client.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field("row", DataType.INT64, is_primary=True)
        schema.add_field("id", DataType.VARCHAR, max_length=TEXT)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=layout.width)
        kinds = {
            "number": {"datatype": DataType.DOUBLE},
            "text": {"datatype": DataType.VARCHAR, "max_length": TEXT},
        }
        for name, kind in layout.columns.items():
            schema.add_field(name, nullable=True, **kinds[kind])
        index = self.client.prepare_index_params()
        few = size < EXACT_BELOW
        how = {} if few else {"nlist": min(partitions(size), 65_536)}
        index.add_index(
            "vector",
            index_type="FLAT" if few else "IVF_FLAT",
            metric_type="IP",
            params=how,
        )
        self.client.create_collection(
            layout.name, schema=schema, index_params=index, consistency_level="Strong"
        )

    def count(self) -> int:
        """Returns how many rows are there."""
        self.client.load_collection(self.layout.name)
        found = self.client.query(
            self.layout.name, filter="", output_fields=["count(*)"]
        )
        return int(found[0]["count(*)"])

    def write(self, rows: np.ndarray, vectors: np.ndarray, columns: Columns) -> None:
        """Writes rows, in the place of those of the same number."""
        names = list(columns)
        lists = zip(*(columns[name] for name in names), strict=True)
        data = [
            {"row": int(row), "vector": vector, **dict(zip(names, values, strict=True))}
            for row, vector, values in zip(rows, vectors, lists, strict=True)
        ]
        self.client.upsert(self.layout.name, data)

    def finish(self, size: int) -> None:
        """Writes what is in memory, and loads the collection."""
        del size
        self.client.flush(self.layout.name)
        self.client.load_collection(self.layout.name)

    def read(self, rows: Sequence[int]) -> dict[int, tuple[str, np.ndarray]]:
        """Returns place -> id and vector of some rows."""
        found = self.client.get(
            self.layout.name, [int(row) for row in rows], ["row", "id", "vector"]
        )
        return {
            int(one["row"]): (one["id"], np.asarray(one["vector"], np.float32))
            for one in found
        }

    def search(
        self, query: np.ndarray, k: int, where: Sequence[Filter], effort: int
    ) -> tuple[list[int], list[float]]:
        """Returns the nearest rows; see `Engine`."""
        found = self.client.search(
            self.layout.name,
            data=[query],
            limit=k,
            filter=" and ".join(one.expression() for one in where),
            output_fields=["row"],
            search_params={"metric_type": "IP", "params": {"nprobe": effort}},
        )[0]
        return [int(one["row"]) for one in found], [one["distance"] for one in found]
