"""Word pieces: hand-worked ids, an oracle, cuts, odd texts, files and their faults."""

import json
import pickle
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recjax.data import inputs as raw_inputs
from recjax.errors import UserError
from recjax.text.wordpiece import WordPiece

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "angle", "bracket", "##s", "[", "]"]
WORDS += ["sep", "pad", "a", "##a", "##b", "##ab", "b", "cafe", "2", "##x", "##4", ","]
PLACE = {word: place for place, word in enumerate(WORDS)}


def write(folder, words=WORDS, **config):
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    if config:
        (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return folder


@pytest.fixture(scope="module")
def pieces(tmp_path_factory):
    return WordPiece.read(write(tmp_path_factory.mktemp("words")), 8)


def ids(*words):
    found = [PLACE[word] for word in ("[CLS]", *words, "[SEP]")]
    return found + [0] * (8 - len(found))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Angle brackets", ("angle", "bracket", "##s")),
        ("  ANGLE\tbracket,", ("angle", "bracket", ",")),
        ("Caf\xe9 2x4", ("cafe", "2", "##x", "##4")),
        ("angles of", ("angle", "##s", "[UNK]")),
        ("", ()),
        ("[SEP]", ("[", "sep", "]")),
        ("[PAD]", ("[", "pad", "]")),
        ("\ud800", ()),
        ("angle \ud83d bracket", ("angle", "bracket")),
    ],
)
def test_hand_worked(pieces, text, words):
    got = pieces.encode([text])
    assert got.dtype == np.int32 and got.tolist() == [ids(*words)]


def naive(text):
    """Longest match first, word by word (Wu et al. 2016)."""
    found = []
    for word in text.split():
        parts, rest = [], word
        while rest:
            for stop in range(len(rest), 0, -1):
                part = ("##" if parts else "") + rest[:stop]
                if part in PLACE:
                    break
            else:
                parts = ["[UNK]"]
                break
            parts.append(part)
            rest = rest[stop:]
        found += parts
    return found


@given(st.lists(st.text("ab xs", max_size=12), max_size=4))
def test_longest_match_first(pieces, texts):
    got, cut = pieces.encode_counted(texts)
    assert got.shape == (len(texts), 8)
    found = [naive(text) for text in texts]
    assert got.tolist() == [ids(*words[:6]) for words in found]
    assert cut == sum(len(words) > 6 for words in found)


def test_cut_texts_keep_both_ends_and_are_counted(pieces):
    texts = ["a " * 6, "a " * 7, "b " * 100, ""]
    got, cut = pieces.encode_counted(texts)
    assert cut == 2
    assert (got[:3, 0] == PLACE["[CLS]"]).all() and (got[:3, 7] == PLACE["[SEP]"]).all()
    np.testing.assert_array_equal(pieces.encode(texts), got)


def test_size(pieces):
    assert pieces.size == len(WORDS)


def test_case_and_accents_may_matter(tmp_path):
    cased = WordPiece.read(write(tmp_path, do_lower_case=False), 8)
    assert cased.encode(["Angle angle"]).tolist() == [ids("[UNK]", "angle")]
    kept = write(tmp_path, do_lower_case=True, strip_accents=False)
    assert WordPiece.read(kept, 8).encode(["caf\xe9"]).tolist() == [ids("[UNK]")]


def test_files_make_the_round_trip_byte_for_byte(pieces, tmp_path):
    definition = json.loads(pieces.definition)
    definition["truncation"] = {
        **{"direction": "Right", "max_length": 3, "strategy": "LongestFirst"},
        "stride": 0,
    }
    definition["padding"] = {
        **{"strategy": {"Fixed": 30}, "direction": "Left", "pad_to_multiple_of": None},
        **{"pad_id": 5, "pad_type_id": 0, "pad_token": "bracket"},
    }
    odd = json.dumps(definition, indent=3, ensure_ascii=False).replace("\n", "\r\n")
    first, second = tmp_path / "tokenizer.json", tmp_path / "again.json"
    first.write_bytes((odd + " \n").encode())
    loaded = WordPiece.read(tmp_path, 8)
    loaded.save(second)
    assert second.read_bytes() == first.read_bytes()
    texts = ["angle brackets", "a " * 9, ""]
    again = WordPiece.load(second, 8)
    assert again == loaded
    # The lengths that a file names are for other uses: ours counts.
    np.testing.assert_array_equal(again.encode(texts), pieces.encode(texts))


def test_it_is_an_input_like_others(pieces, tmp_path):
    raw_inputs.save(tmp_path, {"query": pieces})
    loaded = raw_inputs.load(tmp_path, ())
    assert loaded == {"query": pieces}
    for raw in ({"query": ["angle", ""]}, {}):
        got = raw_inputs.encode_all(loaded, raw, 2)["query"]
        wanted = pieces.encode(raw.get("query", ["", ""]))
        np.testing.assert_array_equal(got, wanted)


def test_it_travels_to_other_processes(pieces):
    copy = pickle.loads(pickle.dumps(pieces))
    assert copy == pieces and "definition" not in repr(pieces)
    np.testing.assert_array_equal(copy.encode(["angle"]), pieces.encode(["angle"]))


def test_faults_of_a_folder(tmp_path):
    def fails(match, words=None, **options):
        if words is not None:
            write(tmp_path, words)
        with pytest.raises(UserError, match=match):
            WordPiece.read(tmp_path, **options)

    fails(r"holds no tokenizer \(tokenizer\.json or vocab\.txt\)")
    fails(r"vocab\.txt: holds no \[CLS\], \[SEP\]", ["[PAD]", "[UNK]", "a"])
    fails(r"vocab\.txt line 3: 'a' stands in line 2 already", ["[PAD]", "a", "a"])
    fails(r"vocab\.txt: the tokenizer has .*\[PAD\] must be 0", WORDS[::-1])
    fails("vocab.txt: a text of 2 ids has no room", WORDS, length=2)
    (tmp_path / "tokenizer_config.json").write_text("{")
    fails(r"tokenizer_config\.json: cannot be read", WORDS)
    (tmp_path / "vocab.txt").write_bytes(b"[PAD]\n\xff\n")
    fails(r"vocab\.txt: cannot be read")


def test_faults_of_a_definition(pieces, tmp_path):
    path = tmp_path / "tokenizer.json"
    whole = json.loads(pieces.definition)
    wrong = {
        "[": "not a tokenizer.json",
        "{}": "not a tokenizer.json",
        json.dumps({"model": whole["model"] | {"vocab": 3}}): "not a tokenizer.json",
        json.dumps(whole | {"model": {"type": "BPE"}}): "a tokenizer of kind 'BPE'",
        json.dumps(
            whole | {"post_processor": None}
        ): "the tokenizer makes .* of an empty",
    }
    for text, match in wrong.items():
        path.write_text(text)
        with pytest.raises(UserError, match=f"tokenizer.json: {match}"):
            WordPiece.load(path)
    path.unlink()
    with pytest.raises(UserError, match="cannot be read"):
        WordPiece.load(path)


def test_without_the_package(pieces, monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(UserError, match=r"pip install 'recjax\[text\]'"):
        WordPiece(pieces.definition)
