"""Two towers that meet in one space: queries on one side, candidates on the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from recjax.features import Sides, unread
from recjax.models.base import RowIds, TableRows, TableSpec
from recjax.models.omni_search import OmniSearch
from recjax.models.tables import Table
from recjax.nn.tower import Tower
from recjax.outputs import Retrieval
from recjax.typing import Array, Batch, Float, Memory, Params, PRNGKey

QUERY, CANDIDATE = "query", "candidate"


@dataclass(frozen=True)
class TwoTower:
    """`OmniSearch` of one kind of candidate: its batches and outputs are that kind's.

    Attributes:
      query: tower of the query side.
      candidate: tower of the candidate side; None: the query's embeds both, with the
        same parameters.
      tables: name -> table; towers share a table by naming it.
      temperature: starting temperature of the softmax over cosines.
      learn_temperature: whether training moves it.

    Example:
      >>> from recjax.nn.inputs import EmbeddingBag
      >>> tower = Tower({"text": EmbeddingBag("token")}, width=64)
      >>> model = TwoTower(query=tower, candidate=tower, tables={"token": Table(64)})
    """

    query: Tower
    candidate: Tower | None
    tables: Mapping[str, Table]
    temperature: float = 0.07
    learn_temperature: bool = True

    def table_specs(self, sides: Sides) -> dict[str, TableSpec]:
        """Returns the tables, each as tall as the largest feature that uses it.

        Raises:
          ValueError: a tower names a table or feature that does not exist, or both
            sides read columns by one tower.
        """
        named = unread({**sides[QUERY], **sides[CANDIDATE]}, ())
        if self.candidate is None and named:
            raise ValueError(
                f"data.columns names {', '.join(map(repr, named))}, whose rows are of "
                "one side: give model.candidate a tower of its own"
            )
        return self._one_kind.table_specs(sides)

    def rows(self, batch: Batch) -> RowIds:
        """Names the rows of queries, positives and negatives."""
        return self._one_kind.rows({CANDIDATE: batch})

    def side_rows(self, side: str, features: Batch) -> RowIds:
        """Names the rows that the features of one side need, the frozen part's too."""
        return self._one_kind.side_rows(side, features)

    def init(
        self, key: PRNGKey, rows: Mapping[str, TableRows], batch: Batch
    ) -> tuple[Params, Memory]:
        """Returns the dense parameters; there is no memory."""
        params, memory = self._one_kind.init(key, rows, {CANDIDATE: batch})
        if self.candidate is None:
            del params[CANDIDATE]
        return params, memory

    def apply(
        self,
        params: Params,
        rows: Mapping[str, TableRows],
        batch: Batch,
        memory: Memory,
        key: PRNGKey,
    ) -> tuple[Retrieval, Memory]:
        """Embeds the queries, the positives and the negatives of a batch."""
        outputs, memory = self._one_kind.apply(
            self._whole(params), rows, {CANDIDATE: batch}, memory, key
        )
        return outputs[CANDIDATE], memory

    def embed(
        self, params: Params, rows: Mapping[str, TableRows], side: str, features: Batch
    ) -> Float[Array, "B D"]:
        """Embeds the features of "query" or "candidate", without randomness."""
        return self._one_kind.embed(self._whole(params), rows, side, features)

    def _whole(self, params: Params) -> Params:
        """Returns parameters in which a shared tower's stand under both names."""
        return {CANDIDATE: params[QUERY], **params} if not self.candidate else params

    @cached_property
    def _one_kind(self) -> OmniSearch:
        return _OneKind(
            {QUERY: self.query, CANDIDATE: self.candidate or self.query},
            {CANDIDATE: CANDIDATE},
            self.tables,
            temperature=self.temperature,
            learn_temperature=self.learn_temperature,
        )


class _OneKind(OmniSearch):
    """Embeds all positives, then all negatives."""

    _groups = 1
