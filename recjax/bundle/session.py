"""A bundle of a session model: the step that serves users, and the items they meet.

vectors.npy         item vectors f32[N, D], the bias in the last number
items.jsonl         id of each item, in the order of the vectors
step.jaxexport.npz  one event: arrays and memory -> query and memory; cpu, cuda, tpu
empty.npz           the memory of a user that nobody met
session.json        when a session ends
pairs.json, .npz    features of pairs that join the scores
saved_model/        the step and the scores, for TensorFlow
manifest.json       hashes, versions, sizes, and what the checks measured
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recjax.bundle import jax_export, session_saved_model
from recjax.bundle.atomic import write_atomic
from recjax.bundle.session_pairs import write_pairs
from recjax.bundle.session_step import (
    empty_memory,
    held_arrays,
    step_arrays,
    step_function,
)
from recjax.errors import UserError
from recjax.evals.embed import embed_all
from recjax.evals.model import session_data
from recjax.train.program import Program
from recjax.train.state import State

STEP = "step.jaxexport.npz"


@dataclass(frozen=True)
class SessionBundle:
    """What an experiment says of its bundle.

    Attributes:
      idle: seconds without an event that end a session when served; None: sessions end
        when they are told to.
      saved_model: write a SavedModel (needs TensorFlow).
      check_events: events of a made-up user that are asked live and from the bundle.
      tolerance: largest difference of a score.
    """

    idle: int | None = None
    saved_model: bool = True
    check_events: int = 8
    tolerance: float = 1e-4

    def write(self, program: Program, state: State, folder: Path) -> str:
        """Writes a bundle, loads it back, compares it, and says what was measured.

        Raises:
          UserError: a package is missing, or the bundle does not do what the live model
            does.
          OSError: the folder cannot be written.
        """
        return write_atomic(
            program, state, folder, lambda at: (self._write(program, state, at), {})
        )

    def _write(self, program: Program, state: State, folder: Path) -> dict[str, Any]:
        model, data = program.experiment.model, session_data(program)
        ids = data.sessions.item_ids
        vectors = embed_all(program, state, "candidate", data.corpora["item"].features)
        np.save(folder / "vectors.npy", vectors)
        with (folder / "items.jsonl").open("w") as file:
            for id in ids:
                file.write(json.dumps({"id": id, "title": ""}) + "\n")
        empty, step = empty_memory(model), step_function(model)
        np.savez(
            folder / "empty.npz", **{k.replace("/", "."): v for k, v in empty.items()}
        )
        held = held_arrays(state.params, state.tables, data.fixed)
        arrays = step_arrays(empty, 1)
        jax_export.save(folder / STEP, step, held, arrays)
        (folder / "session.json").write_text(json.dumps({"idle": self.idle}) + "\n")
        write_pairs(folder, data.pairs.values)
        if self.saved_model:
            session_saved_model.write(
                folder / "saved_model", step, held, arrays, vectors, data.pairs.size
            )
        return self._check(step, held, empty, vectors, folder)

    def _check(
        self, step: Any, held: Any, empty: Any, vectors: np.ndarray, folder: Path
    ) -> dict[str, Any]:
        """Feeds the same events to the live step and to what was written."""
        saved = {"jax_export": jax_export.load(folder / STEP)}
        if self.saved_model:
            saved["saved_model"] = session_saved_model.load(folder / "saved_model")
        random = np.random.default_rng(0)
        items = random.integers(1, len(vectors) + 1, self.check_events)
        facts: dict[str, Any] = {"events": self.check_events}
        for name, other in saved.items():
            one = two = step_arrays(empty, 1)
            worst = 0.0
            for age, item in enumerate(items):
                # Sessions of three events, an hour apart.
                at = {
                    "item": item,
                    "position": age % 3,
                    "age": age,
                    "gap": 3_600 * (age > 2),
                }
                one, two = (_asked(arrays, at) for arrays in (one, two))
                one, two = {**one, **step(held, one)}, {**two, **other(two)}
                apart = (np.asarray(one.pop("user")) - two.pop("user"))[0]
                width = vectors.shape[1]
                apart = np.append(vectors @ apart[:width], apart[width:])
                worst = max(worst, float(np.abs(apart).max()))
            facts[f"{name}_score_difference"] = worst
            if not worst <= self.tolerance:
                raise UserError(
                    f"bundle check: {name} scores differ by {worst}, over "
                    f"{self.tolerance}"
                )
        return facts


def _asked(arrays: dict[str, Any], at: dict[str, Any]) -> dict[str, Any]:
    new = {name: np.full_like(arrays[name], value) for name, value in at.items()}
    return {**{name: np.asarray(array) for name, array in arrays.items()}, **new}
