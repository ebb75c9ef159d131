"""Retrieval from profiles, and the commands, end to end."""

import csv
import json

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.image import imsave

from recjax.bundle.serving import Serving
from recjax.cli import main as cli
from recjax.errors import UserError
from recjax.index.item_vectors import ItemVectors
from recjax.index.scann import Scann
from recjax.users.profile import Profile
from recjax.users.retrieve import Retriever
from recjax.users.store import SqliteStore


def profile(medoids, weights):
    count = len(medoids)
    weights = np.array(weights, float)
    size = np.ones(count, np.int32)
    return Profile(
        0.0, tuple(medoids), weights, size, np.zeros(count), np.zeros((count, 16))
    )


def test_each_medoid_gives_its_share(items):
    retriever = Retriever(items)
    user = profile(["i3", "i40", "i299"], [1, 1, 1])
    draw = np.random.default_rng(0)
    found = retriever.recommend(user, draw, e=3, total=61, seen=["i3"])
    assert {item.because for item in found} == {"i3", "i40", "i299"}
    for because in ("i3", "i40", "i299"):
        own = [item for item in found if item.because == because]
        scores = retriever.vectors @ retriever.vectors[items.rows[because]]
        scores[items.rows["i3"]] = -1
        best = {items.ids[row] for row in np.argsort(-scores)[:20]}
        assert {item.id for item in own} == best and len(own) == 20
        assert [item.score for item in own] == sorted(
            (item.score for item in own), reverse=True
        )


@pytest.fixture(scope="module")
def retriever(items):
    return Retriever(items)


@given(st.integers(0, 299), st.sets(st.integers(0, 299)), st.integers(1, 60))
@settings(max_examples=20)
def test_what_is_hidden_makes_room_for_others(items, retriever, medoid, hidden, total):
    seen = [items.ids[row] for row in hidden]
    user = profile([items.ids[medoid]], [1])
    found = retriever.recommend(user, None, 3, max(total, 3), seen)
    scores = retriever.vectors @ retriever.vectors[medoid]
    best = [row for row in np.argsort(-scores, kind="stable") if row not in hidden]
    expected = [items.ids[row] for row in best[: max(total, 3)]]
    assert sorted(item.id for item in found) == sorted(expected)


def test_answers_are_kept(items):
    retriever = Retriever(items, keep=2)
    draw = np.random.default_rng(0)
    user = profile(["i3", "i40"], [1, 1])
    first = retriever.recommend(user, draw, e=2, total=20)
    second = retriever.recommend(user, draw, e=2, total=20)
    assert {i.id for i in first} == {i.id for i in second}
    assert retriever.hit_rate == 0.5
    retriever.neighbours(7, 10)
    assert len(retriever._answers) == 2


def test_near_duplicates_go(items):
    retriever = Retriever(items)
    draw = np.random.default_rng(0)
    user = profile(["i3"], [1])
    plain = retriever.recommend(user, draw, 1, 30)
    limit = float(np.median([item.score for item in plain]))
    found = retriever.recommend(user, draw, 1, 30, alike=limit)
    rows = [items.rows[item.id] for item in found]
    close = retriever.vectors[rows] @ retriever.vectors[rows].T
    assert close[~np.eye(len(rows), dtype=bool)].max() <= limit and 1 < len(rows) < 30


@pytest.mark.slow
def test_scann_finds_nearly_all():
    pytest.importorskip("scann", reason="the extra `scann` is not installed")
    rng = np.random.default_rng(0)
    centers = rng.standard_normal((200, 16))
    vectors = centers[np.arange(20_000) % 200] + 0.3 * rng.standard_normal((20_000, 16))
    ids = tuple(map(str, range(20_000)))
    items = ItemVectors(ids, ids, vectors.astype("f4"))
    quick, exact = Retriever(items, 20), Retriever(items)
    assert isinstance(quick.index, Scann)
    right = [
        np.isin(exact.neighbours(row, 20), quick.neighbours(row, 20)).mean()
        for row in range(50)
    ]
    assert np.mean(right) > 0.9


def test_unreasonable_questions(items):
    with pytest.raises(UserError, match="e = 0"):
        Retriever(items).recommend(profile(["i3"], [1]), None, e=0)


def run(capsys, *arguments):
    cli.main(["users", *map(str, arguments)])
    return capsys.readouterr().out


