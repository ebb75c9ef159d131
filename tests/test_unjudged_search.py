"""Product search on day one: a table of products, and nothing else."""

import logging
from dataclasses import replace

import pytest
import small

import recjax as rj
from recjax.bundle.open import open_bundle
from recjax.cli.main import main
from recjax.errors import UserError
from recjax.evals.fused import fuse
from recjax.evals.fusion import Fusion
from recjax.train.program import open_program

EXPERIMENT = """
import runpy
from dataclasses import replace
import recjax as rj

made = runpy.run_path({!r})

def experiment():
    tiny = made["tiny"]()
    data, export = tiny.data, replace(tiny.export, saved_model=False)
    return replace(tiny, steps={}, data=replace(data, source={!r}), export=export)
"""
TEMPLATE = small.ROOT / "experiments" / "search_without_training.py"


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shop")
    rows = [
        f"p{n},{colour} {kind},{kind} made of {of}"
        for n, (colour, kind, of) in enumerate(
            (colour, kind, of)
            for colour in ("red", "green", "weiß")
            for kind in ("lamps", "chair", "Teppich")
            for of in ("oak", "brass")
        )
    ]
    (folder / "products.csv").write_text("\n".join(["id,title,about", *rows]) + "\n")
    items = str(folder / "products.csv")
    main(["data", "prepare", "--items", items, "--out", str(folder / "data")])
    return folder


def test_products_alone_are_found_by_words(shop, caplog, capsys):
    file, run, bundle = shop / "search.py", shop / "run", shop / "bundle"
    file.write_text(EXPERIMENT.format(str(TEMPLATE), 0, str(shop / "data")))
    with caplog.at_level(logging.WARNING):
        main(["train", str(file), "--workdir", str(run)])
    assert "no queries are judged of the 18 products: nothing is eval" in caplog.text
    main(["export", str(run), "--to", str(bundle)])
    capsys.readouterr()
    main(["query", str(bundle), "--text", "weiß Lamp", "-k", "2"])
    assert "weiß lamps" in capsys.readouterr().out
    found = open_bundle(bundle).search({"text": ["TEPPICH green"]}, 2)[0]
    assert [one.title for one in found] == ["green Teppich"] * 2


def test_a_model_trains_on_parts_of_titles(shop):
    data = rj.data.Search(str(shop / "data"), batch_size=8, negatives=4)
    tower = rj.nn.Tower({"text": rj.nn.EmbeddingBag("token")}, 8)
    made = replace(
        small.experiment(),
        data=data,
        model=rj.models.TwoTower(tower, tower.copy(), {"token": rj.models.Table(8)}),
    )
    program = open_program(made, small.runtime())
    batch = program.dataset.batch(0)
    assert (batch["query_id"] < 0).all() and batch["query"]["text"].any(1).all()
    assert not program.experiment.evals


def test_a_fusion_without_weights_is_refused(shop):
    data = rj.data.Search(str(shop / "data"), batch_size=8).open(0)
    parts = {"words": rj.evals.Bm25(), "popular": rj.evals.Popularity()}
    with pytest.raises(UserError, match="no queries are judged.*say its weights"):
        fuse(Fusion(parts), data, "item", lambda: None)
    with pytest.raises(ValueError, match="unjudged.other = 1.0: name a part"):
        Fusion(parts, unjudged={"other": 1.0})
    by_column = Fusion(
        {
            "words": rj.evals.Bm25(fields={"about": 1.0}),
            "popular": rj.evals.Popularity(),
        },
        unjudged={"words": 1.0},
    )
    fused = fuse(by_column, data, "item", lambda: None)
    words = fused.parts["words"].learned.words
    assert {"oak", "brass"} <= set(words) and "red" not in words
    with pytest.raises(
        UserError, match="no column 'abuot', but .*Did you mean 'about'"
    ):
        rj.evals.Bm25(fields={"abuot": 1.0}).learn(data, "item")
