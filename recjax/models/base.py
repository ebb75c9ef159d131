"""The protocol between a model and the training step: rows in, row gradients out.

A model never sees a table. It names the rows that a batch needs; the step reads each
distinct row once, hands them over, and updates those rows alone. So the cost of a
step does not know how large a table is, nor where its rows lie.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from recjax.features import Names, Sides
from recjax.typing import Array, Batch, Float, Int, Memory, Params, PRNGKey


@dataclass(frozen=True)
class TableSpec:
    """One embedding table.

    Attributes:
      rows: `V`, row 0 stands for padding.
      width: `D`.
      init: (key, shape) -> starting values.
      distinct: most distinct rows that a batch may touch; None for as many as it
        names. A smaller number saves time and memory; a batch that exceeds it stops
        the run with an error.
      names: what gives the names of the ids that look up rows, see
        `recjax.features.IdFeature`; None where ids are rows of the data. More than one
        where the same row stands for several.
    """

    rows: int
    width: int
    init: Callable[[PRNGKey, tuple[int, int]], Array]
    distinct: int | None = None
    names: tuple[Names | None, ...] = (None,)


class TableRows(NamedTuple):
    """The rows of one table that a batch touches.

    Attributes:
      values: distinct rows [U, D].
      index: the model's own naming of ids, each id replaced by its place in `values`.
    """

    values: Float[Array, "U D"]
    index: Any


RowIds = Mapping[str, Mapping[str, Int[Array, "..."]]]
"""Table -> the model's name for a use of it -> the ids used there."""


def whole_tables(tables: Mapping[str, Array], ids: RowIds) -> dict[str, TableRows]:
    """Returns whole tables as rows, each id its own place: for serving, no training."""
    return {name: TableRows(tables[name], uses) for name, uses in ids.items()}


class Model(Protocol):
    """A pure model over one batch."""

    def table_specs(self, sides: Sides) -> dict[str, TableSpec]:
        """Returns the tables that the model wants for these features."""
        ...

    def init(
        self, key: PRNGKey, rows: Mapping[str, TableRows], batch: Batch
    ) -> tuple[Params, Memory]:
        """Returns dense parameters and the model's own state; `rows` give shapes."""
        ...

    def rows(self, batch: Batch) -> RowIds:
        """Names the table rows that a training batch needs."""
        ...

    def apply(
        self,
        params: Params,
        rows: Mapping[str, TableRows],
        batch: Batch,
        memory: Memory,
        key: PRNGKey,
    ) -> tuple[Any, Memory]:
        """Returns what the losses take, and the model's new state."""
        ...

    def side_rows(self, side: str, features: Batch) -> RowIds:
        """Names the rows that the features of one side need."""
        ...

    def embed(
        self,
        params: Params,
        rows: Mapping[str, TableRows],
        side: str,
        features: Batch,
    ) -> Float[Array, "B D"]:
        """Embeds the features of one side, without randomness."""
        ...
