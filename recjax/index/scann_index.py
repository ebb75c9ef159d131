"""Top-k by dot product over item vectors: exact when small, ScaNN when large.

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

EXACT_BELOW = 20_000  # Items. Below this an exact search takes about a millisecond.
_BLOCK_SCORES = 1 << 24  # Scores held at once by an exact search: 64 MiB.
_PLAN, _VECTORS = "plan.json", "vectors.npy"


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
class Index:
    """A searchable corpus; exact where `vectors` is set, else a ScaNN searcher."""

    plan: Plan
    dim: int
    vectors: np.ndarray | None
    scann: Any | None

    def search(self, queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns (items i32[Q, K], scores f32[Q, K]), best first.

        Where ScaNN finds fewer than K, the rest is item -1 with score -inf.

        Raises:
          UserError: `queries` is not a finite f32[Q, D].
        """
        if self.vectors is not None:
            return exact_search(queries, self.vectors, self.plan.k)
        queries = finite_matrix("queries", queries, self.dim)
        if not len(queries):
            shape = (0, self.plan.k)
            return np.zeros(shape, np.int32), np.zeros(shape, np.float32)
        items, scores = self.scann.search_batched(queries)
        missing = np.isnan(scores)
        items = np.where(missing, -1, items.astype(np.int32))
        return items, np.where(missing, np.float32(-np.inf), scores)


def build(vectors: np.ndarray, k: int) -> Index:
    """Returns an index over `vectors` f32[N, D] for `k` results a query.

    Without ScaNN a large corpus is searched exactly too, with a warning.

    Raises:
      UserError: `vectors` is not a finite matrix, or `k` is not in 1..N.
    """
    vectors = finite_matrix("vectors", vectors)
    chosen = plan(len(vectors), k)
    if chosen.leaves:
        try:
            from scann import scann_ops_pybind
        except ImportError:
            warnings.warn(
                f"ScaNN is not installed, so all {len(vectors)} items are searched "
                "exactly. pip install 'recjax[scann]' (there are wheels for Linux on "
                "x86-64, Python 3.9 to 3.13) makes large corpora faster.",
                stacklevel=2,
            )
            chosen = Plan(k)
        else:
            searcher = _build(scann_ops_pybind, vectors, chosen)
            return Index(chosen, vectors.shape[1], None, searcher)
    return Index(chosen, vectors.shape[1], vectors, None)


def build_tf(vectors: np.ndarray, chosen: Plan) -> Any:
    """Returns a tf.Module that holds a ScaNN searcher for `search_tf`.

    Keep it on the module that is saved, and save with
    `tf.saved_model.SaveOptions(namespace_whitelist=["Scann"])`.

    Args:
      vectors: f32[N, D].
      chosen: a plan with leaves.

    Raises:
      UserError: ScaNN or TensorFlow is not installed.
    """
    searcher = _build(require_scann_tf(), finite_matrix("vectors", vectors), chosen)
    return searcher.serialize_to_module()


def search_tf(module: Any, queries: Any, k: int) -> tuple[Any, Any]:
    """Returns tensors (items i32[Q, K], scores f32[Q, K]) inside a tf.function.

    As `Index.search`: where fewer than K are found, item -1 with score -inf.
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


def exact_search(
    queries: np.ndarray, vectors: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the exact (items i32[Q, K], scores f32[Q, K]), best first.

    Equal scores are ordered by item. Memory is bounded by blocks of queries.

    Args:
      queries: f32[Q, D].
      vectors: f32[N, D].
      k: results a query, at most N.

    Raises:
      UserError: an array is not a finite matrix, sizes differ, or `k` is not in 1..N.
    """
    vectors = finite_matrix("vectors", vectors)
    queries = finite_matrix("queries", queries, vectors.shape[1])
    if not 1 <= k <= len(vectors):
        raise UserError(f"k = {k} results from {len(vectors)} items")
    items = np.empty((len(queries), k), np.int32)
    scores = np.empty((len(queries), k), np.float32)
    block = max(1, _BLOCK_SCORES // len(vectors))
    for start in range(0, len(queries), block):
        rows = slice(start, start + block)
        items[rows], scores[rows] = _top(queries[rows] @ vectors.T, k)
    return items, scores


def finite_matrix(name: str, values: np.ndarray, dim: int | None = None) -> np.ndarray:
    """Returns `values` as f32[any, dim].

    Raises:
      UserError: the shape differs or a value is not finite; the message names it.
    """
    values = np.ascontiguousarray(values, np.float32)
    if values.ndim != 2 or values.shape[1] != (dim or values.shape[1]):
        wanted = f"[any, {dim or 'D'}]"
        raise UserError(f"{name}: shape {list(values.shape)}, but it must be {wanted}")
    finite = np.isfinite(values).all(1)
    if not finite.all():
        row = int(np.argmin(finite))
        raise UserError(f"{name}: row {row} holds NaN or infinity; fix the model")
    return values


def save(index: Index, folder: str | Path) -> None:
    """Writes the index into `folder`, which may be moved afterwards."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"dim": index.dim} | asdict(index.plan), indent=1)
    (folder / _PLAN).write_text(text + "\n")
    if index.vectors is not None:
        np.save(folder / _VECTORS, index.vectors)
    else:
        index.scann.serialize(str(folder), relative_path=True)


def load(folder: str | Path) -> Index:
    """Reads what `save` wrote.

    Raises:
      UserError: a file is missing or broken, or the index needs ScaNN and it is not
        installed.
    """
    folder = Path(folder)
    try:
        fields = json.loads((folder / _PLAN).read_text())
        dim = int(fields.pop("dim"))
        chosen = Plan(**fields)
        if not chosen.leaves:
            vectors = np.load(folder / _VECTORS, allow_pickle=False)
            return Index(
                chosen, dim, finite_matrix(f"{folder / _VECTORS}", vectors), None
            )
    except (OSError, ValueError, TypeError, KeyError, EOFError) as error:
        raise UserError(
            f"{folder}: not a complete index ({error}); export it anew"
        ) from error
    try:
        from scann import scann_ops_pybind
    except ImportError as error:
        raise UserError(
            f"{folder}: this index needs ScaNN: pip install 'recjax[scann]', or search "
            "the item vectors with recjax.index.scann_index.exact_search"
        ) from error
    try:
        searcher = scann_ops_pybind.load_searcher(str(folder), False)
    except (OSError, ValueError, RuntimeError) as error:
        raise UserError(
            f"{folder}: ScaNN cannot read this index ({error}); export it anew"
        ) from error
    return Index(chosen, dim, None, searcher)


def _build(operations: Any, vectors: np.ndarray, chosen: Plan) -> Any:
    tree = operations.builder(vectors, chosen.k, "dot_product").tree(
        num_leaves=chosen.leaves,
        num_leaves_to_search=chosen.leaves_to_search,
        training_sample_size=min(len(vectors), 250_000),
    )
    hashed = tree.score_ah(2, anisotropic_quantization_threshold=0.2)
    return hashed.reorder(chosen.reorder).build()


def _top(scores: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    lowest = np.partition(scores, -k, axis=1)[:, -k, None]
    above, equal = scores > lowest, scores == lowest
    room = k - above.sum(1, keepdims=True)
    kept = above | (equal & (equal.cumsum(1, dtype=np.int32) <= room))
    items = np.nonzero(kept)[1].reshape(len(scores), k)
    best = np.take_along_axis(scores, items, 1)
    order = np.argsort(-best, axis=1, kind="stable")
    return np.take_along_axis(items, order, 1), np.take_along_axis(best, order, 1)
