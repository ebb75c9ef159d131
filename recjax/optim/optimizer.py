"""One optimizer for a whole state: path pattern -> rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import jax.numpy as jnp
import optax

from recjax import pytree
from recjax.errors import UserError
from recjax.optim.rowwise import RowRule
from recjax.optim.schedule import Constant, Schedule
from recjax.typing import Params


@runtime_checkable
class DenseRule(Protocol):
    """Makes the optax transformation of the dense parameters that a pattern covers."""

    def transform(self, factor: optax.Schedule) -> optax.GradientTransformation:
        """Returns the transformation; `factor` scales the learning rate by step."""
        ...


@dataclass(frozen=True)
class Adam:
    """AdamW (Loshchilov & Hutter 2019)."""

    learning_rate: float
    b1: float = 0.9
    b2: float = 0.999
    eps: float = 1e-8
    weight_decay: float = 0.0

    def transform(self, factor: optax.Schedule) -> optax.GradientTransformation:
        """Returns optax's AdamW under the schedule."""
        return optax.adamw(
            lambda step: self.learning_rate * factor(step),
            self.b1,
            self.b2,
            self.eps,
            weight_decay=self.weight_decay,
        )


@dataclass(frozen=True)
class Lamb:
    """LAMB (You et al. 2020)."""

    learning_rate: float
    b1: float = 0.9
    b2: float = 0.999
    eps: float = 1e-6
    weight_decay: float = 0.01

    def transform(self, factor: optax.Schedule) -> optax.GradientTransformation:
        """Returns optax's LAMB under the schedule."""
        return optax.lamb(
            lambda step: self.learning_rate * factor(step),
            self.b1,
            self.b2,
            self.eps,
            weight_decay=self.weight_decay,
        )


@dataclass(frozen=True)
class Momentum:
    """Gradient descent with Nesterov's momentum (Sutskever et al. 2013).

    Attributes:
      learning_rate: step size before the schedule's factor.
      momentum: share of the last step that goes on.
      l2: factor of `|W|^2` in the loss, whose gradient 2 l2 W joins the momentum. Where
        the loss is a mean over a batch of B, the paper's factor on a sum is l2 / B.
    """

    learning_rate: float
    momentum: float = 0.9
    l2: float = 0.0

    def transform(self, factor: optax.Schedule) -> optax.GradientTransformation:
        """Returns optax's SGD under the schedule."""
        return optax.chain(
            optax.add_decayed_weights(2 * self.l2),
            optax.sgd(
                lambda step: self.learning_rate * factor(step),
                self.momentum,
                nesterov=True,
            ),
        )


@dataclass(frozen=True)
class Frozen:
    """Leaves parameters as they are, and keeps no state for them."""

    def transform(self, factor: optax.Schedule) -> optax.GradientTransformation:
        """Returns a transformation to zero."""
        del factor
        return optax.set_to_zero()


@dataclass(frozen=True)
class Optimizer:
    """Rules by path; the first pattern that matches a whole path decides.

    Dense parameters have the paths of their tree, tables are `tables/NAME`. Every
    one must be covered, tables by a row rule, the rest by a dense rule.

    Attributes:
      rules: regular expression -> rule.
      schedule: factor of every rule's learning rate.
      clip: largest global norm of the dense gradient; None leaves it alone.
    """

    rules: Mapping[str, DenseRule | RowRule]
    schedule: Schedule = Constant()
    clip: float | None = 1.0

    def dense(self, params: Params, steps: int) -> optax.GradientTransformation:
        """Returns the transformation of the dense parameters.

        Raises:
          UserError: a parameter that no pattern covers, or a row rule covers.
        """
        labels = pytree.label(params, self.rules, "optimizer.rules")
        used = {label for _, label in pytree.named_leaves(labels)}
        transforms = {}
        for pattern in used:
            rule = self.rules[pattern]
            if not isinstance(rule, DenseRule):
                raise UserError(
                    f"optimizer.rules: {pattern!r} covers dense parameters, but "
                    f"{type(rule).__name__} is a rule of tables"
                )
            transforms[pattern] = rule.transform(
                lambda s: self.schedule(jnp.asarray(s), steps)
            )
        parts: list[optax.GradientTransformation]
        parts = [optax.partition(transforms, labels)]
        if self.clip is not None:
            parts.insert(0, optax.clip_by_global_norm(self.clip))
        return optax.chain(*parts)

    def row_rule(self, table: str) -> RowRule:
        """Returns the rule of a table.

        Raises:
          UserError: no pattern covers it, or one of a dense rule.
        """
        pattern = pytree.first_match(self.rules, f"tables/{table}")
        rule = self.rules[pattern] if pattern is not None else None
        if not isinstance(rule, RowRule):
            raise UserError(
                f"optimizer.rules: no row rule covers 'tables/{table}', only {rule}"
            )
        return rule
