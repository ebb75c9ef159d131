"""One small shop and one short run, which the tests of the Python API share."""

import json
from dataclasses import replace

import numpy_bert
import pytest
import weight_files

import recjax as rj
from recjax.data.prepared import Prepared


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    """Returns a cache folder that is used until the end."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("api_cache")
        patch.setenv("RECJAX_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session")
def data(cache, tmp_path_factory):
    """Returns kind -> invented data, prepared."""
    photos = tmp_path_factory.mktemp("photos")
    kinds = {
        "interactions": rj.testing.interactions(users=60),
        "sessions": rj.testing.sessions(users=60),
        "search": rj.testing.search(queries=600),
        "search_few": rj.testing.search(),
        "catalog": rj.testing.catalog(),
        "images": rj.testing.images(photos),
    }
    return {name: rj.prepare(**given, out=name) for name, given in kinds.items()}


@pytest.fixture(scope="session")
def encoder(tmp_path_factory):
    """Returns a folder of a random encoder, whose words are letters."""
    folder = tmp_path_factory.mktemp("encoder")
    letters = [chr(ord("a") + n) for n in range(26)]
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *letters, *(f"##{x}" for x in letters)]
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    sizes = {"vocab_size": len(words), "max_position_embeddings": 40}
    config = {**numpy_bert.BERT, **sizes}
    (folder / "config.json").write_text(json.dumps(config))
    tensors = numpy_bert.random_tensors(config)
    weight_files.write_safetensors(folder / "model.safetensors", tensors)
    return str(folder)


@pytest.fixture(scope="session")
def shop(data) -> Prepared:
    """Returns the shop."""
    return data["interactions"]


@pytest.fixture(scope="session")
def experiment(shop):
    """Returns a small experiment of the shop."""
    made = rj.templates.two_tower(shop, lambda line: None)
    evals = {name: made.evals[name] for name in ("two_tower", "popularity")}
    return replace(made, steps=4, evals=evals, best=None)


@pytest.fixture(scope="session")
def run(experiment, tmp_path_factory):
    """Returns a run of it."""
    return rj.train(experiment, tmp_path_factory.mktemp("runs") / "shop")
