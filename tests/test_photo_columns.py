"""Photographs as columns of items and users: files to answers, and what is refused."""

import logging
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import small
import tiny_images

import recjax as rj
from recjax.bundle import saved_model
from recjax.bundle.contract import EMBED
from recjax.bundle.open import open_bundle
from recjax.bundle.served import signatures
from recjax.cli.main import main
from recjax.data import fitted
from recjax.data.columns import ImageColumn, VectorColumn
from recjax.data.inputs import encode_all
from recjax.errors import UserError
from recjax.evals.embed import embed_all
from recjax.images.augment import CenterCrop
from recjax.images.decode import as_jpeg
from recjax.prepare import make
from recjax.prepare.options import Files
from recjax.prepare.prepare import prepare
from recjax.tables.image_files import files
from recjax.train.program import open_program

SIZE, ITEMS, USERS = 16, 8, 6
NET = rj.nn.SmallNet(SIZE, (4, 8))


def experiment(data):
    look = {"look": ImageColumn("photo", SIZE)}
    face = {"face": ImageColumn(size=SIZE)}
    return rj.Experiment(
        name="photos",
        seed=0,
        steps=2,
        data=rj.data.NextItem(
            str(data),
            batch_size=8,
            negatives=4,
            columns={"item": look, "user": face},
        ),
        model=rj.models.TwoTower(
            query=rj.nn.Tower(
                {"history": rj.nn.EmbeddingBag("item"), "face": rj.nn.Photo(NET, 8)},
                width=8,
            ),
            candidate=rj.nn.Tower(
                {"item": rj.nn.EmbeddingBag("item"), "look": rj.nn.Photo(NET, 8)},
                width=8,
            ),
            tables={"item": rj.models.Table(8)},
        ),
        losses={"softmax": rj.losses.SampledSoftmax(random=True)},
        optimizer=rj.optim.Optimizer(
            {"tables/.*": rj.optim.RowwiseAdagrad(0.1), ".*": rj.optim.Adam(1e-2)}
        ),
        export=rj.bundle.Bundle(saved_model=False, min_recall=0.0),
    )


