"""The tokenizer in TensorFlow against `Vocabulary.encode_padded`."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recjax.bundle import tf_text
from recjax.errors import UserError
from recjax.text import Vocabulary
from recjax.text.ngrams import LETTER, PUBLISHED, TextRules, classes
from recjax.text.normalize import folding

tf = pytest.importorskip("tensorflow", reason="the savedmodel extra is not installed")

ALPHABET = "absAS12$#.-_ \t\n\r\u3000é東𠀋😀\u00ad´½ß\u0301\0"
LENGTH = 48


def all_of(texts, rules=PUBLISHED):
    many = dict.fromkeys(("unigrams", "bigrams", "trigrams"), 1 << 30)
    return Vocabulary.build(texts, **many, rules=rules)


def assert_same(vocabulary, encoder, texts, length=LENGTH):
    found = encoder(tf.constant([text.encode() for text in texts], tf.string))
    assert found.dtype == tf.int32
    wanted = vocabulary.encode_padded(texts, length)
    np.testing.assert_array_equal(found.numpy(), wanted)
    return wanted


def in_graph(encoder):
    """Returns the encoder as a SavedModel holds it; op by op it is far slower."""
    return tf.function(encoder, [tf.TensorSpec([None], tf.string)])


@pytest.fixture(scope="module", params=[PUBLISHED, TextRules(True, True, True)])
def tricky(request):
    draw = random.Random(0)
    texts = ["".join(draw.choices(ALPHABET, k=12)) for _ in range(2_000)]
    vocabulary = all_of(texts, request.param)
    return vocabulary, in_graph(tf_text.text_encoder(vocabulary, LENGTH))


def test_hand_worked():
    vocabulary = Vocabulary(
        ("world", "hello"), ("hello#world",), ("o#w", "ld#"), (1,) * 5, 1
    )
    encoder = tf_text.text_encoder(vocabulary, 6)
    found = encoder(tf.constant(["Hello,  World!", "hello world", "", "zzz"]))
    assert found.numpy().tolist() == [
        [2, 1, 3, 0, 0, 0],
        [2, 1, 3, 4, 5, 0],
        [0] * 6,
        [0] * 6,
    ]


@settings(max_examples=150)
@given(texts=st.lists(st.text(st.sampled_from(ALPHABET), max_size=20), min_size=1))
def test_tricky_text_with_a_vocabulary_that_knows_much(tricky, texts):
    assert_same(*tricky, texts)


@settings(max_examples=50)
@given(texts=st.lists(st.text(), min_size=1))
def test_arbitrary_text(tricky, texts):
    assert_same(*tricky, texts)


def check_code_points(codes):
    texts = [f"a{chr(c)}b {chr(c)}" for c in codes]
    vocabulary = all_of(texts)
    encoder = tf_text.text_encoder(vocabulary, LENGTH)
    wanted = assert_same(vocabulary, encoder, texts)
    assert (wanted > 0).any(1).all()


def test_every_special_code_point():
    special = np.flatnonzero(classes()[:0x4000] != LETTER).tolist()
    changed = [code for code in folding() if not 0xD800 <= code < 0xE000]
    check_code_points(sorted({*special, *changed[::3]}))


@pytest.mark.slow
def test_every_assigned_code_point_and_a_sample_of_the_others():
    planes = [*range(0xD800), *range(0xE000, 0x33480), *range(0xE0000, 0xE1000)]
    check_code_points(planes)
    check_code_points(range(0x34000, 0x110000, 61))


def test_truncation_empty_batch_and_broken_bytes():
    vocabulary = all_of(["a b c", "\ufffdx"])
    encoder = tf_text.text_encoder(vocabulary, 4)
    assert_same(vocabulary, encoder, ["a b c", "c", "a b c c"], 4)
    assert encoder(tf.constant([], tf.string)).shape == (0, 4)
    found = encoder(tf.constant([b"\xffx"])).numpy()
    np.testing.assert_array_equal(found, vocabulary.encode_padded(["\ufffdx"], 4))


def test_empty_vocabulary():
    encoder = tf_text.text_encoder(Vocabulary((), (), (), (), 0), 3)
    assert encoder(tf.constant(["a b", ""])).numpy().tolist() == [[0] * 3] * 2


def test_without_tensorflow(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "tensorflow", None)
    with pytest.raises(UserError, match=r"pip install 'recjax\[savedmodel\]'"):
        tf_text.text_encoder(Vocabulary((), (), (), (), 0), 3)
