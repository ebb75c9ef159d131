"""A fine-tuned encoder as a folder: what it holds, and that others start from it."""

import json
import struct

import jax
import numpy as np
import numpy_bert
import pytest
import small
import weight_files
from tiny_search import InMemory

from recjax.bundle.pretrained_export import EncoderFolder
from recjax.errors import UserError
from recjax.models import TwoTower
from recjax.nn.tower import Tower
from recjax.nn.transformer import Transformer
from recjax.optim import Adam, Optimizer
from recjax.pretrained import bert
from recjax.pretrained.warm_start import Bert
from recjax.sharding.mesh import make_mesh
from recjax.text.features import NGrams, Pieces
from recjax.train.program import Program

LENGTH = 7


@pytest.fixture(scope="module")
def like(tmp_path_factory):
    """Returns a folder of random BERT weights and a vocabulary."""
    path = tmp_path_factory.mktemp("bert")
    (path / "config.json").write_text(json.dumps(numpy_bert.BERT))
    tensors = numpy_bert.random_tensors(numpy_bert.BERT)
    weight_files.write_safetensors(path / "model.safetensors", tensors)
    (path / "vocab.txt").write_text("[PAD]\n")
    return path


@pytest.fixture(scope="module")
def trained(like):
    """Returns program and state of one encoder for both sides, after three steps."""
    settings = bert.read_settings(like, max_length=LENGTH, dropout=0.0)
    encoder = Transformer(settings)
    data = InMemory(
        "memory",
        batch_size=4,
        negatives=0,
        ngrams=NGrams(1, 1, 1),
        query_length=1,
        title_length=1,
        fit=("train", "validation", "test"),
        pieces=Pieces(numpy_bert.BERT["vocab_size"]),
        query_pieces=LENGTH,
        title_pieces=LENGTH,
    )
    made = small.experiment(
        data=data,
        model=TwoTower(Tower({"pieces": encoder}, settings.width), None, {}),
        optimizer=Optimizer({".*": Adam(1e-2)}),
        warm_start={"query/pieces": Bert(str(like))},
        evals={},
        export=EncoderFolder("query/pieces"),
    )
    mesh = make_mesh({"data": 1})
    program = Program(made, small.runtime(), data.open(0), mesh)
    state, step = program.init(), program.step()
    for _ in range(3):
        state, report = step(state, program.example_batch)
    assert np.isfinite(float(report.means["loss"][0]))
    return program, state


def by_hand(path):
    """Returns the tensors of a safetensors file."""
    raw = path.read_bytes()
    size = struct.unpack("<Q", raw[:8])[0]
    found = {}
    for name, about in json.loads(raw[8 : 8 + size]).items():
        start, stop = about["data_offsets"]
        values = np.frombuffer(raw[8 + size :][start:stop], np.float32)
        found[name] = values.reshape(about["shape"])
    return found


def test_a_numpy_bert_reads_what_was_trained(trained, tmp_path):
    program, state = trained
    said = program.experiment.export.write(program, state, tmp_path / "new")
    assert float(said.rpartition("farthest_moved: ")[2]) > 1e-3
    assert (tmp_path / "new" / "vocab.txt").read_text() == "[PAD]\n"
    config = json.loads((tmp_path / "new" / "config.json").read_text())
    tensors = by_hand(tmp_path / "new" / "model.safetensors")
    ids = np.array([[2, 5, 7, 3, 0, 0, 0], [2, 9, 9, 4, 3, 8, 1]], np.int32)
    wanted = numpy_bert.vectors(config, tensors, ids, "mean")
    wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
    for side in ("query", "candidate"):
        embed = jax.jit(
            lambda params, ids, side=side: program.experiment.model.embed(
                params, {}, side, {"pieces": ids}
            )
        )
        got = embed(state.params, ids)
        np.testing.assert_allclose(got, wanted, atol=1e-5)


def test_others_start_from_it(trained, like, tmp_path):
    program, state = trained
    program.experiment.export.write(program, state, tmp_path / "new")
    started = Bert(str(tmp_path / "new")).start(state.params["query"]["pieces"])
    kept = state.params["query"]["pieces"]
    jax.tree.map(np.testing.assert_array_equal, started, jax.device_get(kept))
    with pytest.raises(UserError, match=f"8 positions were asked for.* has {LENGTH}"):
        bert.read_params(tmp_path / "new", max_length=8)


def test_an_encoder_that_did_not_start_there_is_refused(trained, tmp_path):
    program, state = trained
    with pytest.raises(UserError, match="'query/text': no encoder .*'query/pieces'"):
        EncoderFolder("query/text").write(program, state, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_other_sizes_are_refused(trained, like, tmp_path):
    params = dict(jax.device_get(trained[1].params["query"]["pieces"]))
    params["word"] = params["word"][:-1]
    with pytest.raises(UserError, match=r"parameter word is \[\d+, 12\], .* says"):
        bert.write_folder(params, like, tmp_path)
