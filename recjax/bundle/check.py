"""A written bundle against the live model: the same questions, answers compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recjax.bundle import saved_model
from recjax.bundle.contract import ITEM, SERVING, TEXT, Signature
from recjax.bundle.open import OpenBundle
from recjax.bundle.served import signatures
from recjax.bundle.session_served import STEP
from recjax.data.inputs import IdListInput, encode_all
from recjax.errors import UserError
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
      scores: what the live model says of all items [B, N], where these are not the
        products of vectors.
    """

    call: Callable[[Any, Arrays], Any]
    example: Arrays
    live: np.ndarray
    saved: Callable[[Mapping[str, saved_model.Call]], Call] | None = None
    ask: Callable[[Call], np.ndarray] | None = None
    raw: Mapping[str, Sequence[Any]] | None = None
    scores: np.ndarray | None = None

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
    vectors = np.asarray(opened.items.vectors)
    facts: dict[str, Any] = dict(zip(("items", "width"), vectors.shape, strict=True))
    for name, one in functions.items():
        answers: dict[str, Call] = {name: opened.functions[name]}
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
    for name, call in saved.items():
        # What is asked by raw queries or photographs was compared by itself.
        if name == ITEM or STEP in functions or not functions:
            facts[f"saved_model_{name}_difference"] = _signature_apart(
                call, signatures(opened)[name]
            )
    for name, value in facts.items():
        if name.endswith("difference") and not value <= tolerance:
            raise UserError(f"bundle check: {name} is {value}, over {tolerance}")
        if "recall" in name and not value >= min_recall:
            raise UserError(f"bundle check: {name} is {value}, under {min_recall}")
    return facts


def _signature_apart(saved: saved_model.Call, own: Signature) -> float:
    """Returns the largest difference of two forms of a signature, asked for nothing."""
    asked = {name: [*values, *values] for name, values in own.blank.items()}
    found, wanted = saved(asked), own.ask(asked)
    return max(
        float(np.abs(found[name] - np.asarray(values)).max(initial=0.0))
        for name, values in wanted.items()
        if own.outputs[name].dtype != TEXT
    )


def _found(
    opened: OpenBundle, one: Function, saved: Mapping[str, saved_model.Call]
) -> dict[str, float]:
    """Compares the items that are found, and their scores."""
    right, facts = one.scores, {}
    if right is None:
        right = one.live @ np.asarray(opened.items.vectors).T
    k, rows = opened.serving.k, opened.items.rows
    if saved:
        served = saved[SERVING]({**(one.raw or {}), "k": [k] * len(one.live)})
        found = np.array([[rows.get(id, -1) for id in row] for row in served["ids"]])
        # It leaves out what a history holds.
        shown = _without_history(right, opened, one.raw or {})
        facts |= _recall("saved_model", shown, found, served["scores"])
    return facts | _recall(
        "index", right, *opened.finder.find(one.live, one.raw or {}, RESULTS)
    )


def _recall(
    name: str, right: np.ndarray, items: np.ndarray, scores: np.ndarray
) -> dict[str, float]:
    """Compares what was found with the scores of all items; -1 is no item."""
    most = min(10, items.shape[1])
    # Ties count: what scores like the exact top is found.
    worst = np.partition(right, -most, 1)[:, -most, None]
    own = np.take_along_axis(right, np.maximum(items, 0), 1)
    top = ((own >= worst - 1e-5) & (items >= 0)) | ~np.isfinite(worst)
    apart = np.abs(own - scores)[items >= 0].max(initial=0.0)
    return {
        f"{name}_recall_at_10": float(np.mean(top[:, :most])),
        f"{name}_score_difference": float(apart),
    }


def _without_history(
    scores: np.ndarray, opened: OpenBundle, raw: Mapping[str, Sequence[Any]]
) -> np.ndarray:
    scores = scores.copy()
    for name, kind in opened.inputs.items():
        if isinstance(kind, IdListInput):
            for row, ids in zip(scores, raw[name], strict=True):
                known = [id for id in ids if id in opened.items.rows]
                row[[opened.items.rows[id] for id in known]] = -np.inf
    return scores


def _apart(one: np.ndarray, other: np.ndarray, vectors: np.ndarray) -> float:
    """Returns the largest difference of any item's score."""
    apart, width, worst = one - other, vectors.shape[1], np.float32(0)
    for start in range(0, len(apart), ROWS):
        part = apart[start : start + ROWS]
        every = np.concatenate([part[:, :width] @ vectors.T, part[:, width:]], 1)
        worst = np.maximum(worst, np.abs(every).max(initial=0.0))  # NaN goes on.
    return float(worst)
