"""What is known, read from a file as if it were new, has the features it has."""

import numpy as np
import polars as pl
import pytest
import small
import tiny_catalog as tiny

from recjax.data import item_readers
from recjax.data.catalog.entity_features import EntityFeatures, vector_columns
from recjax.data.catalog.entity_reader import EntityReader
from recjax.data.catalog.entity_text import FieldText
from recjax.data.catalog.read import load_catalog
from recjax.data.column_reader import ColumnReader
from recjax.errors import UserError
from recjax.prepare import make
from recjax.prepare.prepare import prepare
from recjax.tables.result import Options
from recjax.tables.typed import Table
from recjax.text.features import NGrams


def same(found, wanted, order):
    assert set(found) == set(wanted)
    for name, column in wanted.items():
        got = found[name][0 : len(order)]
        assert got.dtype == column[order].dtype
        np.testing.assert_array_equal(got, column[order], err_msg=name)


def again(reader, folder, ids):
    """Returns the reader that a bundle would hold."""
    folder.mkdir()
    reader.save(folder)
    return item_readers.load(folder, ids)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_columns(tmp_path, suffix):
    dataset = small.experiment().data.open(0)
    corpus, known = dataset.corpora["item"], dataset.interactions
    assert isinstance(corpus.reader, ColumnReader)
    reader = again(corpus.reader, tmp_path / "reader", corpus.ids)
    order = np.random.default_rng(0).permutation(len(corpus))[:9]
    columns = {
        name: [values[i] for i in order]
        for name, values in (
            ("item", known.item_ids),
            ("title", known.titles),
            ("tags", known.tags),
        )
    }
    frame, path = pl.DataFrame(columns), tmp_path / f"items.{suffix}"
    frame.write_csv(path) if suffix == "csv" else frame.write_parquet(path)
    (found,) = reader.read(path, Options())
    assert found.ids == tuple(columns["item"])
    same(found.features, corpus.features, order)
    title = make.text("title", columns["title"][:1])
    features = reader.encode(make.entity(["n"], title))
    assert features["item"].tolist() == [[0]]
    words = reader.encode(make.table(title))["text"]
    np.testing.assert_array_equal(features["text"], words)
    assert words.any() and not reader.encode(Table(2, {}))["text"].any()


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return tiny.files(tmp_path_factory.mktemp("catalog"))


@pytest.fixture(scope="module")
def catalog(files, tmp_path_factory):
    out = tmp_path_factory.mktemp("prepared") / "out"
    return load_catalog(prepare(files, out, tiny.HOW))


@pytest.fixture(scope="module")
def features(catalog):
    fields = ("title", "board_title", "image_caption")
    texts = [
        text for e in catalog.entities.values() for t in e.texts.values() for text in t
    ]
    vocabulary = NGrams(40, 40, 40).build(texts)
    vectors = vector_columns(catalog.entities, ("gs_v5", "item_is_v2", "ue_v4"), 3)
    return EntityFeatures(FieldText(vocabulary, fields, 8, 20), vectors)


@pytest.mark.parametrize("kind", ["pin", "product"])
def test_entities(catalog, features, files, tmp_path, kind):
    reader = again(EntityReader(kind, features), tmp_path / "reader", ())
    entities = catalog.entities[kind]
    theirs = {"item_title": "title", "navboost_v2": "engaged_queries"}
    rename = theirs if kind == "product" else {}
    (found,) = reader.read(files.entities[kind], Options(rename=rename))
    assert found.ids == tuple(entities.ids)
    wanted = features.read(entities)
    assert wanted["text"][0:1].any() and wanted["ue_v4__present"][0:3].any()
    same(found.features, wanted, np.arange(len(entities)))


def test_an_entity_of_which_little_is_known(features, tmp_path, caplog):
    path = tmp_path / "new.parquet"
    columns = {"pin": ["n"], "headline": ["a red chair"]}
    # When it was created says nothing of what it is: any unit will do.
    pl.DataFrame({**columns, "created": [1_700_000_000_000]}).write_parquet(path)
    with caplog.at_level("INFO"):
        reader = EntityReader("pin", features)
        (found,) = reader.read(path, Options(rename={"headline": "title"}))
    assert "has no board_title, image_caption, gs_v5" in caplog.text
    assert found.features["text"][0:1].any()
    for name in ("gs_v5", "item_is_v2", "ue_v4"):
        assert not found.features[name][0:1].any()
        assert not found.features[f"{name}__present"][0:1].any()


def test_bad_files(features, tmp_path):
    reader, path = EntityReader("pin", features), tmp_path / "bad.parquet"
    pl.DataFrame({"id": ["n", "n"]}).write_parquet(path)
    with pytest.raises(UserError, match="pin given twice"):
        list(reader.read(path, Options()))
    with pytest.raises(UserError, match="renamed column is not there"):
        list(reader.read(path, Options(rename={"titel": "title"})))
    (tmp_path / "reader").mkdir()
    with pytest.raises(UserError, match=r"reader.json: cannot be read.*export anew"):
        item_readers.load(tmp_path / "reader", ())
