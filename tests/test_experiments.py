"""Every experiment on every config: its resolved text, its parts, and its whole way."""

import importlib.util
import json
import math
from dataclasses import replace
from functools import cache
from types import SimpleNamespace

import films
import jax
import numpy as np
import pytest
import sessions as session_support
import small
import tiny_images
import tiny_search

from recjax.bundle.two_tower import Bundle
from recjax.cli.main import main
from recjax.data.catalog.search import CatalogData, CatalogSearch
from recjax.data.images.source import Images, ImagesData
from recjax.data.interactions import Interactions
from recjax.data.next_item import NextItem, NextItemData
from recjax.data.search import Search, SearchData
from recjax.data.search_pairs import SearchPairs
from recjax.data.sessions.next import NextInSession, NextInSessionData
from recjax.experiment import load_experiment, load_runtime, load_sweep
from recjax.prepare.built_in import prepare_built_in
from recjax.rehearse import rehearse
from recjax.sharding.mesh import make_mesh
from recjax.train.image_views import with_views
from recjax.train.program import Program

NAMES = sorted(
    path.stem
    for path in (small.ROOT / "experiments").glob("*.py")
    # PinnerSage trains nothing: these are programs of their own.
    if not path.stem.startswith("pinnersage_")
)
CONFIGS = sorted(path.stem for path in (small.ROOT / "configs").glob("*.py"))
REFRESH = small.ROOT / "tools" / "refresh_goldens.py"
TINY = "invented_catalog_tiny"
ITEMS, USERS, EACH = 60, 30, 12
COLORS, THINGS = ("red", "green", "blue", "grey"), ("shoe", "hat", "lamp")


def file_of(name):
    return str(small.ROOT / "experiments" / f"{name}.py")


@cache
def load(name, tiny=False, variant=""):
    return load_experiment(file_of(name), tiny, variant)


def of_text(name):
    """Sessions and images have tests of their own whole way."""
    return not isinstance(load(name).data, NextInSession | Images)


EXPORTED = [name for name in NAMES if load(name).export is not None and of_text(name)]


@cache
def on(config):
    return load_runtime(str(small.ROOT / "configs" / f"{config}.py"))


def title(item):
    return f"{COLORS[item % 4]} {THINGS[item % 3]} {item}"


def events():
    """Returns user, item and timestamp of users who go on to the next item."""
    user = np.repeat(np.arange(USERS), EACH)
    place = np.tile(np.arange(EACH), USERS)
    return user, (user * 7 + place) % ITEMS, 1_600_000_000 + place * 40_000 + user


def pairs():
    """Returns query, product and relevance: words, and items whose titles hold both."""
    return [
        (f"{color} {thing} {like}", item, 3.0 if like % 12 == item % 12 else 1.0)
        for like in range(60)
        for color, thing in [(COLORS[like % 4], THINGS[like % 3])]
        for item in (like, (like + 12) % ITEMS, (like + 5) % ITEMS)
    ]


def opened(settings, seed):
    """Returns small data in memory, of the kind that the settings are about."""
    if isinstance(settings, CatalogSearch):
        return replace(settings, source=str(prepare_built_in(TINY))).open(seed)
    if isinstance(settings, NextInSession):
        return NextInSessionData(settings, seed, session_support.sessions(users=40))
    ids, titles = tuple(map(str, range(ITEMS))), tuple(map(title, range(ITEMS)))
    if isinstance(settings, NextItem):
        user, item, timestamp = events()
        known = Interactions(
            user=user.astype(np.int32),
            item=item.astype(np.int32),
            timestamp=timestamp,
            rating=np.ones(len(user), np.float32),
            tables=films.tables(USERS, ids, titles, timestamp),
        )
        return NextItemData(settings, seed, known)
    if isinstance(settings, Images):
        # One view has the shapes of many, and its maps are made sooner.
        few = replace(settings, views=min(settings.views, 1))
        return ImagesData(few, seed, tiny_images.table())
    assert isinstance(settings, Search)
    rows = pairs()
    queries = tuple(dict.fromkeys(query for query, _, _ in rows))
    known = SearchPairs(
        query=np.array([queries.index(query) for query, _, _ in rows], np.int32),
        product=np.array([item for _, item, _ in rows], np.int32),
        relevance=np.array([relevance for _, _, relevance in rows], np.float32),
        tables=tiny_search.tables(queries, ids, titles),
    )
    return SearchData(settings, seed, known)


