"""An image bundle: written, checked, opened, and asked as the live model is."""

import re
import shlex
from dataclasses import replace

import numpy as np
import pytest
import small
import tiny_images

from recjax.bundle.image import ImageBundle
from recjax.bundle.open import open_bundle
from recjax.cli.main import main
from recjax.data import fitted
from recjax.data.columns import VectorColumn
from recjax.data.images.source import Images, ImagesData
from recjax.data.prepared import Prepared
from recjax.errors import UserError
from recjax.evals.embed import embed_images
from recjax.evals.triplet_file import evaluate_triplets
from recjax.evals.triplet_scorers import ByModel, RunImageEmbedder
from recjax.experiment import Experiment, Runtime
from recjax.losses import TripletHinge
from recjax.models import Multiscale
from recjax.nn.backbones import SmallNet
from recjax.nn.pyramid import SMALL
from recjax.optim import Adam, Optimizer
from recjax.sharding.mesh import make_mesh
from recjax.train.program import Program

SIZE = 32


@pytest.fixture(scope="module")
def run():
    data = Images("tiny", (0.1, 0.5, 1.0), batch_size=4, size=SIZE)
    experiment = Experiment(
        name="images",
        seed=0,
        steps=2,
        data=data,
        model=Multiscale(SmallNet(SIZE, (8, 16)), SMALL, width=12, classes=(2, 4, 8)),
        losses={"ranking": TripletHinge(0.5)},
        optimizer=Optimizer({".*": Adam(1e-2)}),
        export=ImageBundle(saved_model=False),
    )
    opened = ImagesData(data, 0, tiny_images.table())
    program = Program(experiment, Runtime(), opened, make_mesh({"data": 1}))
    state, step = program.init(), program.step()
    for batch, _ in zip(program.batches(0), range(2), strict=False):
        state, _ = step(state, batch)
    return program, state


@pytest.fixture(scope="module")
def bundle(run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundle") / "a"
    assert "image_score_difference" in run[0].experiment.export.write(*run, folder)
    return folder


def write_images(folder):
    made = tiny_images.table()
    for i, name in enumerate(made.names):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(made.read(i))


def test_files_are_embedded_as_the_live_model_does(run, bundle, tmp_path):
    program, state = run
    write_images(tmp_path)
    opened, data = open_bundle(bundle), program.dataset
    files = opened.images
    asked = data.table.of_split("test")
    names = [data.table.names[i] for i in asked]
    got = files.embed_files([tmp_path / name for name in names])
    want = embed_images(program, state, asked, data.shown)
    np.testing.assert_allclose(got, want, atol=1e-5)
    held = embed_images(program, state, data.training, data.shown)
    for row, found in zip(want @ held.T, opened.nearest(got, 3), strict=True):
        best = np.sort(row)[::-1][:3]
        np.testing.assert_allclose([one.score for one in found], best, atol=1e-5)
        place = data.training[row.argmax()]
        assert found[0].id == data.table.names[place]
        title = found[0].title.split(" / ")
        assert title[-1] == f"fine{data.table.labels[place, -1]}"
    assert files.embed_files([]).shape == (0, 12)


def test_triplets_are_judged_as_by_the_run(run, bundle, tmp_path):
    write_images(tmp_path)
    lines = [f"{i}/0.png,{i}/1.png,{7 - i}/2.png" for i in range(8)]
    path = tmp_path / "triplets.csv"
    header = "query_image,positive_image,negative_image"
    path.write_text("\n".join([header, *lines]) + "\n")
    both = {"bundle": open_bundle(bundle).images, "run": RunImageEmbedder(*run)}
    scorers = {name: ByModel(one) for name, one in both.items()}
    found = evaluate_triplets(scorers, path, tmp_path).precision
    assert found["bundle"].right.tolist() == found["run"].right.tolist()
    assert len(found["run"].right) == 8


@pytest.mark.slow
def test_the_saved_model_is_the_same(run, tmp_path):
    pytest.importorskip("tensorflow", reason="needs the extra savedmodel")
    text = ImageBundle().write(*run, tmp_path / "b")
    assert "saved_model_image_score_difference" in text


def test_what_cannot_be_used_is_named(run, bundle, tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"broken")
    files = open_bundle(bundle).images
    for name in ("a.jpg", "none.jpg"):
        with pytest.raises(UserError, match=f"{name} is no image that can be read"):
            files.embed_files([tmp_path / name])
    with pytest.raises(UserError, match="not a bundle"):
        open_bundle(tmp_path)
    strict = replace(ImageBundle(saved_model=False), tolerance=-1.0)
    with pytest.raises(UserError, match="image_score_difference is"):
        strict.write(*run, tmp_path / "c")
    assert not list(tmp_path.glob("c*"))


def test_photographs_become_a_column_as_the_docs_say(bundle, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RECJAX_CACHE", str(tmp_path / "cache"))
    write_images(tmp_path)
    (tmp_path / "bundles").mkdir()
    (tmp_path / "bundles" / "photos").symlink_to(bundle)
    (tmp_path / "items.csv").write_text(
        "item,photo\n" + "".join(f"i{i},{i}/0.png\n" for i in range(4)) + "i4,\n"
    )
    lines = [f"u{i % 3},i{i % 5},{1_600_000_000 + i}" for i in range(30)]
    (tmp_path / "events.csv").write_text("user,item,timestamp\n" + "\n".join(lines))
    text = (small.ROOT / "docs" / "columns.md").read_text()
    part = text[text.index("## Photographs") :]
    exec("\n".join(re.findall(r"```python\n(.*?)```", part, re.DOTALL)[:2]), {})
    words = re.search(r"^recjax (.*?)```", part.replace("\\\n", ""), re.DOTALL | re.M)
    main(shlex.split(words[1]))
    items = Prepared.open("shop_photos").table("item")
    columns, rows = {"item": {"look": VectorColumn()}}, np.arange(5)
    made = fitted.fit(columns, {"item": items}, {"item": rows})["item"]
    found = made.take(rows)["look"]
    wanted = open_bundle(bundle).images.embed_files([f"{i}/0.png" for i in range(4)])
    order = [int(id[1:]) for id in items["id"].vocabulary]
    for row, number in zip(found, order, strict=True):
        own = np.r_[wanted[number], 0] if number < 4 else np.r_[np.zeros(12), 1]
        np.testing.assert_allclose(row, own, atol=1e-6)
