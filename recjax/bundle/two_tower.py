"""A bundle: everything that answers queries, in one folder, loaded back and compared.

vectors.npy           item embeddings f32[N, D]
items.jsonl           id and title of each item, in the order of the vectors
index/                ScaNN index, or nothing but its plan where exact is fast
towers.jaxexport.npz  the towers: feature arrays -> embeddings, cpu, cuda, tpu
inputs.json, *.jsonl  how feature arrays of queries are made from raw values
new_items/            the same of new items: from the columns of a file
saved_model/          raw features -> ids and scores, for TensorFlow
manifest.json         hashes, versions, sizes, and what the checks measured
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recjax.bundle import jax_export, saved_model, towers
from recjax.bundle.atomic import write_atomic
from recjax.bundle.towers import ITEM, NEW_ITEMS, QUERY, TOWERS
from recjax.data import inputs as raw_inputs
from recjax.data.dataset import Corpus
from recjax.errors import UserError, nearest
from recjax.evals.embed import embed_all
from recjax.index import scann_index
from recjax.train.program import Program
from recjax.train.state import State

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Bundle:
    """What an experiment says of its bundle.

    Attributes:
      corpus: whose items it retrieves.
      k: neighbours that the SavedModel returns.
      saved_model: write a SavedModel (needs TensorFlow).
      check_split: its queries are asked live and from the bundle.
      check_queries: how many of them.
      tolerance: largest difference of a score.
      min_recall: smallest share of the exact top 10 that the index must find.
    """

    corpus: str = "item"
    k: int = 100
    saved_model: bool = True
    check_split: str = "test"
    check_queries: int = 256
    tolerance: float = 1e-4
    min_recall: float = 0.9


def write_bundle(program: Program, state: State, folder: Path) -> str:
    """Writes a bundle, loads it back, compares it, and returns what was measured.

    Args:
      program: the opened experiment; its `export` holds the settings.
      state: the trained state.
      folder: where to; it appears only when everything is written and checked.

    Raises:
      UserError: the experiment exports nothing, a package is missing, or the bundle
        does not do what the live model does.
      OSError: the folder cannot be written.
    """
    spec = program.experiment.export
    if spec is None:
        raise UserError(f"experiment {program.experiment.name!r} has export=None")
    corpus = _corpus(program)

    def fill(partial: Path) -> tuple[dict[str, Any], dict[str, Any]]:
        vectors = embed_all(program, state, corpus.side, corpus.features)
        _write(program, state, spec, vectors, partial)
        facts = _check(program, state, spec, vectors, partial)
        items, width = vectors.shape
        return facts, {"corpus": spec.corpus, "items": items, "width": width}

    return write_atomic(program, state, folder, fill)


def _write(
    program: Program, state: State, spec: Bundle, vectors: np.ndarray, folder: Path
) -> None:
    dataset, corpus = program.dataset, _corpus(program)
    np.save(folder / "vectors.npy", vectors)
    with (folder / "items.jsonl").open("w") as file:
        for id, title in zip(corpus.ids, corpus.titles, strict=True):
            file.write(json.dumps({"id": id, "title": title}) + "\n")
    raw_inputs.save(folder, dataset.inputs)
    k = min(spec.k, len(vectors))
    index = scann_index.build(vectors, k)
    scann_index.save(index, folder / "index")
    model = program.experiment.model
    features = {QUERY: raw_inputs.encode_all(dataset.inputs, {}, 1)}
    names = {QUERY: QUERY}
    if corpus.reader is not None:
        names[corpus.side] = ITEM
        (folder / NEW_ITEMS).mkdir()
        corpus.reader.save(folder / NEW_ITEMS)
        features[corpus.side] = {n: a[0:1] for n, a in corpus.features.items()}
    functions = {side: towers.tower_function(model, side) for side in features}
    jax_export.save_all(
        folder / TOWERS,
        {names[side]: function for side, function in functions.items()},
        towers.prune_state(model, state, features),
        {names[side]: arrays for side, arrays in features.items()},
    )
    if spec.saved_model:
        saved_model.write(
            folder / "saved_model",
            query_fn=functions[QUERY],
            params=towers.prune_state(model, state, {QUERY: features[QUERY]}),
            inputs=dataset.inputs,
            vectors=vectors,
            item_ids=corpus.ids,
            plan=index.plan,
        )


def _check(
    program: Program, state: State, spec: Bundle, vectors: np.ndarray, folder: Path
) -> dict[str, Any]:
    """Asks the live model and the bundle the same, and compares.

    Raises:
      UserError: they differ by more than the tolerance.
    """
    from recjax.bundle.retriever import Retriever

    raw = program.dataset.raw_queries(spec.check_split, spec.check_queries)
    count = len(next(iter(raw.values())))
    features = raw_inputs.encode_all(program.dataset.inputs, raw, count)
    live = embed_all(program, state, "query", features)
    scores = live @ vectors.T
    retriever = Retriever.open(folder, verify=False)
    got = retriever.embed(raw)
    facts: dict[str, Any] = {
        "queries": len(live),
        "jax_export_score_difference": _difference(got @ retriever.vectors.T, scores),
    }
    if retriever.reader is not None:
        some = slice(0, min(spec.check_queries, len(vectors)))
        part = {n: a[some] for n, a in _corpus(program).features.items()}
        facts["new_item_difference"] = _difference(
            retriever.embed_features(ITEM, part), vectors[some]
        )
    k = min(10, len(vectors))
    best = -np.sort(-scores, axis=1)[:, :k]
    items, found = retriever.index.search(got)
    facts["index_recall_at_10"] = _recall(scores, items[:, :k], best[:, -1:])
    facts["index_score_difference"] = _difference(
        np.take_along_axis(scores, np.maximum(items, 0), 1)[items >= 0],
        found[items >= 0],
    )
    if spec.saved_model:
        served = saved_model.load(folder / "saved_model")(raw)
        places = {id: i for i, id in enumerate(_corpus(program).ids)}
        rows = np.vectorize(lambda id: places.get(id, -1))(served["ids"])
        facts["saved_model_recall_at_10"] = _recall(scores, rows[:, :k], best[:, -1:])
        facts["saved_model_score_difference"] = _difference(
            np.take_along_axis(scores, np.maximum(rows, 0), 1)[rows >= 0],
            served["scores"][rows >= 0],
        )
    for name, value in facts.items():
        if name.endswith("difference") and not value <= spec.tolerance:
            raise UserError(f"bundle check: {name} is {value}, over {spec.tolerance}")
        if "recall" in name and not value >= spec.min_recall:
            raise UserError(f"bundle check: {name} is {value}, under {spec.min_recall}")
    return facts


def _corpus(program: Program) -> Corpus:
    wanted, known = program.experiment.export.corpus, program.dataset.corpora
    if wanted not in known:
        raise UserError(
            f"export.corpus = {wanted!r}: the data has {sorted(known)}."
            + nearest(wanted, known)
        )
    return known[wanted]


def _difference(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.max(np.abs(one - other), initial=0.0))


def _recall(scores: np.ndarray, items: np.ndarray, worst: np.ndarray) -> float:
    """Returns the share of found items that score like the exact top (ties count)."""
    found = np.take_along_axis(scores, np.maximum(items, 0), 1)
    return float(np.mean((found >= worst - 1e-5) & (items >= 0)))
