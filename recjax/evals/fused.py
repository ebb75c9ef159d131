"""A fusion that answers queries which it has not met: what a bundle holds of it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from recjax.data.dataset import HasQueries
from recjax.errors import UserError
from recjax.evals.fusion import Choice, Fusion
from recjax.evals.fusion_weights import Shape, shaped
from recjax.evals.linear_scorer import Asked, Learned, LinearScorer
from recjax.evals.reranking import rerank
from recjax.evals.tuned import Tuned

log = logging.getLogger(__name__)
Stage = tuple[Mapping[str, float], Mapping[str, Shape]]
"""Weights and shapes of parts."""


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

    def found(self, asked: Asked, model: np.ndarray | None) -> np.ndarray:
        """Returns the scores of queries, f32[Q, N]."""
        if self.scorer is None or self.learned is None:
            assert model is not None
            return model
        return self.scorer.answer(self.learned, asked).scores(0, len(asked))


@dataclass(frozen=True)
class FusedParts:
    """The parts that are kept.

    Attributes:
      parts: name -> part.
      rerank: name -> part that is added for the best items of the sum alone.
      top: how many they are.
    """

    parts: Mapping[str, Part]
    rerank: Mapping[str, Part] = field(default_factory=dict)
    top: int = 0

    @property
    def every(self) -> dict[str, Part]:
        """The parts of both stages."""
        return {**self.parts, **self.rerank}

    @property
    def model(self) -> bool:
        """Whether the model is one of them."""
        return any(part.scorer is None for part in self.every.values())

    def scores(
        self, asked: Asked, model: np.ndarray | None, among: np.ndarray | None = None
    ) -> np.ndarray:
        """Returns f32[Q, N].

        Args:
          asked: what the queries say.
          model: the model's scores [Q, N]; None where it is no part.
          among: the items that count, bool[N]: the best of these are re-ranked, and
            others get -inf; None for all.
        """
        found = [
            np.float32(one.weight) * shaped(one.found(asked, model), one.shape)
            for one in self.parts.values()
        ]
        total = sum(found[1:], found[0]).astype(np.float32)
        if among is None:
            return self._second(total, asked, model, slice(None))
        found = np.full_like(total, -np.inf)
        found[:, among] = self._second(total[:, among], asked, model, among)
        return found

    def _second(
        self, total: np.ndarray, asked: Asked, model: np.ndarray | None, at: Any
    ) -> np.ndarray:
        """Puts the best of some items in another order."""
        if not self.rerank or not total.shape[1]:
            return total
        second = [
            (one.weight, one.shape, one.found(asked, model)[:, at])
            for one in self.rerank.values()
        ]
        return rerank(total, second, self.top)


def fuse(
    fusion: Fusion,
    data: HasQueries,
    corpus: str,
    choose: Callable[[], Choice],
) -> FusedParts:
    """Returns a fusion for a bundle, with settings, shapes and weights.

    Args:
      fusion: the settings.
      data: an opened data set.
      corpus: whose items are found.
      choose: chooses settings, shapes and weights; not called where no query of the
        data is judged.

    Raises:
      UserError: a bundle cannot answer as one of the parts that help.
    """
    found, first, second = _chosen(fusion, data, choose)

    def parts(chosen: Stage) -> dict[str, Part]:
        weights, shapes = chosen
        return {
            name: _part(name, weight, shapes[name], found[name], data, corpus)
            for name, weight in weights.items()
        }

    return FusedParts(parts(first), parts(second), fusion.top)


def _part(
    name: str, weight: float, shape: Shape, scorer: Any, data: HasQueries, corpus: str
) -> Part:
    if scorer is None:
        return Part(float(weight), shape)
    if reason := _unserved(scorer):
        raise UserError(
            f"export.fusion.parts.{name}: no bundle can hold it: {reason}; "
            "leave it out of the fusion that is exported"
        )
    return Part(float(weight), shape, scorer, scorer.learn(data, corpus))


def _unserved(scorer: Any) -> str:
    if hasattr(scorer, "unserved"):
        return scorer.unserved()
    return f"{type(scorer).__name__} knows the queries of the data alone"


def _chosen(
    fusion: Fusion, data: Any, choose: Callable[[], Choice]
) -> tuple[Mapping[str, Any], Stage, Stage]:
    """Returns scorers with their settings, and weights and shapes of both stages."""
    if reason := getattr(data, "unjudged", ""):
        if not fusion.unjudged:
            raise UserError(f"export.fusion: {reason}: say its weights in unjudged")
        found = {
            name: part.scorer if isinstance(part, Tuned) else part
            for name, part in fusion.every.items()
        }
        out = [name for name in found if name not in fusion.unjudged]
        told = f"; left out: {', '.join(out)}" if out else ""
        log.info("%s: weights of unjudged %s%s", reason, dict(fusion.unjudged), told)
        return found, (fusion.unjudged, dict.fromkeys(fusion.unjudged, "max")), ({}, {})
    found = choose()
    first, second = found.first, found.second
    return (
        found.every,
        (first.weights, first.shapes),
        (second.weights, second.shapes),
    )