def test_commands(tmp_path, capsys, folder, events, now):
    events.write_parquet(tmp_path / "events.parquet")
    parts = tmp_path / "parts"
    out = tmp_path / "profiles"
    run(capsys, "partition", tmp_path / "events.parquet", "--out", parts, "--shards", 2)
    files = sorted(parts.glob("*.parquet"))
    said = run(
        capsys, "build", *files, "--vectors", folder, "--out", out, "--now", int(now)
    )
    assert f"users: {events['user'].n_unique()}" in said.replace("  ", "")
    table = run(capsys, "alphas", tmp_path / "events.parquet", "--vectors", folder)
    counts = [float(line.split()[2]) for line in table.splitlines()[2:11]]
    assert counts == sorted(counts, reverse=True) and counts[-1] >= 1
    manifest = json.loads((out / "manifest.json").read_text())["counts"]
    stored = SqliteStore(out / "profiles.sqlite")
    mean = sum(len(stored.get(user).medoid) for user in stored.users())
    assert f"{mean / manifest['users']:.1f}" == f"{counts[3]:.1f}"
    before = run(capsys, "show", out, "u5", "--to", tmp_path / "u5.png")
    assert (tmp_path / "u5.png").read_bytes().startswith(b"\x89PNG")
    assert "Item" in before
    for id in range(300):
        imsave(tmp_path / f"i{id}.png", np.full((4, 4), id / 300))
    page = tmp_path / "u5.html"
    more = ["--events", tmp_path / "events.parquet", "--images", tmp_path]
    run(capsys, "show", out, "u5", "--to", page, *more)
    # Each action of the user is a mark on the timeline, each medoid has its picture.
    own = events.filter(events["user"] == "u5").unique()
    assert page.read_text().count("<line ") == len(own)
    assert page.read_text().count("<img src='data:image/png;base64,") == len(
        before.splitlines()[1:-1]
    )
    run(capsys, "show", out, "u5", "--to", tmp_path / "with.png", *more)
    assert (tmp_path / "with.png").stat().st_size > (tmp_path / "u5.png").stat().st_size
    bundle = tmp_path / "bundle"
    said = run(capsys, "export", out, "--to", bundle, "--no-saved-model", "-k", 7)
    assert "items: 300" in said and Serving.load(bundle).k == 7
    new = pl.DataFrame(
        [("u5", f"i{270 + i}", now + 60.0) for i in range(9)]
        + [("new", "i1", now + 1)],
        ["user", "item", "timestamp"],
        orient="row",
    )
    new.write_parquet(tmp_path / "new.parquet")
    said = run(capsys, "update", out, tmp_path / "new.parquet", "--now", int(now + 99))
    assert said == "updated: 2 users\n"
    after = run(capsys, "show", out, "u5")
    assert "of 9" in after and after != before
    found = run(capsys, "query", out, "new", "--e", 1, "-k", 3)
    assert len(found.splitlines()) == 3 and "(as i1)" in found
    assert "  i1  " not in found
    first = found.split()[1]
    assert "1.000  i1  " in run(capsys, "query", out, "new", "--e", 1, "--known")
    (new[-1].with_columns(item=pl.lit(first))).write_parquet(tmp_path / "has.parquet")
    other = run(
        capsys, "query", out, "new", "--e", 1, "--events", tmp_path / "has.parquet"
    )
    assert first not in other.split()
    two = run(capsys, "query", out, "new", "new", "--index", "scann", "-k", 3)
    assert two.splitlines()[1:4] == two.splitlines()[5:8] == found.splitlines()
    assert "medoids asked: 2, answered from the cache: 1 (50 %)" in two
    found = found.splitlines()
    run(capsys, "query", out, "--to", tmp_path / "all.jsonl", "--e", 1, "-k", 3)
    lines = [json.loads(line) for line in (tmp_path / "all.jsonl").open()]
    assert [line["user"] for line in lines] == list(stored.users())
    new = next(line["items"] for line in lines if line["user"] == "new")
    assert [item["id"] for item in new] == [row.split()[1] for row in found]
    run(capsys, "query", out, "new", "--to", tmp_path / "new.csv", "--e", 1, "-k", 3)
    rows = list(csv.DictReader((tmp_path / "new.csv").open()))
    assert [row["item"] for row in rows] == [item["id"] for item in new]


def test_commands_say_what_is_wrong(tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["users", "show", str(tmp_path), "u"])
    assert stopped.value.code == 2
    assert "recjax users build" in capsys.readouterr().err
