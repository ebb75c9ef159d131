"""New queries and new items from the bundle of the tiny Home Depot experiment."""

import json

import command
import numpy as np
import polars as pl
import pytest
import small

from recjax.bundle.open import open_bundle
from recjax.cli.main import main

COLORS, THINGS, ITEMS = ("red", "green", "blue", "grey"), ("shoe", "hat", "lamp"), 60
CUTS = ((0, 8), (8, 9), (9, 30), (30, 37))
HOME_DEPOT = small.ROOT / "experiments" / "two_tower_home_depot.py"
CPU = small.ROOT / "configs" / "cpu.py"


def title(item):
    return f"{COLORS[item % 4]} {THINGS[item % 3]} {item}"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """Returns the bundle of a run on a small file of search pairs."""
    folder = tmp_path_factory.mktemp("home_depot")
    rows = [
        f"{COLORS[i % 4]} {THINGS[i % 3]} {i},p{j},{3 if i == j else 1},{title(j)}"
        for i in range(ITEMS)
        for j in (i, (i + 12) % ITEMS)
    ]
    pairs = folder / "pairs.csv"
    pairs.write_text("\n".join(["query,candidate,grade,title", *rows]) + "\n")
    data, run, bundle = folder / "data", folder / "run", folder / "bundle"
    main([*map(str, ("data", "prepare", "--judgements", pairs, "--out", data))])
    told = ("train", HOME_DEPOT, "--tiny", "--on", CPU, "--workdir", run)
    sets = (f"data.source={data}", "export.saved_model=false", "steps=2")
    main([*map(str, told), *(a for one in sets for a in ("--set", one))])
    main([*map(str, ("export", run, "--to", bundle))])
    return bundle


@pytest.fixture(scope="module")
def retriever(bundle):
    return open_bundle(bundle)


def embedded(bundle, to, *more):
    main([*map(str, ("embed", bundle, "--to", to, *more))])
    return np.load(to)


@pytest.mark.slow
def test_known_items_of_a_file_are_those_of_the_corpus(bundle, retriever, tmp_path):
    items = tmp_path / "items.csv"
    order = np.random.default_rng(0).permutation(ITEMS)
    rows = [f"p{i},{title(i)}" for i in order]
    items.write_text("\n".join(["sku,title", *rows]) + "\n")
    told = ("--items", items, "--rename", "sku=item")
    found = embedded(bundle, tmp_path / "all.npy", *told)
    places = [retriever.items.ids.index(f"p{i}") for i in order]
    np.testing.assert_allclose(found, retriever.items.vectors[places], atol=1e-5)


@pytest.mark.slow
def test_a_product_that_nobody_met_lies_where_its_words_do(bundle, tmp_path, capsys):
    new = pl.DataFrame(
        {"item": ["n1", "n2"], "title": ["red shoe 0", "blue lamp shoe"]}
    )
    new.write_parquet(tmp_path / "new.parquet")
    told = ("--items", tmp_path / "new.parquet", "-k", 3)
    found = embedded(bundle, tmp_path / "new.npy", *told)
    known = np.load(bundle / "vectors.npy")
    ids = open_bundle(bundle).items.ids
    np.testing.assert_allclose(found[0], known[ids.index("p0")], atol=1e-5)
    assert np.abs(found[1] - known).max(1).min() > 1e-3
    said = capsys.readouterr().out
    assert "2 vectors of 512 numbers" in said
    scores = found @ known.T
    assert ids[int(scores[0].argmax())] in said.split("n2")[0]
    assert said.count("\n") == 1 + 2 * 4


@pytest.mark.slow
def test_texts_as_json_and_as_the_query_command_ranks_them(bundle, capsys):
    texts = ("grey hat", "a red shoe for a wall")
    main([*map(str, ("embed", bundle, "--text", texts[0], "--text", texts[1]))])
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["text"] for one in said] == list(texts)
    vectors = np.array([one["embedding"] for one in said])
    known, ids = np.load(bundle / "vectors.npy"), open_bundle(bundle).items.ids
    for text, scores in zip(texts, vectors @ known.T, strict=True):
        main([*map(str, ("query", bundle, "--text", text, "-k", 5, "--json"))])
        found = json.loads(capsys.readouterr().out)
        best = np.sort(scores)[::-1][:5]
        np.testing.assert_allclose([o["score"] for o in found], best, atol=1e-4)
        for one in found:
            own = scores[ids.index(one["id"])]
            assert own == pytest.approx(one["score"], abs=1e-4)


@pytest.mark.slow
def test_blocks_change_nothing(retriever):
    draw = np.random.default_rng(1)
    features = {"text": draw.integers(0, 50, (37, 32)).astype(np.int32)}
    whole = retriever.run("item", features)
    parts = [retriever.run("item", {"text": features["text"][i:j]}) for i, j in CUTS]
    parts = np.concatenate(parts)
    assert whole.shape == (37, 512)
    np.testing.assert_allclose(parts, whole, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_words_that_it_does_not_know(bundle, tmp_path, caplog):
    items = tmp_path / "odd.csv"
    items.write_text("item,title\nn1,red shoe\nn2,☃☃☃\n")
    vectors = embedded(bundle, tmp_path / "odd.npy", "--items", items)
    assert vectors.shape == (2, 512)
    assert "knows nothing of 1 of 2 items: n2" in caplog.text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("told", "words"),
    [
        ((), "give either --text or --items"),
        (("--text", "a", "--items", "x.csv"), "give either --text or --items"),
        (("--text", "a", "-k", "-1"), "-k -1: ask for at least one"),
        (("--text", "a", "--to", "x.txt"), "does not end in .npy"),
        (("--items", "none.csv"), "none.csv: no such file"),
        (("--items", "BAD"), "column 'title': \"\""),
        (("--items", "BARE"), "missing column"),
        (("--items", "BAD", "--rename", "itm=id"), "Did you mean 'item'"),
        (("--items", "BAD", "--rename", "item"), "expected your name"),
    ],
)
def test_what_cannot_be_embedded(bundle, tmp_path, capfd, told, words):
    (tmp_path / "bad.csv").write_text("item,title\nn1,red shoe\nn2,\n")
    (tmp_path / "bare.csv").write_text("item,name\nn1,red shoe\n")
    names = {"BAD": tmp_path / "bad.csv", "BARE": tmp_path / "bare.csv"}
    told = [names.get(word, word) for word in told]
    assert words in command.fails(capfd, "embed", bundle, *told)


@pytest.mark.slow
def test_vectors_are_not_written_over_others(bundle, tmp_path, capfd):
    embedded(bundle, tmp_path / "one.npy", "--text", "red")
    told = ("embed", bundle, "--text", "red", "--to", tmp_path / "one.npy")
    assert "exists; choose another" in command.fails(capfd, *told)
