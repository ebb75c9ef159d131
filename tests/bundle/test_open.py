"""Bundles of towers: what lies in the folder, what they answer, what they refuse."""

import json

import command
import numpy as np
import pytest
import small

from recjax.bundle.items import open_items
from recjax.bundle.open import open_bundle
from recjax.bundle.two_tower import Bundle
from recjax.errors import UserError
from recjax.evals.embed import embed_all
from recjax.experiment import Experiment
from recjax.nn.decayed_sum import RecencyBag
from recjax.nn.tower import Tower
from recjax.sharding.mesh import make_mesh
from recjax.train.program import Program


def written(folder, made: Experiment):
    """Returns the program, its first state and the folder of its bundle."""
    data = made.data.open(made.seed)
    program = Program(made, small.runtime(), data, make_mesh({"data": 1}))
    state = program.init()
    made.export.write(program, state, folder)
    return program, state, folder


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    export = Bundle(saved_model=False, min_recall=0.0)
    folder = tmp_path_factory.mktemp("bundles") / "whole"
    return written(folder, small.experiment(export=export))


@pytest.fixture(scope="module")
def films(whole):
    return open_bundle(str(whole[2]))


def test_answers_are_those_of_the_live_model(whole, films):
    program, state, _ = whole
    raw = {"history": [["i3", "i4"]], "text": ["red thing"]}
    features = {n: i.encode(raw[n]) for n, i in films.inputs.items() if n in raw}
    features["history_age"] = np.zeros((1, 6), np.float32)
    query = embed_all(program, state, "query", features)
    corpus = program.dataset.corpora["item"]
    scores = (query @ embed_all(program, state, "candidate", corpus.features).T)[0]
    scores[[3, 4]] = -np.inf
    best = np.argsort(-scores)[:5]
    (found,) = films.search(raw, 5)
    assert [one.id for one in found] == [f"i{i}" for i in best]
    np.testing.assert_allclose([one.score for one in found], scores[best], atol=1e-5)
    assert found[0].title == corpus.titles[best[0]]
    (all_of_them,) = films.search(raw, 999)
    assert len(all_of_them) == 38


def test_nothing_lies_there_twice(whole):
    files = [path for path in whole[2].rglob("*") if path.is_file()]
    assert len({path.read_bytes() for path in files}) == len(files)
    vectors = np.load(whole[2] / "vectors.npy")
    raw = vectors.tobytes()
    assert sum(raw in path.read_bytes() for path in files) == 1
    assert len([path for path in files if "vocabulary" in path.name]) == 1


@pytest.mark.parametrize("k", [0, -1])
def test_no_results_are_no_question(films, k):
    with pytest.raises(UserError, match=f"k = {k}"):
        films.nearest(films.items.vectors[:2], k)
    with pytest.raises(UserError, match=f"k = {k}"):
        films.search({"text": ["red"]}, k)


def test_vectors_of_another_width(films):
    with pytest.raises(UserError, match=r"queries: shape \[1, 3\]"):
        films.nearest(np.zeros((1, 3)), 2)


def test_what_a_bundle_lacks_is_told_with_what_it_takes(films):
    takes = "it takes queries .*recjax query.*, new items .*--items"
    with pytest.raises(UserError, match=f"takes no photographs; {takes}"):
        _ = films.images
    with pytest.raises(UserError, match=f"takes no sessions of users; {takes}"):
        _ = films.session


def test_a_query_tower_that_reads_no_text(tmp_path, capfd):
    made = small.experiment(export=Bundle(saved_model=False, min_recall=0.0))
    history = RecencyBag("film", small.WIDTH, 2, age="history_age")
    query = Tower({"history": history}, small.WIDTH)
    model = small.replace(made.model, query=query)
    *_, folder = written(tmp_path / "a", small.replace(made, model=model))
    assert sorted(open_bundle(folder).inputs) == ["history", "history_age"]
    for told in (
        ("query", folder, "--text", "red"),
        ("embed", folder, "--text", "red"),
    ):
        message = command.fails(capfd, *told)
        assert "takes ['history', 'history_age'], not 'text'" in message
    found = open_bundle(folder).search({"history": [["i3"]]}, 3)
    assert len(found[0]) == 3


def test_empty_and_unknown_texts_from_the_shell(whole, capfd, caplog):
    from recjax.cli.main import main

    for told in (["query"], ["embed"]):
        message = command.fails(capfd, *told, whole[2], "--text", " ")
        assert "there is nothing to ask" in message
        caplog.clear()
        main([*told, str(whole[2]), "--text", "☃☃☃"])
        assert "knows no part of the text '☃☃☃'" in caplog.text
    capfd.readouterr()


def test_items_of_a_bundle_are_checked_those_of_a_folder_need_no_manifest(
    whole, tmp_path
):
    folder = tmp_path / "copy"
    folder.mkdir()
    for name in ("vectors.npy", "items.jsonl", "manifest.json"):
        (folder / name).write_bytes((whole[2] / name).read_bytes())
    with pytest.raises(UserError, match="missing, but manifest.json lists it"):
        open_items(folder)
    (folder / "manifest.json").unlink()
    assert open_items(folder).ids == open_items(whole[2]).ids


def test_nan_is_found_when_the_index_is_opened(whole, tmp_path):
    folder = tmp_path / "copy"
    folder.mkdir()
    vectors = np.load(whole[2] / "vectors.npy")
    vectors[5, 1] = np.nan
    np.save(folder / "vectors.npy", vectors)
    (folder / "items.jsonl").write_bytes((whole[2] / "items.jsonl").read_bytes())
    manifest = {"format": "recjax bundle 2", "files": {}}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(UserError, match=r"vectors.npy: row 5 holds NaN"):
        _ = open_bundle(folder).index
