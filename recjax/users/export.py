"""A bundle that answers users by their medoids: what `recjax serve` takes."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from recjax.bundle import tf_medoids
from recjax.bundle.medoids import IMPORTANCE, MEDOIDS, Medoids
from recjax.bundle.serving import Serving
from recjax.bundle.write import Contents, fill_bundle, write_folder
from recjax.errors import UserError
from recjax.index import scann
from recjax.index.plan import Plan
from recjax.users.folder import open_profiles, read_manifest

TOLERANCE = 1e-4
"""Largest difference of a score between the forms of a bundle."""


def export(
    profiles: Path, to: Path, most: int = 3, k: int = 100, saved_model: bool = True
) -> str:
    """Writes a bundle of the items that profiles were made with; returns what to print.

    Args:
      profiles: folder that `build` wrote.
      to: folder of the bundle.
      most: medoids of a user that are asked with, the most important.
      k: most results of an answer.
      saved_model: write a SavedModel (needs TensorFlow).

    Raises:
      UserError: the folder exists, the profiles are not readable or of other vectors,
        or the bundle's forms differ.
    """
    if to.exists():
        raise UserError(f"--to {to} exists; choose another folder")
    _, items, _ = open_profiles(profiles)
    known, settings = read_manifest(profiles), Medoids(most)
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
    about = {
        "experiment": "users",
        "data": None if known.data is None else known.data.told,
        "parameters": known.digest,
    }

    def fill(at: Path) -> dict:
        return fill_bundle(at, to, made, saved_model, TOLERANCE)

    return write_folder(about, to, fill)
