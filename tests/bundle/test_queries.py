"""What a caller gives as raw queries: taken as it is meant, or refused."""

import numpy as np
import pytest

from recjax.bundle.queries import encode_queries, from_texts
from recjax.data.column_inputs import (
    BucketInput,
    CategoryInput,
    NumberInput,
    TimeInput,
    VectorInput,
)
from recjax.data.inputs import AgeListInput, IdListInput
from recjax.errors import UserError
from recjax.text import Vocabulary
from recjax.text.features import TextInput

IDS = ("17", "b", "c")
HISTORY = IdListInput(IDS, 2)
TEXT = TextInput(Vocabulary.build(["red lamp"], unigrams=9, bigrams=9, trigrams=9), 8)
LONGER = TextInput(TEXT.vocabulary, 12, "text")
INPUTS = {
    "text": TEXT,
    "more": LONGER,
    "history": HISTORY,
    "age": AgeListInput("history", HISTORY),
}


def test_features_are_those_of_the_inputs():
    raw = {
        "text": ["red lamp", ""],
        "history": (["b", "17", "c"], np.array(["c"])),
        "age": [[3.0, 2, 1], [9.0]],
    }
    found = encode_queries(raw, INPUTS)
    np.testing.assert_array_equal(found["text"], TEXT.encode(["red lamp", ""]))
    np.testing.assert_array_equal(found["more"], LONGER.encode(["red lamp", ""]))
    assert found["history"].tolist() == [[1, 3], [3, 0]]
    assert found["age"].tolist() == [[2, 1], [9, 0]]
    assert not encode_queries({"text": ["red"]}, INPUTS)["history"].any()


COLUMNS = {
    "age": NumberInput("age", 30.0, 10.0),
    "range": BucketInput("age", (20.0, 30.0)),
    "city": CategoryInput("city", 1, labels=("oslo", "rome")),
    "likes": CategoryInput("likes", 3, many=True, labels=("war", "fun")),
    "hour": TimeInput("timestamp", "hour", rows=True),
    "look": VectorInput("look", 2),
}


def test_columns():
    raw = {
        "age": [20, None],
        "city": ["rome", None],
        "likes": [["fun", "war"], []],
        "timestamp": [3_600.5, float("nan")],
        "look": [[1.0, 2.0], [[1.0, 1.0], [3.0, 1.0]]],
    }
    found = encode_queries(raw, COLUMNS)
    assert found["age"].tolist() == [[-1, 0], [0, 1]]
    assert found["range"].tolist() == [[2], [0]]
    assert found["city"].tolist() == [[2], [0]]
    assert found["likes"].tolist() == [[2, 1, 0], [0, 0, 0]]
    assert found["hour"].tolist() == [[2], [0]]
    assert found["look"].tolist() == [[1, 2, 0], [2, 1, 0]]
    texts = ["age=20", "city=rome", 'likes=["fun","war"]', "look=[1, 2]"]
    said = from_texts([*texts, "timestamp=1970-01-01T01:00:00.500"], COLUMNS)
    again = encode_queries(said, COLUMNS)
    for name, array in again.items():
        np.testing.assert_array_equal(array, found[name][:1], err_msg=name)


def test_categories_that_are_not_known_are_told(caplog):
    raw = {"city": ["paris", "rome"], "likes": [["new"], ["war"]]}
    found = encode_queries(raw, COLUMNS)
    assert found["city"].tolist() == [[0], [2]]
    assert "no city 'paris'" in caplog.text and "no likes 'new'" in caplog.text


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ({"age": ["20"]}, "age, query 0: '20' is no number"),
        ({"age": [True]}, "True is no number"),
        ({"age": [float("inf")]}, "finite number"),
        ({"range": [3]}, r"takes \['age', 'city'.*not 'range'"),
        ({"city": [["rome"]]}, r"\['rome'\] is no text"),
        ({"city": [3]}, "3 is no text: write '3'"),
        ({"likes": ["war"]}, r"'war' is no list, such as \['a', 'b'\]"),
        ({"likes": [[3]]}, "3 is no text"),
        ({"timestamp": [1.7e12]}, "seconds since 1970"),
        ({"look": [[1.0]]}, "a vector of 2 numbers"),
        ({"look": [["a", "b"]]}, "a vector of 2 numbers"),
        ({"age": [None], "city": [""]}, "nothing to ask"),
    ],
)
def test_columns_that_are_refused(raw, said):
    with pytest.raises(UserError, match=said):
        encode_queries(raw, COLUMNS)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("age", "NAME=VALUE"),
        ("aeg=3", "mean 'age'"),
        ("age=old", "such as 3.5"),
        ("likes=war", r'such as \["a", "b"\]'),
        ("timestamp=noon", "such as 2026-11-29T18:00"),
    ],
)
def test_columns_of_a_command_that_are_refused(text, said):
    with pytest.raises(UserError, match=said):
        from_texts([text], COLUMNS)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ({"text": "red lamp"}, r"text = 'red lamp'.*\['red lamp'\]"),
        ({"history": "17"}, r"history = '17'.*\[\['a', 'b'\]\]"),
        ({"history": ["17", "b"]}, r"history, query 0: '17' is no list"),
        ({"history": [[17]]}, "17 is no text: write ids as '17'"),
        ({"history": [["17", "x"]]}, "history, query 0: the bundle knows no item 'x'"),
        ({"history": [["170"]]}, "no item '170'. Did you mean '17'"),
        ({"history": [[""]]}, "no item ''"),
        ({"history": [[None]]}, "None is no text"),
        ({"history": [[]]}, "nothing to ask"),
        ({"history": [["b"], []]}, "query 1: there is nothing to ask"),
        ({"history": [None]}, "nothing to ask"),
        ({"history": None}, "history = None"),
        ({"text": None}, "text = None"),
        ({"text": [None]}, "nothing to ask"),
        ({"text": [3]}, "text, query 0: 3 is no text"),
        ({"text": ["  "]}, "nothing to ask"),
        ({"text": []}, "nothing to ask"),
        ({}, "nothing to ask"),
        (None, "None: give a mapping"),
        (["red"], "give a mapping"),
        ({"text": ["red"], "history": [["b"], ["b"]]}, "equally many"),
        ({"history": [["b"]], "age": [["new"]]}, "give seconds"),
        ({"history": [["b"]], "age": [[1.0, 2.0]]}, "2 ages of 1 history ids"),
        ({"history": [["b"]], "age": [[float("nan")]]}, "finite and at least 0"),
        ({"history": [["b"]], "age": [[float("inf")]]}, "finite and at least 0"),
        ({"history": [["b"]], "age": [[-1.0]]}, "finite and at least 0"),
        ({"age": [[1.0]]}, "nothing to ask"),
        ({"txt": ["red"]}, r"takes \['age', 'history', 'text'\].*mean 'text'"),
        ({"more": ["red"]}, "not 'more'"),
    ],
)
def test_what_is_refused(raw, said):
    with pytest.raises(UserError, match=said):
        encode_queries(raw, INPUTS)


def test_texts_that_are_not_known_are_told(caplog):
    encode_queries({"text": ["red", "☃"], "history": [[], ["b"]]}, INPUTS)
    assert "knows no part of the text '☃'" in caplog.text
    caplog.clear()
    encode_queries({"text": ["☃"] * 9}, INPUTS)
    assert "and 6 more" in caplog.text
    caplog.clear()
    encode_queries({"text": ["", "red"], "history": [["b"], []]}, INPUTS)
    assert not caplog.text
    encode_queries({"text": ["redder", "red"]}, INPUTS)
    assert "no word of the text 'redder', only runs of letters" in caplog.text
