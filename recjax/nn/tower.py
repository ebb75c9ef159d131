"""A tower: several inputs joined, then layers, then one vector."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Literal

import flax.linen as nn
import jax.numpy as jnp

from recjax.execution import block
from recjax.nn.mlp import Mlp, unit
from recjax.typing import Array, Batch, Float


class Tower(nn.Module):
    """Embeds the features of one side.

    Attributes:
      inputs: feature name -> the module that turns it into a vector; all of one
        width, unless they are laid side by side.
      width: width `D` of the embedding.
      hidden: widths of the hidden layers between the inputs and the embedding; None for
        no layers at all (then the joined inputs' width is `D`).
      residual: add the joined inputs to what the layers make of them.
      dropout: rate inside the layers.
      normalize: scale embeddings to length 1, so that scores are cosines.
      frozen_inputs: feature name -> a module whose vector is joined to the embedding
        once training is over: their scores add up. Training does not see it,
        for what was counted from the training events looks far better on them than on
        others. Its parameters, if it has any, keep their start: see
        `Experiment.warm_start`.
      join: inputs are added up, or laid side by side in the order of their names.
      norm: layers start with a LayerNorm of the joined inputs.
    """

    inputs: Mapping[str, nn.Module]
    width: int
    hidden: tuple[int, ...] | None = None
    residual: bool = False
    dropout: float = 0.0
    normalize: bool = True
    frozen_inputs: Mapping[str, nn.Module] = field(default_factory=dict)
    join: Literal["sum", "concat"] = "sum"
    norm: bool = True

    def uses(self, train: bool) -> dict[str, tuple[str, nn.Module]]:
        """Returns name of a use -> (feature, module), all or those of training."""
        used = {name: (name, module) for name, module in self.inputs.items()}
        if not train:
            fixed = self.frozen_inputs.items()
            used |= {f"fixed/{name}": (name, module) for name, module in fixed}
        return used

    @nn.compact
    def __call__(
        self,
        features: Batch,
        rows: Mapping[str, Mapping[str, tuple[Array, Array]]],
        train: bool = False,
    ) -> Float[Array, "B D"]:
        """Returns one vector a row.

        Args:
          features: feature name -> array [B, L].
          rows: name of a use -> table -> (distinct rows, index).
          train: dropout is on, the frozen part is off.

        Raises:
          ValueError: widths that do not fit each other.
        """
        made = {
            name: module.copy(name=name)(name, features, rows[name], train)
            for name, module in self.inputs.items()
        }
        if self.join == "sum":
            if len({x.shape[-1] for x in made.values()}) > 1:
                widths = ", ".join(
                    f"{name!r} {x.shape[-1]} of tables {list(rows[name])}"
                    for name, x in made.items()
                )
                raise ValueError(
                    f"inputs of other widths cannot be added up: {widths}; give their "
                    "tables one width, or the tower join='concat'"
                )
            first, *others = made.values()
            joined = (sum(others, first),)
        else:
            joined = tuple(made[name] for name in sorted(made))
        joined = tuple(map(block, joined))
        total = jnp.concatenate(joined, -1)
        if self.hidden is not None:
            mlp = Mlp(self.hidden, self.width, self.dropout, name="mlp")
            given = (nn.LayerNorm(name="norm")(total),) if self.norm else joined
            deep = mlp(given, train)
            total = total + deep if self.residual else deep
        elif total.shape[-1] != self.width:
            raise ValueError(
                f"Tower(width={self.width}) without hidden layers: its inputs are "
                f"{total.shape[-1]} wide; give hidden=(), or width={total.shape[-1]}"
            )
        parts = [unit(total) if self.normalize else total]
        for name, module in self.frozen_inputs.items():
            # In training, only to make its parameters; one of tables has none.
            if not train or (
                self.is_initializing() and not module.row_ids(features[name])
            ):
                fixed = module.copy(name=f"{name}_fixed")
                parts.append(
                    fixed(name, features, rows.get(f"fixed/{name}", {}), False)
                )
        return jnp.concatenate(parts, -1)
