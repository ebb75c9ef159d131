"""An index over item vectors: exact when they are few, ScaNN when they are many.

One `Plan` describes the index; the NumPy searcher and the TensorFlow searcher are both
built from it. A small corpus is searched exactly, which needs no ScaNN. A large one
uses a k-means tree, asymmetric hashing with anisotropic quantisation (Guo et al., 2020)
and exact re-scoring of the best. SOAR is left out: ScaNN's TensorFlow operations lack
it. ScaNN has wheels for Linux on x86-64 only; elsewhere the index is exact.
"""

from __future__ import annotations

import json
import math
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recjax.errors import UserError
from recjax.extras import require_tensorflow
from recjax.index.exact import Exact, finite_matrix

EXACT_BELOW = 20_000  # Items. Below this an exact search takes about a millisecond.
FOLDER, _PLAN, _ASSETS = "index", "plan.json", "scann_assets.pbtxt"


@dataclass(frozen=True)
class Plan:
    """How to search.

    Attributes:
      k: results a query, K.
      leaves: partitions of the corpus; 0 searches every vector exactly.
      leaves_to_search: partitions that a query visits.
      reorder: candidates that are re-scored exactly.
    """

    k: int
    leaves: int = 0
    leaves_to_search: int = 0
    reorder: int = 0


def plan(num_items: int, k: int) -> Plan:
    """Returns the plan for a corpus of `num_items` vectors.

    About sqrt(N) leaves; a tenth of them is searched, but at least 64 and enough to see
    50 items a result; twenty candidates a result are re-scored.

    Raises:
      UserError: `k` is not in 1..num_items.
    """
    if not 1 <= k <= num_items:
        raise UserError(f"k = {k} results from {num_items} items; use 1..{num_items}")
    if num_items < EXACT_BELOW:
        return Plan(k)
    leaves = round(math.sqrt(num_items))
    enough = math.ceil(50 * k * leaves / num_items)
    return Plan(
        k=k,
        leaves=leaves,
        leaves_to_search=min(leaves, max(leaves // 10, 64, enough)),
        reorder=min(num_items, max(200, 20 * k)),
    )


@dataclass(frozen=True)
class Scann:
    """ScaNN's index; `exact` answers where more than the plan's `k` are asked for."""

    plan: Plan
    searcher: Any
    exact: Exact

    def search(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns (items i32[Q, K], scores f32[Q, K]); see `Exact.search`.

        Where ScaNN finds fewer than K, the rest is item -1 with score -inf.
        """
        if not 1 <= k <= self.plan.k or not len(queries):
            return self.exact.search(queries, k)
        width = self.exact.vectors.shape[1]
        queries = finite_matrix("queries", queries, width).astype(np.float32)
        items, scores = self.searcher.search_batched(queries, k)
        missing = np.isnan(scores)
        items = np.where(missing, -1, items.astype(np.int32))
        return items, np.where(missing, np.float32(-np.inf), scores)


Index = Exact | Scann


def build(vectors: np.ndarray, k: int) -> Index:
    """Returns an index over `vectors` f32[N, D] for `k` results a query.

    Without ScaNN a large corpus is searched exactly too, with a warning.

    Raises:
      UserError: `vectors` is not a finite matrix, or `k` is not in 1..N.
    """
    exact, chosen = Exact(vectors), plan(len(vectors), k)
    scann = _scann(len(vectors)) if chosen.leaves else None
    if scann is None:
        return exact
    return Scann(chosen, _build(scann, exact.vectors, chosen), exact)


def build_tf(vectors: np.ndarray, chosen: Plan) -> Any:
    """Returns a tf.Module that holds a ScaNN searcher for `search_tf`.

    The module that is saved holds it, under the namespace "Scann".

    Raises:
      UserError: ScaNN or TensorFlow is not installed.
    """
    searcher = _build(require_scann_tf(), finite_matrix("vectors", vectors), chosen)
    return searcher.serialize_to_module()


def search_tf(module: Any, queries: Any, k: int) -> tuple[Any, Any]:
    """Returns tensors (items i32[Q, K], scores f32[Q, K]) inside a tf.function.

    As `Scann.search`: where fewer than K are found, item -1 with score -inf.
    """
    import tensorflow as tf

    searcher = require_scann_tf().searcher_from_module(module)
    items, scores = searcher.search_batched(queries, final_num_neighbors=k)
    missing = tf.math.is_nan(scores)
    scores = tf.where(missing, -math.inf, scores)
    return tf.where(missing, -1, items), scores


def require_scann_tf() -> Any:
    """Returns ScaNN's TensorFlow operations, which loading such a graph needs too.

    Raises:
      UserError: ScaNN or TensorFlow is not installed.
    """
    tf = require_tensorflow()
    try:
        from scann import scann_ops
    except (ImportError, tf.errors.OpError) as error:
        raise UserError(
            f"ScaNN inside a SavedModel cannot be loaded ({error}): "
            "pip install 'recjax[savedmodel,scann]'; ScaNN 1.4.2 needs TensorFlow 2.20"
        ) from error
    return scann_ops


def save(index: Index, folder: Path) -> None:
    """Writes what ScaNN needs into `folder`, which holds the vectors as vectors.npy.

    Of an exact index nothing is written. The folder may be moved afterwards.
    """
    if isinstance(index, Exact):
        return
    place = folder / FOLDER
    place.mkdir()
    index.searcher.serialize(str(place), relative_path=True)
    # The vectors lie in the folder once.
    (place / "dataset.npy").unlink()
    assets = (place / _ASSETS).read_text()
    (place / _ASSETS).write_text(assets.replace('"dataset.npy"', '"../vectors.npy"'))
    (place / _PLAN).write_text(json.dumps(asdict(index.plan), indent=1) + "\n")


def load(folder: Path, vectors: np.ndarray) -> Index:
    """Returns the index of the vectors [N, D] that a folder holds as vectors.npy.

    Raises:
      UserError: a file is missing or broken, or a vector is not finite.
    """
    place, exact = folder / FOLDER, Exact(vectors, name=f"{folder / 'vectors.npy'}")
    scann = _scann(len(vectors)) if place.is_dir() else None
    if scann is None:
        return exact
    try:
        chosen = Plan(**json.loads((place / _PLAN).read_text()))
        assets = (place / _ASSETS).read_text()
        # ScaNN's own `load_searcher` would unpickle a file of the folder.
        found = scann.scann_pybind.ScannNumpy(str(place), assets)
    except (OSError, ValueError, TypeError, RuntimeError) as error:
        raise UserError(
            f"{place}: no whole index ({error}); export the bundle anew"
        ) from error
    return Scann(chosen, scann.ScannSearcher(found), exact)


def _scann(size: int) -> Any:
    """Returns ScaNN's NumPy API; None, and a warning, where it is not installed."""
    try:
        from scann import scann_ops_pybind
    except ImportError:
        warnings.warn(
            f"ScaNN is not installed, so all {size} items are searched exactly. "
            "pip install 'recjax[scann]' (there are wheels for Linux on x86-64, Python "
            "3.9 to 3.13) makes large corpora faster.",
            stacklevel=3,
        )
        return None
    return scann_ops_pybind


def _build(operations: Any, vectors: np.ndarray, chosen: Plan) -> Any:
    tree = operations.builder(vectors, chosen.k, "dot_product").tree(
        num_leaves=chosen.leaves,
        num_leaves_to_search=chosen.leaves_to_search,
        training_sample_size=min(len(vectors), 250_000),
    )
    hashed = tree.score_ah(2, anisotropic_quantization_threshold=0.2)
    return hashed.reorder(chosen.reorder).build()
