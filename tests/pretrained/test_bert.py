"""Weights of BERT and DistilBERT folders, against NumPy."""

import json

import jax
import numpy as np
import numpy_bert
import pytest
import weight_files

from recjax.errors import UserError
from recjax.nn.transformer import Transformer
from recjax.pretrained import bert

IDS = np.array(
    [[2, 5, 7, 3, 0, 0, 0], [2, 22, 1, 9, 9, 4, 3], [2, 3, 0, 0, 0, 0, 0]], np.int32
)
CONFIGS = {"bert": numpy_bert.BERT, "distilbert": numpy_bert.DISTILBERT}
WRITERS = {
    "model.safetensors": weight_files.write_safetensors,
    "pytorch_model.bin": weight_files.write_torch,
}


def write(folder, config, tensors, name="model.safetensors"):
    (folder / "config.json").write_text(json.dumps(config))
    WRITERS[name](folder / name, tensors)


def embed(module, params, ids=IDS):
    run = jax.jit(
        lambda params, ids: module.apply(
            {"params": params}, "text", {"text": ids}, {}, False
        )
    )
    return np.asarray(run(params, ids))


def init(module):
    return module.init(jax.random.key(0), "text", {"text": IDS}, {}, False)["params"]


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("family", CONFIGS)
def test_as_in_numpy(tmp_path, family, name):
    config = CONFIGS[family]
    tensors = numpy_bert.random_tensors(config)
    write(tmp_path, config, tensors, name)
    settings, params = bert.read_settings(tmp_path), bert.read_params(tmp_path)
    for pooling in ("cls", "mean"):
        got = embed(Transformer(settings, pooling), params)
        wanted = numpy_bert.vectors(config, tensors, IDS, pooling)
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("family", CONFIGS)
def test_prefixes_and_old_names(tmp_path, family):
    config = CONFIGS[family]
    old = family == "bert"
    plain = numpy_bert.random_tensors(config)
    write(tmp_path, config, plain)
    wanted = bert.read_params(tmp_path)
    other = numpy_bert.random_tensors(config, prefix=f"{family}.", old_names=old)
    write(tmp_path, config, other)
    jax.tree.map(np.testing.assert_array_equal, bert.read_params(tmp_path), wanted)


@pytest.mark.parametrize("family", CONFIGS)
def test_the_tree_is_that_of_the_module(tmp_path, family):
    write(tmp_path, CONFIGS[family], numpy_bert.random_tensors(CONFIGS[family]))
    settings = bert.read_settings(tmp_path, max_length=8, dropout=0.0)
    assert (settings.max_length, settings.dropout) == (8, 0.0)
    assert bert.read_settings(tmp_path).dropout == 0.25
    assert bert.read_settings(tmp_path).max_length == 16
    made = jax.eval_shape(lambda: init(Transformer(settings)))
    read = bert.read_params(tmp_path, max_length=8)
    shapes = jax.tree.map(lambda array: (array.shape, str(array.dtype)), made)
    assert jax.tree.map(lambda a: (a.shape, str(a.dtype)), read) == shapes


def test_fewer_positions_change_nothing(tmp_path):
    write(tmp_path, numpy_bert.BERT, numpy_bert.random_tensors(numpy_bert.BERT))
    vectors = [
        embed(
            Transformer(bert.read_settings(tmp_path, max_length=n)),
            bert.read_params(tmp_path, max_length=n),
        )
        for n in (None, 7)
    ]
    np.testing.assert_array_equal(*vectors)


def test_filling_keeps_the_head(tmp_path):
    write(tmp_path, numpy_bert.BERT, numpy_bert.random_tensors(numpy_bert.BERT))
    module = Transformer(bert.read_settings(tmp_path), width=5)
    made = jax.jit(lambda: init(module))()
    read = bert.read_params(tmp_path)
    filled = bert.fill(made, read)
    assert filled["head"] is made["head"]
    assert jax.tree.structure(filled) == jax.tree.structure(made)
    np.testing.assert_array_equal(filled["word"], read["word"])
    assert embed(module, filled).shape == (3, 5)
    with pytest.raises(UserError, match=r"position is \[4, 12\], the encoder's \[16"):
        bert.fill(made, bert.read_params(tmp_path, max_length=4))
    del made["layer_1"]
    with pytest.raises(UserError, match="layer_1 has no place"):
        bert.fill(made, read)


def test_faults_of_a_folder(tmp_path):
    tensors = numpy_bert.random_tensors(numpy_bert.BERT)

    def fails(match, call=bert.read_params, **options):
        with pytest.raises(UserError, match=match):
            call(tmp_path, **options)

    fails(r"config\.json: cannot be read")
    (tmp_path / "config.json").write_text("[")
    fails(r"config\.json: cannot be read")
    write(tmp_path, numpy_bert.BERT, tensors)
    (tmp_path / "model.safetensors").unlink()
    fails(r"holds no weights \(model\.safetensors or pytorch_model\.bin\)")
    for options in ({"max_length": 17}, {"max_length": 0}):
        fails(
            "positions were asked for, the model has 16", bert.read_settings, **options
        )

    name = "encoder.layer.1.output.dense.weight"
    write(tmp_path, numpy_bert.BERT, {k: v for k, v in tensors.items() if k != name})
    fails(f"no tensor '{name}', which config.json promises. Did you mean")
    write(tmp_path, numpy_bert.BERT, tensors | {name: tensors[name].T})
    fails(rf"tensor '{name}' is \[20, 12\], config.json promises \[12, 20\]")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"model_type": "roberta"}, "model_type 'roberta' is not known, only bert, d"),
        ({"model_type": None}, "model_type None"),
        ({"hidden_act": "gelu_new"}, "hidden_act 'gelu_new' is not known"),
        ({"position_embedding_type": "relative_key"}, "relative_key"),
        ({"pad_token_id": 1}, "pad_token_id is 1; here 0 is padding"),
        ({"hidden_size": "12"}, "hidden_size must be a whole number, found '12'"),
        ({"vocab_size": None}, "vocab_size must be a whole number, found None"),
        ({"num_attention_heads": 5}, "5 heads do not divide width 12"),
        ({"layer_norm_eps": "small"}, "small"),
    ],
)
def test_faults_of_a_config(tmp_path, change, match):
    (tmp_path / "config.json").write_text(json.dumps(numpy_bert.BERT | change))
    with pytest.raises(UserError, match=match):
        bert.read_settings(tmp_path)