@pytest.fixture(scope="module")
def goldens():
    """Returns the folder of the golden texts, and each text as it is now."""
    spec = importlib.util.spec_from_file_location("refresh_goldens", REFRESH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.GOLDENS, module.goldens()


def test_there_are_experiments_and_configs():
    assert {"two_tower_movielens", "two_tower_home_depot"} <= set(NAMES)
    assert {"cpu", "cpu8", "gpu1", "gpu8", "tpu_v5e_16"} <= set(CONFIGS)


@pytest.mark.parametrize("name", NAMES)
def test_resolved_text_is_the_golden_one(goldens, name):
    folder, texts = goldens
    path = folder / f"{name}.txt"
    meant = f"if the change is meant: python {REFRESH.relative_to(small.ROOT)}"
    assert path.exists(), meant
    assert texts[path.name] == path.read_text(encoding="utf-8"), meant


def test_no_golden_is_left_over(goldens):
    assert sorted(path.stem for path in goldens[0].iterdir()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_names_and_sizes(name):
    full, tiny = load(name), load(name, tiny=True)
    assert (full.name, tiny.name) == (name, f"{name}_tiny")
    assert tiny.steps <= 50 < full.steps or full.steps == tiny.steps == 0
    assert tiny.data.batch_size < full.data.batch_size
    assert set(tiny.evals) <= set(full.evals)
    assert any(e.trained for e in full.evals.values())
    for evaluation in full.evals.values():
        assert evaluation.split in ("validation", "test")


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("tiny", [False, True])
def test_batches_and_tables_divide_over_the_mesh(name, config, tiny):
    experiment, mesh = load(name, tiny), on(config).mesh
    if -1 in mesh.values():
        pytest.skip("the mesh takes as many devices as there are")
    data = experiment.data
    if (split := mesh["data"] * mesh.get("fsdp", 1)) > (16 if tiny else 32):
        pytest.skip("batches of this size are for fewer devices")
    parts = [data.batch_size, getattr(data, "negatives", None) or 0]
    if isinstance(data, CatalogSearch):
        shares = [task.share for task in data.tasks.values()]
        parts = [data.batch_size * share // sum(shares) for share in shares]
    assert not any(rows % split for rows in parts)
    # Checkpoints move between meshes whose sizes divide a block of table rows.
    assert 256 % math.prod(mesh.values()) == 0


@pytest.fixture(autouse=True)
def cache_of_tests(tmp_path_factory, monkeypatch):
    """An invented catalogue is prepared once, and not in the user's cache."""
    folder = tmp_path_factory.getbasetemp() / "cache"
    monkeypatch.setenv("RECJAX_CACHE", str(folder))


@pytest.mark.parametrize(
    ("name", "tiny"),
    [
        *((name, False) for name in NAMES),
        # The others are trained, below.
        *((name, True) for name in NAMES if name not in EXPORTED),
    ],
)
def test_model_data_and_optimizer_fit_together(name, tiny):
    experiment = load(name, tiny)
    data = opened(experiment.data, experiment.seed)
    data = with_views(data, experiment.model)
    mesh = make_mesh({"data": 1})
    program = Program(experiment, on("cpu"), data, mesh)
    state = program.like
    assert set(state.tables) == set(experiment.model.table_specs(data.sides))
    batch = program.example_batch
    kinds = batch.values() if isinstance(data, CatalogData) else [batch]
    assert sum(len(one["weight"]) for one in kinds) == experiment.data.batch_size
    step = jax.eval_shape(program.step(), state, batch)
    assert jax.tree.map(lambda a: a.shape, step[0]) == jax.tree.map(
        lambda a: a.shape, state
    )
    assert set(step[1].overflow) <= set(state.tables)


def variants(name, *marks):
    """Every variant of an experiment's sweep, as parameters of a test."""
    return [pytest.param(name, one, marks=marks) for one in load_sweep(file_of(name))]


VARIANTS = [
    *variants("two_tower_movielens"),
    *variants("omnisearchsage_home_depot"),
    *variants("omnisearchsage_home_depot_ensemble"),
    *variants("omnisearchsage_catalog", pytest.mark.slow),
]


@pytest.mark.parametrize(("name", "variant"), VARIANTS)
def test_every_variant_of_a_sweep_fits_together(name, variant):
    one = load(name, True, variant)
    source = SimpleNamespace(open=lambda seed: opened(one.data, seed))
    told = rehearse(source, one.seed, one.model, one.losses, one.optimizer)
    assert "losses fit" in str(told)


def prepare(name, folder):
    """Prepares the small data with the command line; returns the folder."""
    out, log = folder / "prepared", folder / "log.csv"
    if isinstance(load(name).data, NextItem):
        kind, columns = "events", ("user", "item", "timestamp")
        rows = zip(*events(), strict=True)
    else:
        kind, columns = "judgements", ("query", "candidate", "grade")
        rows = pairs()
    lines = [",".join(columns), *(",".join(map(str, row)) for row in rows)]
    log.write_text("\n".join(lines) + "\n")
    titles = ["item,title", *(f"{i},{title(i)}" for i in range(ITEMS))]
    (folder / "items.csv").write_text("\n".join(titles) + "\n")
    given = (f"--{kind}", log, "--items", folder / "items.csv", "--out", out)
    main(["data", "prepare", *map(str, given)])
    return out


@pytest.mark.slow
@pytest.mark.parametrize("name", EXPORTED)
def test_the_whole_way_of_the_tiny_twin(name, tmp_path, capsys):
    run, bundle = tmp_path / "run", tmp_path / "bundle"
    invented = isinstance(load(name).data, CatalogSearch)
    told = ["train", file_of(name), "--tiny", "--workdir", run]
    told += ["--on", small.ROOT / "configs" / "cpu.py"]
    if invented:
        main(["data", "prepare", TINY])
    given = "steps=5" if invented else f"data.source={prepare(name, tmp_path)}"
    told += ["--set", given]
    main([*map(str, told)])
    result = json.loads((run / "result.json").read_text())
    assert set(result["results"]) == set(load(name, tiny=True).evals)
    for figures in result["results"].values():
        assert all(0 <= figures[name] <= 1 for name in ("recall@10", "ndcg@10"))
    capsys.readouterr()
    main(["eval", str(run)])
    said = capsys.readouterr().out
    again = json.loads((run / "eval.json").read_text())["results"]
    for evaluation, figures in again.items():
        assert evaluation in said
        before = result["results"][evaluation]["recall@10"]
        assert figures["recall@10"] == pytest.approx(before, abs=1e-6)
    if not isinstance(load(name).export, Bundle):
        return  # Folders of weights have a test of their own.
    main(["export", str(run), "--to", str(bundle)])
    capsys.readouterr()
    main(["query", str(bundle), "--text", "red shoe", "-k", "5", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert len(found) == 5
    for one in found:
        kind, _, number = one["id"].rpartition("-")
        assert kind == "product" if invented else one["title"] == title(int(number))
    scores = [one["score"] for one in found]
    assert scores == sorted(scores, reverse=True)
    for kind in ("pin", "query") if invented else ():
        other = tmp_path / kind
        told = ["--set", f"export.corpus={kind}"]
        # Queries are found by the same graphs as products.
        told += ["--set", "export.saved_model=False"] if kind == "query" else []
        main(["export", str(run), "--to", str(other), *told])
        capsys.readouterr()
        main(["query", str(other), "--text", "red shoe", "-k", "5", "--json"])
        found = json.loads(capsys.readouterr().out)
        assert len(found) == 5
        assert all(("-" in one["id"]) == (kind == "pin") for one in found)
