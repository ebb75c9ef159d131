"""The real MiniLM: our vectors against NumPy, and what they say of sentences."""

import json

import jax
import numpy as np
import numpy_bert
import pytest

from recjax.errors import UserError
from recjax.execution import Execution, executing
from recjax.nn.transformer import Transformer
from recjax.pretrained import bert, safetensors
from recjax.text import minilm
from recjax.text.wordpiece import WordPiece

pytestmark = pytest.mark.slow

GROUPS = (
    ("A man is eating food.", "Somebody eats a meal."),
    ("angle bracket 2x4 galvanized steel", "metal corner brace for lumber"),
    ("How do I reset my password?", "I forgot my login and need a new one"),
    ("The stock market fell sharply today", "Shares lost much of their value"),
    ("white kitchen cabinet with doors", "cupboard for a kitchen, in white"),
    ("The cat sleeps on the sofa", "a kitten naps on a couch"),
    ("It rained all night in London", "London had wet weather overnight"),
    ("LED light bulb 60w equivalent", "energy saving lamp to replace a 60 watt bulb"),
)
ODD = (
    *("", "a", "!!!", "2 1/2 in. x 4 ft.", "na\xefve CAF\xc9 d\xe9j\xe0 vu"),
    *("\u6771\u4eac tower", "\U0001f600 emoji", "[SEP] [MASK] [PAD]", "x" * 200),
    *("antidisestablishmentarianism", "word " * 100, "tab\tand\nnewline"),
    *(
        "1234567890",
        "don't, can't; won't",
        "\u0645\u0631\u062d\u0628\u0627",
        "E = mc^2",
    ),
)


@pytest.fixture(scope="module")
def folder():
    try:
        return minilm.folder()
    except UserError as error:
        pytest.skip(f"MiniLM cannot be fetched: {error}")


@pytest.fixture(scope="module")
def ids(folder):
    texts = [text for group in GROUPS for text in group] + list(ODD)
    assert len(texts) == 32
    encoded, cut = WordPiece.read(folder).encode_counted(texts)
    assert cut == 1
    return encoded


def embed(folder, ids, **options):
    settings = bert.read_settings(folder, max_length=64)
    params = bert.read_params(folder, max_length=64)
    module = Transformer(settings, **options)
    run = jax.jit(
        lambda params, ids: module.apply(
            {"params": params}, "text", {"text": ids}, {}, False
        )
    )
    return np.asarray(run(params, ids))


@pytest.fixture(scope="module")
def vectors(folder, ids):
    return embed(folder, ids)


def test_as_in_numpy(folder, ids, vectors):
    config = json.loads((folder / "config.json").read_text())
    tensors = safetensors.read(folder / "model.safetensors")
    wanted = numpy_bert.vectors(config, tensors, ids, "mean")
    cosines = numpy_bert.cosines(vectors, wanted)
    assert cosines.min() > 1 - 1e-6, cosines
    np.testing.assert_allclose(vectors, wanted, atol=1e-4)


def test_like_sentences_are_nearest(vectors):
    unit = vectors[: 2 * len(GROUPS)]
    unit = unit / np.linalg.norm(unit, axis=1, keepdims=True)
    near = unit @ unit.T - 2 * np.eye(len(unit))
    assert near.argmax(1).tolist() == [i ^ 1 for i in range(len(unit))]


def test_bfloat16_is_close(folder, ids, vectors):
    with executing(Execution(activations="bfloat16")):
        rough = embed(folder, ids)
    assert numpy_bert.cosines(rough, vectors).min() > 0.998


def test_both_tokenizer_files_say_the_same(folder, ids, tmp_path):
    (tmp_path / "vocab.txt").write_bytes((folder / "vocab.txt").read_bytes())
    texts = [text for group in GROUPS for text in group] + list(ODD)
    np.testing.assert_array_equal(WordPiece.read(tmp_path).encode(texts), ids)
