"""A bundle of a model with towers: queries, items, and new items of both kinds."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from recjax.bundle import fusion, signatures, tf_fusion
from recjax.bundle.check import Function
from recjax.bundle.contract import EMBED
from recjax.bundle.functions import features_read, prune_state, tower_function
from recjax.bundle.open import INPUTS
from recjax.bundle.serving import BATCH_SIZES, Serving
from recjax.bundle.write import Contents, write_bundle
from recjax.data import inputs as raw_inputs
from recjax.data.dataset import Corpus, HasInputs, HasQueries
from recjax.data.image_input import ImageInput
from recjax.data.inputs import AgeListInput, Input, encode_all, source
from recjax.errors import UserError, nearest
from recjax.evals.embed import embed_all
from recjax.evals.fused import FusedParts, fuse
from recjax.evals.fusion import Fusion
from recjax.evals.fusion_choice import choice_of
from recjax.evals.split_queries import SplitQueries
from recjax.images.decode import as_jpeg
from recjax.index import scann
from recjax.index.compact import Type, compact, loss
from recjax.index.plan import MOST_QUERIES, Plan
from recjax.train.program import Program
from recjax.train.state import State

QUERY, ITEM = "query", "item"  # Whatever the sides of the model are called.
VALIDATION = "validation"
Queries = tuple[dict[str, list], Mapping[str, np.ndarray], np.ndarray]
"""Raw values, features and vectors of some queries."""


@dataclass(frozen=True)
class Bundle:
    """What an experiment says of its bundle.

    Attributes:
      corpus: whose items it retrieves.
      k: most results of an answer when it is served.
      batch_sizes: rows that are asked at once when it is served, rising.
      saved_model: write a SavedModel (needs TensorFlow).
      vectors: type of the item vectors: fewer bits take less memory, but cost recall,
        which the report tells, and exact search some time.
      check_split: its queries are asked live and from the bundle.
      check_queries: how many of them.
      tolerance: largest difference of a score.
      index_recall: share of the exact top 10, and of the exact top `k`, that the index
        is to find of validation queries: its plan is the fastest that does.
      min_recall: smallest share of the exact top 10 that the index must find of the
        queries of `check_split`.
      fusion: what is added up to find items, the model among it or not; its settings,
        shapes and weights are chosen when it is exported. None: the model alone.
    """

    corpus: str = "item"
    k: int = 100
    batch_sizes: tuple[int, ...] = BATCH_SIZES
    saved_model: bool = True
    vectors: Type = "float32"
    check_split: str = "test"
    check_queries: int = 256
    tolerance: float = 1e-4
    index_recall: float = 0.99
    min_recall: float = 0.9
    fusion: Fusion | None = None

    def _corpus(self, program: Program) -> Corpus:
        known = getattr(program.dataset, "corpora", {})
        if self.corpus not in known:
            raise UserError(
                f"export.corpus = {self.corpus!r}: the data has {sorted(known)}."
                + nearest(self.corpus, known)
            )
        return known[self.corpus]

    def write(self, program: Program, state: State, folder: Path) -> str:
        """See `write_bundle`."""
        made, limits = (
            self.contents,
            (self.saved_model, self.tolerance, self.min_recall),
        )
        return write_bundle(program, state, folder, made, *limits)

    def _fused(self, program: Program, state: State) -> FusedParts:
        data = program.dataset
        assert self.fusion is not None and isinstance(data, HasQueries)
        if self.vectors != "float32":
            raise UserError(
                f'export.vectors = "{self.vectors}": a fusion scores all items and '
                'takes "float32" alone; leave it out, or the fusion: '
                "--set export.fusion=None"
            )
        choose = partial(choice_of, self.fusion, SplitQueries(), program, state)
        found = fuse(self.fusion, data, self.corpus, choose)
        if self.saved_model:
            tf_fusion.check(found)
        return found

    def contents(self, program: Program, state: State) -> Contents:
        """Returns what the bundle holds."""
        model, data = program.experiment.model, program.dataset
        corpus, some = self._corpus(program), slice(0, self.check_queries)
        if not isinstance(data, HasInputs):
            raise UserError(
                "export = Bundle(...): this data has no queries by raw values"
            )
        fused = None if self.fusion is None else self._fused(program, state)
        inputs = _read(model, state, data.inputs, fused)
        names = {source(name, inputs) for name in inputs}

        def queries(split: str, count: int) -> Queries:
            raw = data.raw_queries(split, count)
            raw = {name: values for name, values in raw.items() if name in names}
            raw |= _jpegs(raw, inputs)
            features = encode_all(inputs, raw, len(next(iter(raw.values()))))
            return raw, features, embed_all(program, state, QUERY, features)

        raw, features, live = queries(self.check_split, self.check_queries)
        vectors = embed_all(program, state, corpus.side, corpus.features)
        stored = compact(vectors, self.vectors)
        k, index, scores = min(self.k, len(vectors)), None, None
        if fused is not None:
            rows = {id: row for row, id in enumerate(corpus.ids)}
            given = fusion.raw_queries(raw, len(live), rows)
            scores = fused.scores(given, live @ vectors.T)
        else:
            asked = None
            if len(vectors) >= scann.EXACT_BELOW:
                with suppress(UserError):  # Without validation, items ask.
                    asked = queries(VALIDATION, MOST_QUERIES)[2]
            index = scann.build(stored, k, asked, self.index_recall)
        measured = loss(vectors, stored, live)
        measured |= index.measured if isinstance(index, scann.Scann) else {}
        sides = {QUERY: QUERY}
        functions = {
            QUERY: Function(
                tower_function(model, QUERY),
                features,
                live,
                lambda saved: lambda _: saved[EMBED](raw)["embedding"],
                raw=raw,
                scores=scores,
            )
        }
        if corpus.reader is not None:
            sides[ITEM] = corpus.side
            example = {name: array[some] for name, array in corpus.features.items()}
            call = tower_function(model, corpus.side)
            functions[ITEM] = Function(call, example, vectors[some])

        held = prune_state(
            model,
            state,
            {side: functions[name].example for name, side in sides.items()},
        )

        def save(folder: Path) -> None:
            (folder / INPUTS).mkdir()
            raw_inputs.save(folder / INPUTS, inputs)
            if corpus.reader is not None:
                corpus.reader.save(folder / INPUTS)
            if fused is not None:
                fusion.save(fused, folder)

        graphs = partial(
            signatures.queries,
            inputs=inputs,
            vectors=stored,
            item_ids=corpus.ids,
            plan=index.plan if isinstance(index, scann.Scann) else Plan(k),
            item=functions[ITEM].example if ITEM in functions else None,
            fused=fused,
        )
        serving = Serving(k, self.batch_sizes)
        items = corpus.ids, corpus.titles, stored
        how = serving, index, measured
        columns = {"columns": corpus.table}
        return Contents(*items, functions, held, save, graphs, *how, **columns)


def _jpegs(
    raw: Mapping[str, list], inputs: Mapping[str, Input]
) -> dict[str, list[bytes | None]]:
    """Returns photographs as JPEGs, which a SavedModel takes alone."""
    names = {kind.column for kind in inputs.values() if isinstance(kind, ImageInput)}
    return {name: [one and as_jpeg(one) for one in raw[name]] for name in names}


def _read(
    model: Any, state: State, inputs: Mapping[str, Input], fused: FusedParts | None
) -> dict[str, Input]:
    """Returns the inputs that the query tower reads, and those these are made with."""
    blank = encode_all(inputs, {}, 1)
    read = features_read(model, QUERY, state, blank)
    ages = [i for n, i in inputs.items() if n in read and isinstance(i, AgeListInput)]
    read |= {one.of for one in ages}
    for part in fused.every.values() if fused else ():
        needs = getattr(part.scorer, "needs", ())
        if "texts" in needs and "text" not in {source(n, inputs) for n in read}:
            read |= {"text"}
        if "history" in needs:
            read |= {"history", "history_age"} & inputs.keys()
    return {name: input for name, input in inputs.items() if name in read}
