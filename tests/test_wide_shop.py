"""A shop of 20 columns of all types, on every way from its files to answers."""

import json
import re
from dataclasses import replace

import jax
import numpy as np
import polars as pl
import pytest
import small
import wide_shop as shop

from recjax.bundle import saved_model
from recjax.bundle.contract import EMBED, SERVING
from recjax.bundle.open import open_bundle
from recjax.cli.main import main
from recjax.data.inputs import encode_all
from recjax.data.prepared import Prepared
from recjax.evals.embed import embed_all
from recjax.prepare.prepare import prepare
from recjax.runs import open_run
from recjax.train.program import open_program

pytestmark = pytest.mark.slow
FORMS = ("csv", "csv.gz", "parquet")
SIZES = (1, 17)
EXPERIMENT = (
    "import wide_shop\n\n\ndef experiment():\n    return wide_shop.experiment({!r})\n"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("wide_shop")


@pytest.fixture(scope="module")
def prepared(folder):
    """Returns form of the files -> the prepared data set."""
    return {
        form: Prepared.open(
            prepare(shop.write(folder / form, form), folder / f"data_{form}", shop.HOW)
        )
        for form in FORMS
    }


@pytest.fixture(scope="module")
def trained(folder, prepared):
    """Returns the folders of a run and of its bundle."""
    file = folder / "experiment.py"
    file.write_text(EXPERIMENT.format(str(prepared["csv"].path)))
    run, bundle = folder / "run", folder / "bundle"
    main(["train", str(file), "--workdir", str(run)])
    main(["export", str(run), "--to", str(bundle)])
    return run, bundle


@pytest.fixture(scope="module")
def live(trained):
    """Returns the restarted program, its state, the opened bundle, the SavedModel."""
    saved = saved_model.load(trained[1] / "saved_model")
    return *open_run(trained[0]), open_bundle(trained[1]), saved


def test_every_form_of_a_file_gives_the_same_data(prepared, capsys, folder):
    first, *others = prepared.values()
    told = first.about["tables"]
    assert sum(len(table["columns"]) for table in told.values()) == 5 + 20
    for other in others:
        assert other.digest == first.digest and other.about["tables"] == told
        for name in first.tables:
            for column in first.table(name).columns.values():
                same(column, other.table(name)[column.name])
    main(["data", "describe", *(str(folder / "csv" / f"{n}.csv") for n in ("items",))])
    said = capsys.readouterr().out
    assert all(name in said for name in shop.ITEM)


def same(one, other):
    for part in ("values", "labels"):
        mine, theirs = getattr(one, part), getattr(other, part)
        for name in ("data", "offsets", "start", "values"):
            if hasattr(mine, name):
                np.testing.assert_array_equal(
                    getattr(mine, name), getattr(theirs, name), err_msg=one.name
                )
        if isinstance(mine, np.ndarray):
            np.testing.assert_array_equal(mine, theirs, err_msg=one.name)


def raw_queries(program):
    """Returns 17 queries: unknown and missing values are among them."""
    raw = program.dataset.raw_queries("test", 17)
    del raw["text"]
    for name, value in (("country", "xx"), ("place", "p99"), ("likes", ["xx", "art"])):
        raw[name][0] = value
    for name, values in raw.items():
        if name not in ("history", "history_age"):
            values[1] = None
    return raw


@pytest.mark.parametrize("size", SIZES)
def test_all_that_answer_agree(live, size):
    program, state, opened, saved = live
    raw = {name: values[:size] for name, values in raw_queries(program).items()}
    features = encode_all(program.dataset.inputs, raw, size)
    wanted = embed_all(program, state, "query", features)
    np.testing.assert_allclose(opened.embed(raw), wanted, atol=1e-5)
    np.testing.assert_allclose(saved[EMBED](raw)["embedding"], wanted, atol=1e-5)
    served = saved[SERVING]({**raw, "k": [3] * size})["ids"].astype(str)
    assert served.tolist() == [[one.id for one in row] for row in opened.search(raw, 3)]
    blank = {name: [None] * size for name in raw if "history" not in name}
    alone = {"history": raw["history"], "history_age": raw["history_age"]}
    if all(map(len, raw["history"])):
        missing = saved[EMBED]({**alone, **blank})["embedding"]
        np.testing.assert_allclose(missing, opened.embed(alone), atol=1e-5)


def test_what_was_measured_is_measured_again(trained):
    run, _ = trained
    result = json.loads((run / "result.json").read_text())["results"]["test"]
    main(["eval", str(run)])
    again = json.loads((run / "eval.json").read_text())["results"]["test"]
    assert again["ndcg@10"] == pytest.approx(result["ndcg@10"], abs=1e-6)


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_items_of_a_file_are_those_of_the_data(live, folder, form):
    _, _, opened, _ = live
    path = folder / form / ("items" if form == "parquet" else "items.csv")
    ids, vectors = opened.embed_items(path)
    rows = [opened.items.rows[id] for id in ids]
    np.testing.assert_allclose(vectors, opened.items.vectors[rows], atol=1e-5)


@pytest.mark.parametrize("column", shop.QUERY + shop.CONTEXT)
def test_every_column_of_a_query_counts(live, column):
    program, _, opened, _ = live
    raw = program.dataset.raw_queries("test", 17)
    del raw["text"]
    moved = {**raw, column: raw[column][1:] + raw[column][:1]}
    changed = [a != b for a, b in zip(raw[column], moved[column], strict=True)]
    apart = np.abs(opened.embed(raw) - opened.embed(moved)).max(1)
    assert any(changed) and (apart[~np.array(changed)] < 1e-6).all()
    assert apart.max() > 1e-3


@pytest.mark.parametrize("column", shop.ITEM)
def test_every_column_of_an_item_counts(live, folder, column, tmp_path):
    _, _, opened, _ = live
    items = pl.concat([pl.read_parquet(folder / "parquet" / "items" / "*.parquet")])
    moved = items.with_columns(pl.col(column).shift(1))
    path = tmp_path / "items.parquet"
    moved.write_parquet(path)
    ids, vectors = opened.embed_items(path)
    rows = [opened.items.rows[id] for id in ids]
    apart = np.abs(vectors - opened.items.vectors[rows]).max(1)
    assert apart.max() > 1e-3


def test_a_query_of_the_command_line(live, trained, capsys):
    program, _, opened, _ = live
    texts = ["age=30", "country=it", 'likes=["art"]', "timestamp=2023-11-15T10:00"]
    told = [part for text in texts for part in ("--column", text)]
    main(["query", str(trained[1]), *told, "--history", "i3", "-k", "4", "--json"])
    found = json.loads(capsys.readouterr().out)
    seconds = 1_700_042_400.0
    raw = {"age": [30], "country": ["it"], "likes": [["art"]], "history": [["i3"]]}
    (wanted,) = opened.search({**raw, "timestamp": [seconds]}, 4)
    assert [one["id"] for one in found] == [one.id for one in wanted]


def test_the_example_of_the_docs(prepared):
    text = (small.ROOT / "docs" / "columns.md").read_text()
    found = {}
    exec(re.search(r"```python\n(import.*?)```", text, re.DOTALL)[1], found)
    made = found["experiment"]()
    data = replace(made.data, source=str(prepared["csv"].path), batch_size=32)
    program = open_program(replace(made, data=data), small.runtime())
    step = jax.eval_shape(program.step(), program.like, program.example_batch)
    assert jax.tree.structure(step[0]) == jax.tree.structure(program.like)
