"""Writing a bundle that answers users by their medoids."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from recjax.bundle import tf_medoids
from recjax.bundle.medoids import IMPORTANCE, MEDOIDS, Medoids
from recjax.bundle.serving import Serving
from recjax.bundle.write import Contents, fill_bundle, write_folder
from recjax.errors import UserError
from recjax.index import scann
from recjax.index.item_vectors import ItemVectors
from recjax.index.plan import Plan

TOLERANCE = 1e-4
"""Largest difference of a score between the forms of a bundle."""


def export(
    items: ItemVectors,
    about: Mapping[str, Any],
    to: Path,
    most: int,
    k: int,
    saved_model: bool,
) -> str:
    """Writes a bundle of items, and says what was measured.

    Args:
      items: among which medoids are, and candidates are found.
      about: what the manifest is to say of them.
      to: folder of the bundle.
      most: medoids of a user that are asked with, the most important.
      k: most results of an answer.
      saved_model: write a SavedModel (needs TensorFlow).

    Raises:
      UserError: the folder exists, a vector has no direction, a number is not
        positive, or the bundle's forms differ.
    """
    settings = Medoids(most)
    if to.exists():
        raise UserError(f"--to {to} exists; choose another folder")
    vectors = items.unit(np.arange(len(items.ids)))
    serving = Serving(min(k, len(vectors)))
    index = scann.build(vectors, serving.k)
    plan = index.plan if isinstance(index, scann.Scann) else Plan(serving.k)
    made = Contents(
        items.ids,
        items.titles,
        vectors,
        functions={},
        held={},
        save=settings.save,
        graphs=partial(tf_medoids.graphs, vectors, items.ids, plan, settings),
        serving=serving,
        index=index,
        measured=index.measured if isinstance(index, scann.Scann) else {},
        asked={MEDOIDS: [items.ids[:1]], IMPORTANCE: [[1.0]]},
    )

    def fill(at: Path) -> dict:
        return fill_bundle(at, to, made, saved_model, TOLERANCE)

    return write_folder(about, to, fill)
