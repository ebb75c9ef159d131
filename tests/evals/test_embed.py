"""Rows are embedded the same whatever stands beside them."""

from dataclasses import replace

import numpy as np
import pytest
import small

from recjax.data.search import Search, SearchData
from recjax.data.search_pairs import SearchPairs
from recjax.data.splits import TRAIN, ByColumn
from recjax.evals import embed
from recjax.models import TwoTower
from recjax.nn.tower import Tower
from recjax.nn.transformer import Transformer, TransformerSettings
from recjax.prepare import make
from recjax.text.features import NGrams, Pieces
from recjax.train.program import open_program

TITLES = [" ".join(["lamp"] * (1 + 7 * n % 20)) for n in range(37)]
SIZES = TransformerSettings(64, 8, 1, 2, 16, max_length=24)


@pytest.fixture(scope="module")
def program():
    """Titles of 1 to 20 words, read by an encoder."""

    class InMemory(Search):
        def open(self, seed):
            query, ids = np.zeros(9, np.int32), map(str, range(len(TITLES)))
            split = np.full(9, TRAIN, np.int8)
            tables = {"query": make.entity(["lamp"])}
            tables["item"] = make.entity([*ids], make.text("title", TITLES))
            grade = np.full(9, 3, np.float32)
            item = np.arange(9, dtype=np.int32)
            return SearchData(
                self, seed, SearchPairs(query, item, grade, tables, split=split)
            )

    tower = Tower({"pieces": Transformer(SIZES)}, 8)
    experiment = replace(
        small.experiment(),
        data=InMemory(
            "memory",
            8,
            4,
            NGrams(10),
            pieces=Pieces(64),
            title_pieces=24,
            split=ByColumn(),
        ),
        model=TwoTower(tower, tower.copy(), {}),
    )
    return open_program(experiment, small.runtime())


@pytest.mark.parametrize("rows", [None, np.array([5, 3, 36, 0, 19, 3])])
def test_texts_in_order_of_length_keep_their_places(program, monkeypatch, rows):
    state, features = program.init(), program.dataset.corpus.features
    run, shapes = program.embedders["candidate"], set()

    def seen(state, batch):
        shapes.add(batch["pieces"].shape)
        return run(state, batch)

    monkeypatch.setitem(program.embedders, "candidate", seen)
    found = embed.embed_all(program, state, "candidate", features, rows, block=8)
    wanted = np.asarray(run(state, {n: c[:] for n, c in features.items()}))
    np.testing.assert_allclose(
        found, wanted[slice(None) if rows is None else rows], atol=1e-5
    )
    assert len(np.unique(found.round(4), axis=0)) > 3
    assert shapes == {(8, 8), (8, 16), (8, 24)} or rows is not None
