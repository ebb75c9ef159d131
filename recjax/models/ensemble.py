"""Several models that learn side by side and embed together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from recjax import rng
from recjax.errors import UserError
from recjax.features import Sides
from recjax.models.base import Model, RowIds, TableRows, TableSpec
from recjax.typing import Array, Batch, Float, Memory, Params, PRNGKey


@dataclass(frozen=True)
class Ensemble:
    """Models with parameters, tables and training examples of their own.

    Row `i` of a batch trains member `i mod M` alone, so that a step with `M` times the
    rows costs what a step of `M` runs would, and members meet examples in orders of
    their own; the optimizer is one, clipping too. Embeddings are laid side by side:
    their scores add up, and what members got wrong by chance averages out
    (Lakshminarayanan et al. 2017, "deep ensembles").

    What member `m` calls "x", parameters, memory or a table, is called "x_m" here.
    Its outputs are named "m": each has a loss of its own, `SampledSoftmax(of="m")`.

    Attributes:
      members: the `M` models.
    """

    members: tuple[Model, ...]

    def table_specs(self, sides: Sides) -> dict[str, TableSpec]:
        """Returns the tables of all members."""
        return _together(member.table_specs(sides) for member in self.members)

    def init(
        self, key: PRNGKey, rows: Mapping[str, TableRows], batch: Batch
    ) -> tuple[Params, Memory]:
        """Returns the parameters and the memory of all members."""
        made = [
            member.init(
                rng.stream(key, f"member_{m}"), _own(rows, m), self._part(batch, m)
            )
            for m, member in enumerate(self.members)
        ]
        return _together(p for p, _ in made), _together(held for _, held in made)

    def rows(self, batch: Batch) -> RowIds:
        """Names the rows that each member needs for its part of a batch.

        Raises:
          UserError: the batch does not part evenly.
        """
        return _together(
            member.rows(self._part(batch, m)) for m, member in enumerate(self.members)
        )

    def apply(
        self,
        params: Params,
        rows: Mapping[str, TableRows],
        batch: Batch,
        memory: Memory,
        key: PRNGKey,
    ) -> tuple[dict[str, Any], Memory]:
        """Returns "m" -> the outputs of member m for its part of the batch."""
        made = [
            member.apply(
                _own(params, m),
                _own(rows, m),
                self._part(batch, m),
                _own(memory, m),
                rng.stream(key, f"member_{m}"),
            )
            for m, member in enumerate(self.members)
        ]
        outputs = {str(m): output for m, (output, _) in enumerate(made)}
        return outputs, _together(held for _, held in made)

    def side_rows(self, side: str, features: Batch) -> RowIds:
        """Names the rows that the features of one side need: all of every member."""
        return _together(member.side_rows(side, features) for member in self.members)

    def embed(
        self,
        params: Params,
        rows: Mapping[str, TableRows],
        side: str,
        features: Batch,
    ) -> Float[Array, "B D"]:
        """Embeds the features of one side; `D` is the members' widths added up."""
        vectors = [
            member.embed(_own(params, m), _own(rows, m), side, features)
            for m, member in enumerate(self.members)
        ]
        return jnp.concatenate(vectors, -1)

    def _part(self, batch: Batch, m: int) -> Batch:
        """Returns the rows m, m + M, ...: local where M divides a device's rows."""
        count = len(self.members)

        def part(array: Array) -> Array:
            if len(array) % count:
                raise UserError(
                    f"an ensemble of {count} members cannot share a batch with "
                    f"{len(array)} rows: data.batch_size and data.negatives must be "
                    f"multiples of {count}"
                )
            return array.reshape(-1, count, *array.shape[1:])[:, m]

        return jax.tree.map(part, batch)


def _own(named: Mapping[str, Any], m: int) -> dict[str, Any]:
    """Returns what is member m's, by its own names."""
    end = f"_{m}"
    return {k.removesuffix(end): v for k, v in named.items() if k.endswith(end)}


def _together(members: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Puts what members have beside each other."""
    return {f"{k}_{m}": v for m, own in enumerate(members) for k, v in own.items()}
