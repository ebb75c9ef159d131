"""A bundle of a model with towers: queries, items, and new items of both kinds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from recjax.bundle import signatures
from recjax.bundle.check import Limits, Trial
from recjax.bundle.functions import features_read, prune_state, tower_function
from recjax.bundle.open import INPUTS
from recjax.bundle.write import Contents, write_bundle
from recjax.data import inputs as raw_inputs
from recjax.data.dataset import Corpus
from recjax.data.inputs import AgeListInput, Input, encode_all, source
from recjax.errors import UserError, nearest
from recjax.evals.embed import embed_all
from recjax.index import scann
from recjax.train.program import Program
from recjax.train.state import State

QUERY, ITEM = "query", "item"
"""What a bundle calls its functions, whatever the sides of the model are called."""


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

    def write(self, program: Program, state: State, folder: Path) -> str:
        """Writes a bundle, loads it back, compares it, and says what was measured.

        Raises:
          UserError: the data has no such corpus, a package is missing, or the bundle
            does not do what the live model does.
          OSError: the folder cannot be written.
        """
        corpus = self._corpus(program)
        return write_bundle(
            program,
            state,
            folder,
            lambda: self._contents(program, state, corpus),
            self.saved_model,
            Limits(self.tolerance, self.min_recall),
        )

    def _corpus(self, program: Program) -> Corpus:
        known = getattr(program.dataset, "corpora", {})
        if self.corpus not in known:
            raise UserError(
                f"export.corpus = {self.corpus!r}: the data has {sorted(known)}."
                + nearest(self.corpus, known)
            )
        return known[self.corpus]

    def _contents(self, program: Program, state: State, corpus: Corpus) -> Contents:
        model, data = program.experiment.model, program.dataset
        raw = data.raw_queries(self.check_split, self.check_queries)
        inputs = _read(model, state, data.inputs)
        raw = {n: v for n, v in raw.items() if n in {source(i, inputs) for i in inputs}}
        features = encode_all(inputs, raw, len(next(iter(raw.values()))))
        vectors = embed_all(program, state, corpus.side, corpus.features)
        index = scann.build(vectors, k := min(self.k, len(vectors)))
        some = {n: a[: self.check_queries] for n, a in corpus.features.items()}
        sides = {QUERY: "query"} | ({ITEM: corpus.side} if corpus.reader else {})
        examples = {QUERY: features, ITEM: some}
        trials = {
            QUERY: Trial(
                lambda call: np.asarray(call(features)),
                embed_all(program, state, "query", features),
                lambda saved: lambda _: saved[signatures.SERVING](raw)["embedding"],
                raw,
            ),
            ITEM: Trial(
                lambda call: np.asarray(call(some)), vectors[: self.check_queries], None
            ),
        }

        def held(names: Any) -> Any:
            return prune_state(model, state, {sides[n]: examples[n] for n in names})

        def save(folder: Path) -> None:
            (folder / INPUTS).mkdir()
            raw_inputs.save(folder / INPUTS, inputs)
            if corpus.reader is not None:
                corpus.reader.save(folder / INPUTS)

        retrieve = partial(
            signatures.retrieve,
            inputs=inputs,
            vectors=vectors,
            item_ids=corpus.ids,
            plan=scann.plan_of(index, k),
        )
        return Contents(
            corpus.ids,
            corpus.titles,
            vectors,
            {name: tower_function(model, side) for name, side in sides.items()},
            held,
            {name: examples[name] for name in sides},
            {name: trials[name] for name in sides},
            save,
            {signatures.SERVING: retrieve},
            index,
        )


def _read(model: Any, state: State, inputs: dict[str, Input]) -> dict[str, Input]:
    """Returns the inputs that the query tower reads, and those these are made with."""
    blank = encode_all(inputs, {}, 1)
    read = set(features_read(model, "query", state, blank))
    read |= {i.of for n, i in inputs.items() if n in read and _ages(i)}
    # Several inputs are made of one text, which has the name of one of them.
    read |= {source(name, inputs) for name in read}
    return {name: input for name, input in inputs.items() if name in read}


def _ages(input: Input) -> bool:
    return isinstance(input, AgeListInput)
