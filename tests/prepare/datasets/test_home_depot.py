"""Home Depot: a small file in Kaggle's layout, and the real one where it is."""

import zipfile

import numpy as np
import pytest

from recjax import paths
from recjax.data.search_pairs import load_search_pairs, search_pairs_of
from recjax.data.splits import TEST, ByQuery
from recjax.errors import UserError
from recjax.prepare.built_in import prepare_built_in
from recjax.prepare.datasets import home_depot

TEXT = (
    '"id","product_uid","product_title","search_term","relevance"\n'
    '2,100001,"Simpson 12-Gauge Angle, 8"" ","angle bracket",3\n'
    '3,100001,"Another title","l bracket",2.5\n'
    '9,100002,"D\xe9cor Coating","angle bracket",1.33\n'
)


def raw(monkeypatch, tmp_path, text=TEXT, member="train.csv"):
    monkeypatch.setenv("RECJAX_DATA", str(tmp_path / "raw"))
    monkeypatch.setenv("RECJAX_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "raw" / "home_depot" / "train.csv.zip"
    path.parent.mkdir(parents=True)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(member, text.encode("latin-1"))
    return path


def test_prepared_and_read_back(monkeypatch, tmp_path):
    raw(monkeypatch, tmp_path)
    data = load_search_pairs(prepare_built_in("home_depot"))
    assert data.queries == ("angle bracket", "l bracket")
    assert data.product_ids == ("100001", "100002")
    assert data.titles == ('Simpson 12-Gauge Angle, 8"', "Décor Coating")
    np.testing.assert_array_equal(data.query, [0, 1, 0])
    np.testing.assert_array_equal(data.product, [0, 0, 1])
    np.testing.assert_array_equal(data.relevance, np.float32([3, 2.5, 1.33]))


def test_missing_raw_file_says_where_from_and_where_to(monkeypatch, tmp_path):
    raw(monkeypatch, tmp_path).unlink()
    with pytest.raises(UserError) as error:
        prepare_built_in("home_depot")
    expected = str(tmp_path / "raw" / "home_depot" / "train.csv.zip")
    assert "kaggle.com" in str(error.value) and expected in str(error.value)


@pytest.mark.parametrize("case", ["member", "column", "relevance", "no zip"])
def test_a_damaged_file_is_named(monkeypatch, tmp_path, case):
    texts = {"column": "a,b\n1,2\n", "relevance": TEXT.replace("2.5", "high")}
    member = "test.csv" if case == "member" else "train.csv"
    path = raw(monkeypatch, tmp_path, texts.get(case, TEXT), member)
    if case == "no zip":
        path.write_text("<html>log in</html>")
    with pytest.raises(UserError, match="is not Home Depot's train.csv.zip"):
        home_depot.read(path)


def test_the_real_file():
    path = paths.find_raw(*home_depot.FILE)
    if path is None:
        pytest.skip("Home Depot's raw file is not under $RECJAX_DATA")
    tables = home_depot.read(path).tables
    names = ("judgements", "query", "item")
    data = search_pairs_of(*(tables[name] for name in names), "item")
    assert len(data.query) == 74_067
    assert (len(data.queries), len(data.product_ids)) == (11_795, 54_667)
    # The published protocol's test set.
    test = (ByQuery().of_texts(data.queries)[data.query] == TEST) & (
        data.relevance == 3
    )
    assert (len(set(data.query[test])), test.sum()) == (715, 1_976)
