"""Word pieces in TensorFlow against the package `tokenizers`."""

import json
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recjax.bundle.tf_word_piece import word_piece_encoder
from recjax.errors import UserError
from recjax.text.wordpiece import WordPiece

tf = pytest.importorskip("tensorflow", reason="the savedmodel extra is not installed")

ALPHABET = "aabbcdeEé##|[]-_. \t\n\u3000東한ÀİßΣ\u0301\u00ad\0\ufffd😀12"
LETTERS = ALPHABET + "zz東京"
LENGTH = 12


def learned(size, length=LENGTH):
    draw = random.Random(0)
    texts = ["".join(draw.choices(ALPHABET, k=10)) for _ in range(500)]
    return WordPiece.learn(texts, size, length)


@pytest.fixture(scope="module", params=[60, 400])
def both(request):
    tokenizer = learned(request.param)
    # As a SavedModel holds it; op by op it is far slower.
    shape = [tf.TensorSpec([None], tf.string)]
    return tokenizer, tf.function(word_piece_encoder(tokenizer), shape)


def assert_same(both, texts):
    tokenizer, encoder = both
    found = encoder(tf.constant([text.encode() for text in texts], tf.string))
    assert found.dtype == tf.int32
    wanted = tokenizer.encode(texts)
    np.testing.assert_array_equal(found.numpy(), wanted)
    return wanted


def test_random_texts(both):
    draw = random.Random(1)
    sizes = (0, 1, 2, 5, 9, 20, 40)
    texts = ["".join(draw.choices(LETTERS, k=draw.choice(sizes))) for _ in range(999)]
    wanted = assert_same(both, texts)
    unknown = both[0].encode(["\U0001f98a"])[0, 1]
    assert (wanted[:, -1] > 0).any() and (wanted == 0).any()
    assert (wanted == unknown).any() and len(np.unique(wanted)) > 40


@settings(max_examples=60)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1))
def test_any_text(both, texts):
    assert_same(both, texts)


def test_every_code_point(both):
    codes = [c for c in range(0x3000) if not 0xD800 <= c < 0xE000]
    assert_same(both, [f"a{chr(c)}b" for c in codes])


def test_long_words_are_unknown(both):
    assert_same(both, ["a" * 100, "a" * 101, "b" * 5_000 + " a", "", " "])


def test_bytes_that_are_no_text(both):
    tokenizer, encoder = both
    found = encoder(tf.constant([b"a \xff\xfe b", b"\xc3"], tf.string)).numpy()
    np.testing.assert_array_equal(found, tokenizer.encode(["a  b", ""]))


@pytest.mark.parametrize("case", [True, False])
def test_a_list_of_words_with_and_without_case(tmp_path, case):
    words = "[PAD] [UNK] [CLS] [SEP] A a ##A ##b é ##é ß".split()
    (tmp_path / "vocab.txt").write_text("\n".join(words))
    about = json.dumps({"do_lower_case": not case})
    (tmp_path / "tokenizer_config.json").write_text(about)
    tokenizer = WordPiece.read(tmp_path, 10)
    texts = ["A aA ab Ab é aé", "ß", "[CLS] a [PAD]", "ba", "aéb"]
    wanted = assert_same((tokenizer, word_piece_encoder(tokenizer)), texts)
    assert (4 in wanted) == case


@pytest.mark.parametrize(
    ("part", "says"),
    [
        ({"normalizer": {"type": "NFC"}}, "normalizer is NFC; a graph can repeat Bert"),
        ({"pre_tokenizer": {"type": "Whitespace"}}, "pre_tokenizer is Whitespace"),
    ],
)
def test_tokenizers_of_other_kinds_are_refused(part, says):
    definition = json.loads(learned(60).definition) | part
    with pytest.raises(UserError, match=says):
        word_piece_encoder(WordPiece(json.dumps(definition), 8))


def test_words_beside_the_pieces_are_refused():
    definition = json.loads(learned(60).definition)
    extra = dict(definition["added_tokens"][0], content="lamp", id=61, special=False)
    definition["added_tokens"].append(extra)
    with pytest.raises(UserError, match="adds the word 'lamp'"):
        word_piece_encoder(WordPiece(json.dumps(definition), 8))
