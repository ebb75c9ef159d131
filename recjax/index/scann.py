"""An index over item vectors: exact when they are few, ScaNN when they are many.

One `Plan` describes the index; the NumPy searcher and the TensorFlow searcher are both
built from it. A small corpus is searched exactly, which needs no ScaNN. A large one
uses a k-means tree of sqrt(N) leaves, asymmetric hashing with anisotropic quantisation
(Guo et al., 2020) and exact re-scoring of the best; how many leaves are visited and how
many candidates re-scored is measured when it is built. SOAR is left out: ScaNN's
TensorFlow operations lack it. ScaNN has wheels for Linux on x86-64 only; elsewhere the
index is exact.
"""

from __future__ import annotations

import contextlib
import json
import math
import sys
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from recjax.errors import UserError
from recjax.extras import require_tensorflow
from recjax.index.compact import Compact, Vectors
from recjax.index.exact import Exact, finite_matrix
from recjax.index.plan import Plan, Step, some_queries, tune

EXACT_BELOW = 20_000  # Items. Below this an exact search takes about a millisecond.
FOLDER, _PLAN, _ASSETS = "index", "plan.json", "scann_assets.pbtxt"


@dataclass(frozen=True)
class Scann:
    """ScaNN's index; `exact` answers where more than the plan's `k` are asked for.

    Attributes:
      plan: how it is searched.
      searcher: ScaNN's own.
      exact: the same vectors.
      measured: what was measured when it was built.
    """

    plan: Plan
    searcher: Any
    exact: Exact
    measured: Mapping[str, Any] = field(default_factory=dict)

    def search(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns (items i32[Q, K], scores f32[Q, K]); see `Exact.search`.

        Where ScaNN finds fewer than K, the rest is item -1 with score -inf.
        """
        if not 1 <= k <= self.plan.k or not len(queries):
            return self.exact.search(queries, k)
        width = self.exact.vectors.shape[1]
        queries = finite_matrix("queries", queries, width).astype(np.float32)
        step = self.plan.step(k)
        items, scores = self.searcher.search_batched(
            queries, k, step.reorder, step.leaves
        )
        missing = np.isnan(scores)
        items = np.where(missing, -1, items.astype(np.int32))
        return items, np.where(missing, np.float32(-np.inf), scores)


Index = Exact | Scann


def build(
    vectors: Vectors,
    k: int,
    queries: np.ndarray | None = None,
    target: float = 0.99,
) -> Index:
    """Returns an index over `vectors` [N, D] for `k` results a query.

    Without ScaNN a large corpus is searched exactly too, with a warning.

    Args:
      vectors: of the items.
      k: most results.
      queries: such as users will ask, f32[Q, D], to choose the plan with; without any,
        vectors of items drawn with a seed.
      target: share of the exact top 10, and of the exact top `k`, that is to be found.

    Raises:
      UserError: `vectors` is not a finite matrix, or `k` is not in 1..N.
    """
    exact, size = Exact(vectors), len(vectors)
    if not 1 <= k <= size:
        raise UserError(f"k = {k} results from {size} items; use 1..{size}")
    scann = _scann(size) if size >= EXACT_BELOW else None
    if scann is None:
        return exact
    said = "validation queries"
    if queries is None or not len(queries):
        drawn = np.random.default_rng(0).choice(size, min(size, 1_000), replace=False)
        queries, said = exact.vectors[drawn], "vectors of items"
    asked = some_queries(queries.astype(np.float32), size)
    leaves = round(math.sqrt(size))
    searcher = _build(scann, exact.vectors, k, leaves)

    def search(queries: np.ndarray, step: Step) -> np.ndarray:
        how = step.results, step.reorder, step.leaves
        return searcher.search_batched(queries, *how)[1]

    plan, facts = tune(search, exact.search, asked, k, leaves, target)
    facts = {"index_tuned_on": f"{len(asked)} {said}", **facts}
    return Scann(plan, searcher, exact, facts)


def build_tf(vectors: Vectors, plan: Plan) -> Any:
    """Returns a tf.Module that holds a ScaNN searcher for `search_tf`.

    The module that is saved holds it, under the namespace "Scann".

    Raises:
      UserError: ScaNN or TensorFlow is not installed.
    """
    searcher = _build(require_scann_tf(), vectors, plan.k, plan.leaves)
    return searcher.serialize_to_module()


def search_tf(module: Any, plan: Plan, queries: Any, k: Any) -> tuple[Any, Any]:
    """Returns tensors (items i32[Q, K], scores f32[Q, K]) inside a tf.function.

    As `Scann.search`: where fewer than K are found, item -1 with score -inf. `k` is a
    number or a tensor; it may be above the plan's.
    """
    import tensorflow as tf

    searcher = require_scann_tf().searcher_from_module(module)
    known = tf.constant([step.results for step in plan.steps[:-1]], tf.int32)
    at = tf.reduce_sum(tf.cast(known < k, tf.int32))
    reorder = tf.gather([step.reorder for step in plan.steps], at)
    leaves = tf.gather([step.leaves for step in plan.steps], at)
    items, scores = searcher.search_batched(queries, k, tf.maximum(reorder, k), leaves)
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
        # By its whole name: see `_without_tensorflow`.
        from scann.scann_ops.py import scann_ops
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
    vectors = index.exact.vectors
    kind = f"{vectors.type}_" if isinstance(vectors, Compact) else ""
    (place / f"{kind}dataset.npy").unlink()
    assets = (place / _ASSETS).read_text()
    assets = assets.replace(f'"{kind}dataset.npy"', '"../vectors.npy"')
    (place / _ASSETS).write_text(assets)
    (place / _PLAN).write_text(json.dumps(asdict(index.plan), indent=1) + "\n")


def load(folder: Path, vectors: Vectors) -> Index:
    """Returns the index of the vectors [N, D] that a folder holds as vectors.npy.

    Raises:
      UserError: a file is missing or broken, or a vector is not finite.
    """
    place, exact = folder / FOLDER, Exact(vectors, name=f"{folder / 'vectors.npy'}")
    scann = _scann(len(vectors)) if place.is_dir() else None
    if scann is None:
        return exact
    try:
        told = json.loads((place / _PLAN).read_text())
        steps = tuple(Step(**step) for step in told.pop("steps"))
        plan = Plan(**told, steps=steps)
        assets = (place / _ASSETS).read_text()
        # ScaNN's own `load_searcher` would unpickle a file of the folder.
        found = scann.scann_pybind.ScannNumpy(str(place), assets)
    except (OSError, ValueError, TypeError, RuntimeError) as error:
        raise UserError(
            f"{place}: no whole index ({error}); export the bundle anew"
        ) from error
    return Scann(plan, scann.ScannSearcher(found), exact)


def _scann(size: int) -> Any:
    """Returns ScaNN's NumPy API; None, and a warning, where it is not installed."""
    try:
        with _without_tensorflow():
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


@contextlib.contextmanager
def _without_tensorflow() -> Iterator[None]:
    """Keeps ScaNN from importing TensorFlow, 7 CPU-seconds, where it is installed.

    ScaNN then leaves out its TensorFlow operations, as it does where it is not.
    """
    name = "tensorflow"
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore
    try:
        yield
    finally:
        del sys.modules[name]


def _build(operations: Any, vectors: Vectors, k: int, leaves: int) -> Any:
    from scann.scann_ops.py.scann_builder import ReorderType

    kind = vectors.type if isinstance(vectors, Compact) else "float32"
    whole = finite_matrix("vectors", np.asarray(vectors))
    tree = operations.builder(whole, k, "dot_product").tree(
        num_leaves=leaves,
        # Plans say how many are visited and re-scored.
        num_leaves_to_search=leaves,
        training_sample_size=min(len(vectors), 250_000),
    )
    hashed = tree.score_ah(2, anisotropic_quantization_threshold=0.2)
    return hashed.reorder(k, ReorderType[kind.upper()]).build()