def file_of(number):
    return tiny_images.png(tiny_images.pixels(number, 0))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A shop: item 3 and user 2 have no photograph, item 7 is met by nobody."""
    folder = tmp_path_factory.mktemp("shop")
    for name in ("items", "users"):
        (folder / name).mkdir()
    for i in range(ITEMS):
        (folder / "items" / f"{i}.png").write_bytes(file_of(i))
    for i in range(USERS):
        (folder / "users" / f"{i}.png").write_bytes(file_of(ITEMS + i))
    rows = [(f"i{i}", f"items/{i}.png" if i != 3 else "") for i in range(ITEMS)]
    pl.DataFrame(rows, ["item", "photo"], orient="row").write_csv(folder / "items.csv")
    rows = [(f"u{i}", f"users/{i}.png" if i != 2 else "") for i in range(USERS)]
    pl.DataFrame(rows, ["user", "face"], orient="row").write_csv(folder / "users.csv")
    rows = [(f"u{n % 6}", f"i{n % 7}", 1_600_000_000 + n) for n in range(60)]
    pl.DataFrame(rows, ["user", "item", "timestamp"], orient="row").write_csv(
        folder / "events.csv"
    )
    return folder


@pytest.fixture(scope="module")
def program(folder):
    tables = Files(
        events=folder / "events.csv",
        items=folder / "items.csv",
        users=folder / "users.csv",
    )
    made = experiment(prepare(tables, folder / "data"))
    return open_program(made, small.runtime())


@pytest.fixture(scope="module")
def state(program):
    state, step = program.init(), program.step()
    for batch, _ in zip(program.batches(0), range(2), strict=False):
        state, _ = step(state, batch)
    return state


@pytest.fixture(scope="module")
def bundle(program, state, folder):
    program.experiment.export.write(program, state, folder / "bundle")
    return open_bundle(folder / "bundle")


def test_a_batch_sees_the_pixels_of_its_items_and_users(program):
    batch = program.dataset.batch(0)
    known, crop = program.dataset.interactions, CenterCrop()
    item = {f"i{i}": crop(file_of(i), SIZE) for i in range(ITEMS)}
    item["i3"] = np.zeros((SIZE, SIZE, 3), np.uint8)
    ids = batch["positive"]["item"][:, 0] - 1
    for row, pixels in zip(ids, batch["positive"]["look"], strict=True):
        np.testing.assert_array_equal(pixels, item[known.item_ids[row]])
    faces = {crop(file_of(ITEMS + i), SIZE).tobytes() for i in range(USERS) if i != 2}
    seen = {face.tobytes() for face in batch["query"]["face"] if face.any()}
    assert seen and seen <= faces


def test_the_photograph_counts_and_its_branch_learns(program, state):
    features = dict(program.dataset.corpora["item"].features)
    before = embed_all(program, state, "candidate", features)
    features["look"] = features["look"][:][::-1]
    assert (
        np.abs(embed_all(program, state, "candidate", features) - before).max() > 0.01
    )
    start = program.init().params["candidate"]["look"]["branch"]["conv_0"]["kernel"]
    now = state.params["candidate"]["look"]["branch"]["conv_0"]["kernel"]
    assert np.abs(np.asarray(now) - np.asarray(start)).max() > 1e-3


def test_a_bundle_answers_as_the_live_model(program, state, bundle, folder):
    raw = program.dataset.raw_queries("test", 4)
    wanted = embed_all(
        program,
        state,
        "query",
        encode_all(program.dataset.inputs, raw, len(raw["face"])),
    )
    del raw["text"], raw["history_age"]
    np.testing.assert_allclose(bundle.embed(raw), wanted, atol=1e-5)
    served = signatures(bundle)[EMBED].ask(raw)["embedding"]
    np.testing.assert_allclose(served, wanted, atol=1e-5)
    ids, vectors = bundle.embed_items(folder / "items.csv")
    known = [bundle.items.rows[id] for id in ids]
    np.testing.assert_allclose(vectors, bundle.items.vectors[known], atol=1e-5)


def test_a_command_takes_the_path_of_a_photograph(bundle, folder, capsys):
    face = folder / "users" / "0.png"
    main(["query", str(bundle.folder), "--column", f"face={face}", "-k", "2"])
    said = capsys.readouterr().out
    best = bundle.search({"face": [face.read_bytes()]}, 2)[0]
    assert [line.split()[1] for line in said.splitlines()[-2:]] == [b.id for b in best]


def test_new_items_have_photographs(bundle, tmp_path, folder, caplog):
    (tmp_path / "new.csv").write_text("item,photo\nx,a.png\ny,\n")
    (tmp_path / "a.png").write_bytes(file_of(5))
    with caplog.at_level(logging.WARNING):
        ids, vectors = bundle.embed_items(tmp_path / "new.csv")
    assert ids == ("x", "y") and "nothing of 1 of 2 items: y" in caplog.text
    assert np.abs(vectors[0] - vectors[1]).max() > 1e-3
    (tmp_path / "a.png").write_bytes(file_of(5)[:100])
    with pytest.raises(UserError, match=r"row 2, column .photo.: a.png: damaged"):
        bundle.embed_items(tmp_path / "new.csv")


@pytest.mark.parametrize("given", ["a.png", b"", file_of(1)[:100]])
def test_a_query_without_a_photograph_that_can_be_read(bundle, given):
    with pytest.raises(UserError, match="face, query 0: "):
        bundle.embed({"face": [given]})


@pytest.mark.slow
def test_the_saved_model_sees_the_photographs(program, state, folder):
    """Export compares it with the live model on the data's own queries."""
    pytest.importorskip("tensorflow", reason="needs the extra savedmodel")
    export = replace(program.experiment.export, saved_model=True)
    told = export.write(program, state, folder / "saved")
    assert "saved_model_query_score_difference" in told
    saved = saved_model.load(folder / "saved" / "saved_model")
    files = [as_jpeg(file_of(i)) for i in (9, 12)]
    asked = {"face": [*files, b""], "history": [["i1"], [], ["i2"]]}
    opened = open_bundle(folder / "saved")
    wanted = opened.embed({**asked, "face": [*files, None]})
    np.testing.assert_allclose(saved[EMBED](asked)["embedding"], wanted, atol=1e-4)
    with pytest.raises(Exception, match="face: this is no JPEG"):
        saved[EMBED]({"face": [b"GIF"], "history": [["i1"]]})


TABLE = make.entity(["a", "b"], files("photo", [file_of(1), b""]))
NONE = make.entity(["a", "b"], files("photo", [b"", b""]))


@pytest.mark.parametrize(
    ("column", "table", "said"),
    [
        (VectorColumn(), TABLE, "holds image, which ImageColumn reads"),
        (ImageColumn(), NONE, "'photo' is missing in all 2 training rows"),
        (ImageColumn("title"), TABLE, "there is no column 'title'"),
    ],
)
def test_columns_that_cannot_be_read(column, table, said):
    with pytest.raises(UserError, match=said):
        fitted.fit({"item": {"photo": column}}, {"item": table}, {"item": np.arange(2)})


def test_a_branch_of_another_size(program):
    other = rj.nn.Photo(replace(NET, size=32), 8)
    tower = program.experiment.model.candidate.copy(
        inputs={"item": rj.nn.EmbeddingBag("item"), "look": other}
    )
    model = replace(program.experiment.model, candidate=tower)
    with pytest.raises(ValueError, match=r"16 pixels a side.*ImageColumn\(size="):
        model.table_specs(program.dataset.sides)
