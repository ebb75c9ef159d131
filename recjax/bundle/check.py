"""A written bundle against the live model: the same questions, answers compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recjax.bundle import saved_model
from recjax.bundle.open import OpenBundle
from recjax.data.inputs import encode_all
from recjax.errors import UserError
from recjax.index.exact import Exact
from recjax.index.item_vectors import ItemVectors

ROWS, RESULTS = 64, 100  # Answers scored at once; results that are compared.

Arrays = Mapping[str, Any]
Call = Callable[[Arrays], Any]


@dataclass(frozen=True)
class Function:
    """A function of a bundle, and how it is tried.

    Attributes:
      call: pure: (what is held of the state, arrays) -> vectors [B, D], or arrays.
      example: what it takes, name -> [B, ...].
      live: what the trained model answers: vectors [B, D], or [B, D + F], of which the
        last numbers join scores as they are.
      saved: finds it among the signatures of a SavedModel; None where it has none.
      ask: returns the answer of any of its forms; None asks for the example.
      raw: the example as raw queries: the items that are found are compared too.
    """

    call: Callable[[Any, Arrays], Any]
    example: Arrays
    live: np.ndarray
    saved: Callable[[Mapping[str, saved_model.Call]], Call] | None = None
    ask: Callable[[Call], np.ndarray] | None = None
    raw: Mapping[str, Sequence[Any]] | None = None

    def answer(self, call: Call) -> np.ndarray:
        """Returns the answer of one of its forms."""
        return np.asarray(call(self.example)) if self.ask is None else self.ask(call)


def check(
    folder: Path,
    functions: Mapping[str, Function],
    with_saved_model: bool,
    tolerance: float,
    min_recall: float,
) -> dict[str, Any]:
    """Asks what was written what the live model was asked; returns what was measured.

    Raises:
      UserError: a difference or a recall is beyond its limit.
    """
    opened = OpenBundle(folder, ItemVectors.open(folder))
    saved = saved_model.load(folder / "saved_model") if with_saved_model else {}
    vectors = opened.items.vectors
    facts: dict[str, Any] = dict(zip(("items", "width"), vectors.shape, strict=True))
    for name, one in functions.items():
        answers = {name: opened.functions[name]}
        if saved and one.saved is not None:
            answers[f"saved_model_{name}"] = one.saved(saved)
        if one.raw is not None:
            features = encode_all(opened.inputs, one.raw, len(one.live))
            answers["inputs"] = lambda _, f=features: opened.functions["query"](f)
        facts[f"{name}_trials"] = len(one.live)
        for how, call in answers.items():
            apart = _apart(one.answer(call), one.live, vectors)
            facts[f"{how}_score_difference"] = apart
        if one.raw is not None:
            facts |= _found(opened, one, saved)
    for name, value in facts.items():
        if name.endswith("difference") and not value <= tolerance:
            raise UserError(f"bundle check: {name} is {value}, over {tolerance}")
        if "recall" in name and not value >= min_recall:
            raise UserError(f"bundle check: {name} is {value}, under {min_recall}")
    return facts


def _found(
    opened: OpenBundle, one: Function, saved: Mapping[str, saved_model.Call]
) -> dict[str, float]:
    """Compares the items that are found, and their scores."""
    exact, facts = Exact(np.asarray(opened.items.vectors)), {}
    answers = {"index": opened.index.search(one.live, RESULTS)}
    for signature in saved.values():
        served = signature(one.raw or {})
        rows = [[opened.items.rows.get(id, -1) for id in row] for row in served["ids"]]
        answers["saved_model"] = np.array(rows), served["scores"]
    for name, (items, scores) in answers.items():
        right = np.einsum("qd,qkd->qk", one.live, exact.vectors[items])
        # Ties count: what scores like the exact top is found.
        worst = exact.search(one.live, min(10, items.shape[1]))[1][:, -1:]
        top = (right >= worst - 1e-5) & (items >= 0)
        facts[f"{name}_recall_at_10"] = float(np.mean(top[:, :10]))
        apart = np.abs(right - scores)[items >= 0].max(initial=0.0)
        facts[f"{name}_score_difference"] = float(apart)
    return facts


def _apart(one: np.ndarray, other: np.ndarray, vectors: np.ndarray) -> float:
    """Returns the largest difference of any item's score."""
    apart, width, worst = one - other, vectors.shape[1], np.float32(0)
    for start in range(0, len(apart), ROWS):
        part = apart[start : start + ROWS]
        every = np.concatenate([part[:, :width] @ vectors.T, part[:, width:]], 1)
        worst = np.maximum(worst, np.abs(every).max(initial=0.0))  # NaN goes on.
    return float(worst)
