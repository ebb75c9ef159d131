"""A fusion that answers queries which it has not met: what a bundle holds of it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from recjax.data.dataset import HasQueries
from recjax.errors import UserError
from recjax.evals.fusion import Fusion, ScoresOf
from recjax.evals.fusion_weights import Shape, shaped
from recjax.evals.linear_scorer import Asked, Learned, LinearScorer
from recjax.evals.split_queries import SplitQueries
from recjax.evals.tuned import Tuned

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Part:
    """One part of a fusion.

    Attributes:
      weight: how much it counts.
      shape: what its scores become first.
      scorer: its settings; None for the trained model.
      learned: what it learned of the items; None for the model.
    """

    weight: float
    shape: Shape
    scorer: LinearScorer | None = None
    learned: Learned | None = None

    def scores(self, asked: Asked, model: np.ndarray | None) -> np.ndarray:
        """Returns the shaped scores of queries, f32[Q, N]."""
        if self.scorer is None or self.learned is None:
            assert model is not None
            found = model
        else:
            found = self.scorer.answer(self.learned, asked).scores(0, len(asked))
        return np.float32(self.weight) * shaped(found, self.shape)


@dataclass(frozen=True)
class FusedParts:
    """The parts that are kept.

    Attributes:
      parts: name -> part.
    """

    parts: Mapping[str, Part]

    @property
    def model(self) -> bool:
        """Whether the model is one of them."""
        return any(part.scorer is None for part in self.parts.values())

    def scores(self, asked: Asked, model: np.ndarray | None) -> np.ndarray:
        """Returns f32[Q, N].

        Args:
          asked: what the queries say.
          model: the model's scores [Q, N]; None where it is no part.
        """
        found = [one.scores(asked, model) for one in self.parts.values()]
        return sum(found[1:], found[0]).astype(np.float32)


def fuse(fusion: Fusion, data: HasQueries, corpus: str, model: ScoresOf) -> FusedParts:
    """Chooses the settings, shapes and weights of a fusion for a bundle.

    Args:
      fusion: the settings.
      data: an opened data set.
      corpus: whose items are found.
      model: the trained model's scores of queries.

    Raises:
      UserError: a bundle cannot answer as one of the parts that help.
    """
    found, weights, shapes = _chosen(fusion, data, model)
    parts = {}
    for name, weight in weights.items():
        scorer, learned = fusion.parts[name], None
        if scorer is not None:
            scorer = found[name]
            if reason := _unserved(scorer):
                raise UserError(
                    f"export.fusion.parts.{name}: no bundle can hold it: {reason}; "
                    "leave it out of the fusion that is exported"
                )
            learned = scorer.learn(data, corpus)
        parts[name] = Part(float(weight), shapes[name], scorer, learned)
    return FusedParts(parts)


def _unserved(scorer: Any) -> str:
    if hasattr(scorer, "unserved"):
        return scorer.unserved()
    return f"{type(scorer).__name__} knows the queries of the data alone"


def _chosen(
    fusion: Fusion, data: Any, model: ScoresOf
) -> tuple[Mapping[str, Any], Mapping[str, float], Mapping[str, Shape]]:
    """Returns scorers with their settings, weights and shapes."""
    if reason := getattr(data, "unjudged", ""):
        if not fusion.unjudged:
            raise UserError(f"export.fusion: {reason}: say its weights in unjudged")
        found = {
            name: part.scorer if isinstance(part, Tuned) else part
            for name, part in fusion.parts.items()
        }
        out = [name for name in found if name not in fusion.unjudged]
        told = f"; left out: {', '.join(out)}" if out else ""
        log.info("%s: weights of unjudged %s%s", reason, dict(fusion.unjudged), told)
        return found, fusion.unjudged, dict.fromkeys(fusion.unjudged, "max")
    bound = fusion.bound(SplitQueries(), model)
    found = {
        name: part.choose(data) if isinstance(part, Tuned) else part
        for name, part in bound.parts.items()
    }
    chosen = replace(bound, parts=found).choose(data)
    return found, chosen.weights, chosen.shapes
