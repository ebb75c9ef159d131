"""A written bundle against the live model: the same questions, answers compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recjax.bundle import saved_model
from recjax.bundle.open import OpenBundle, unchecked
from recjax.data.inputs import encode_all
from recjax.errors import UserError
from recjax.index.exact import Exact

ROWS = 64
"""Answers whose scores of all items are held at once."""
RESULTS = 100
"""Results of the index that are compared."""

Arrays = Mapping[str, Any]


@dataclass(frozen=True)
class Trial:
    """One function, asked in several ways.

    Attributes:
      ask: takes the function in any of its forms, arrays -> result, and returns what it
        answers: vectors [B, D], or [B, D + F], of which the last join scores as they
        are.
      live: what the trained model answers.
      saved: finds the function among the signatures of a SavedModel; None where it has
        none.
      raw: queries, whose answers by the index and the SavedModel are compared too.
    """

    ask: Callable[[Callable[[Arrays], Any]], np.ndarray]
    live: np.ndarray
    saved: Callable[[Mapping[str, saved_model.Call]], Callable[[Arrays], Any]] | None
    raw: Mapping[str, Sequence[Any]] | None = None


@dataclass(frozen=True)
class Limits:
    """What a check lets pass.

    Attributes:
      tolerance: largest difference of a score.
      recall: smallest share of the exact top 10 that an index must find.
    """

    tolerance: float
    recall: float = 0.0


def check(
    folder: Path, trials: Mapping[str, Trial], with_saved_model: bool, limits: Limits
) -> dict[str, Any]:
    """Asks what was written what the live model was asked; returns what was measured.

    Raises:
      UserError: a difference or a recall is beyond its limit.
    """
    opened = unchecked(folder)
    saved = saved_model.load(folder / "saved_model") if with_saved_model else {}
    vectors = opened.items.vectors
    facts: dict[str, Any] = dict(zip(("items", "width"), vectors.shape, strict=True))
    for name, trial in trials.items():
        got = trial.ask(opened.functions[name])
        facts[f"{name}_trials"] = len(trial.live)
        facts[f"{name}_score_difference"] = _apart(got, trial.live, vectors)
        if with_saved_model and trial.saved is not None:
            served = trial.ask(trial.saved(saved))
            apart = _apart(served, trial.live, vectors)
            facts[f"saved_model_{name}_score_difference"] = apart
        if trial.raw is not None:
            facts |= _answers(opened, trial, got, saved)
    for name, value in facts.items():
        if name.endswith("difference") and not value <= limits.tolerance:
            raise UserError(f"bundle check: {name} is {value}, over {limits.tolerance}")
        if "recall" in name and not value >= limits.recall:
            raise UserError(f"bundle check: {name} is {value}, under {limits.recall}")
    return facts


def _answers(
    opened: OpenBundle,
    trial: Trial,
    got: np.ndarray,
    saved: Mapping[str, saved_model.Call],
) -> dict[str, float]:
    """Compares the items that are found, and their scores."""
    assert trial.raw is not None
    features = encode_all(opened.inputs, trial.raw, len(got))
    facts = {
        "inputs_score_difference": _apart(
            trial.ask(lambda _: opened.functions["query"](features)),
            trial.live,
            opened.items.vectors,
        )
    }
    exact = Exact(np.asarray(opened.items.vectors))
    answers = {"index": opened.index.search(got, RESULTS)}
    for signature in saved.values():
        served = signature(trial.raw)
        rows = [[opened.items.rows.get(id, -1) for id in row] for row in served["ids"]]
        answers["saved_model"] = np.array(rows), served["scores"]
    for name, (items, scores) in answers.items():
        facts[f"{name}_recall_at_10"] = _recall(trial.live, items[:, :10], exact)
        right = np.einsum("qd,qkd->qk", trial.live, exact.vectors[items])
        apart = np.where(items < 0, 0, right - np.where(items < 0, 0, scores))
        facts[f"{name}_score_difference"] = float(np.abs(apart).max(initial=0.0))
    return facts


def _apart(one: np.ndarray, other: np.ndarray, vectors: np.ndarray) -> float:
    """Returns the largest difference of any item's score."""
    apart, width, worst = one - other, vectors.shape[1], np.float32(0)
    for start in range(0, len(apart), ROWS):
        part = apart[start : start + ROWS]
        every = np.concatenate([part[:, :width] @ vectors.T, part[:, width:]], 1)
        worst = np.maximum(worst, np.abs(every).max(initial=0.0))  # NaN goes on.
    return float(worst)


def _recall(queries: np.ndarray, items: np.ndarray, exact: Exact) -> float:
    """Returns the share of found items that score like the exact top (ties count)."""
    worst = exact.search(queries, items.shape[1])[1][:, -1:]
    found = np.einsum("qd,qkd->qk", queries, exact.vectors[items])
    return float(np.mean((found >= worst - 1e-5) & (items >= 0)))
