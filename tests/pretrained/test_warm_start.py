"""A model that starts from a folder's weights, and a part of it that stays there."""

import json
from dataclasses import replace

import jax
import numpy as np
import numpy_bert
import pytest
import small
import weight_files
from tiny_search import InMemory

from recjax import settings
from recjax.errors import UserError
from recjax.models import Table, TwoTower
from recjax.nn.inputs import EmbeddingBag, Scaled
from recjax.nn.tower import Tower
from recjax.nn.transformer import Transformer
from recjax.optim import Adam, Frozen, Optimizer, RowwiseAdagrad
from recjax.pretrained import bert, warm_start
from recjax.sharding.mesh import make_mesh
from recjax.sharding.placement import put_batch
from recjax.text.features import NGrams, Pieces
from recjax.train.program import Program

LENGTH, WIDTH, STEPS = 7, 8, 3
PLACES = ("query/pieces_fixed/of", "candidate/pieces_fixed/of")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Returns a folder of random BERT weights."""
    path = tmp_path_factory.mktemp("bert")
    (path / "config.json").write_text(json.dumps(numpy_bert.BERT))
    tensors = numpy_bert.random_tensors(numpy_bert.BERT)
    weight_files.write_safetensors(path / "model.safetensors", tensors)
    return path


def experiment(folder, **changes):
    """Returns a two-tower with a frozen encoder joined on both sides."""
    settings = bert.read_settings(folder, max_length=LENGTH)
    encoder = Scaled(Transformer(settings), 0.5)
    bag = {"text": EmbeddingBag("token")}
    tower = Tower(bag, WIDTH, normalize=False, frozen_inputs={"pieces": encoder})
    data = InMemory(
        "memory",
        batch_size=4,
        negatives=4,
        ngrams=NGrams(50, 0, 0),
        query_length=LENGTH,
        title_length=LENGTH,
        pieces=Pieces(settings.vocabulary),
        query_pieces=LENGTH,
        title_pieces=LENGTH,
        fit=("train", "validation", "test"),
    )
    start = warm_start.Bert(str(folder))
    made = small.experiment(
        data=data,
        model=TwoTower(tower, tower, {"token": Table(WIDTH)}),
        optimizer=Optimizer(
            {
                "tables/.*": RowwiseAdagrad(0.1),
                ".*_fixed/.*": Frozen(),
                ".*": Adam(0.1),
            }
        ),
        warm_start=dict.fromkeys(PLACES, start),
        steps=STEPS,
    )
    return replace(made, **changes)


def opened(made):
    """Returns the program of an experiment."""
    data = made.data.open(made.seed)
    return Program(made, small.runtime(), data, make_mesh({"data": 1}))


def trained(program):
    """Returns the states before and after some steps."""
    state = program.init()
    first = jax.device_get(state)
    step, batches = program.step(), program.batches(0)
    for _ in range(STEPS):
        state, _ = step(state, put_batch(next(batches), program.mesh))
    return first, jax.device_get(state)


def below(params, path):
    """Returns the part of a tree under a path."""
    for name in path.split("/"):
        params = params[name]
    return params


def test_it_starts_there_and_stays_and_the_rest_learns_as_without_it(folder):
    made = experiment(folder)
    program = opened(made)
    first, last = trained(program)
    wanted = bert.read_params(folder, max_length=LENGTH)
    for path in PLACES:
        for state in (first, last):
            found = below(state.params, path)
            assert jax.tree.structure(found) == jax.tree.structure(wanted)
            jax.tree.map(np.testing.assert_array_equal, found, wanted)
    assert np.abs(last.tables["token"] - first.tables["token"]).max() > 1e-3
    bare = made.model.query.clone(frozen_inputs={})
    model = TwoTower(bare, bare, made.model.tables)
    alone = replace(made, model=model, warm_start={})
    _, without = trained(opened(alone))
    np.testing.assert_array_equal(without.tables["token"], last.tables["token"])


def test_the_joined_part_is_the_encoders_vector_at_its_length(folder):
    made = experiment(folder)
    program = opened(made)
    state = program.init()
    features = {n: np.asarray(c) for n, c in program.dataset.corpus.features.items()}
    got = np.asarray(program.embedders["candidate"](state, features))
    tensors = numpy_bert.random_tensors(numpy_bert.BERT)
    vectors = numpy_bert.vectors(numpy_bert.BERT, tensors, features["pieces"], "mean")
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    assert got.shape[1] == WIDTH + vectors.shape[1]
    np.testing.assert_allclose(got[:, WIDTH:], 0.5 * vectors, atol=1e-5)


@pytest.mark.parametrize("path", ["query/pieces_fixed", "query/nothing", "query"])
def test_a_place_without_an_encoder_is_named(folder, path):
    made = experiment(folder)
    made = replace(made, warm_start={path: warm_start.Bert(str(folder))})
    with pytest.raises(UserError, match=f"'{path}': no encoder.*pieces_fixed/of'"):
        opened(made).init()


def test_other_sizes_are_told(folder, tmp_path):
    other = {**numpy_bert.BERT, "vocab_size": numpy_bert.BERT["vocab_size"] + 1}
    (tmp_path / "config.json").write_text(json.dumps(other))
    tensors = numpy_bert.random_tensors(other)
    weight_files.write_safetensors(tmp_path / "model.safetensors", tensors)
    starts = {PLACES[0]: warm_start.Bert(str(tmp_path))}
    with pytest.raises(UserError, match=f"'{PLACES[0]}'.* parameter word is"):
        opened(experiment(folder, warm_start=starts)).init()


def test_word_pieces_that_the_encoder_does_not_know(folder):
    made = experiment(folder)
    data = replace(made.data, query_pieces=LENGTH + 1)
    with pytest.raises(UserError, match=f"'pieces' has 8 ids .* max_length={LENGTH}"):
        _ = opened(replace(made, data=data)).like


def test_the_start_is_part_of_the_record(folder):
    text = settings.to_text(experiment(folder))
    assert f"warm_start.{PLACES[0]} : Bert" in text and str(folder) in text
