"""From tables to answers in Python: the verbs, and what their results show."""

import json
import logging
import os
import shutil
import signal
import sys
import threading
import time
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import recjax as rj
from recjax.api import errors
from recjax.bundle.manifest import NAME
from recjax.data.prepared import ABOUT
from recjax.errors import UserError
from recjax.evals.answers import Shown
from recjax.evals.model import Embeddings
from recjax.metrics.task import RankingTask
from recjax.train.run_folder import request_of


def test_data_tells_what_it_holds(shop):
    assert repr(shop) == "<data interactions: 64 item, 60 user, 720 events>"
    said = repr(shop.describe())
    assert "events: 720 rows" in said and "2 distinct" in said
    assert "<pre>" in shop._repr_html_()


def test_sessions_without_names_are_counted(data):
    made = data["sessions"]
    count = len(np.unique(made.table("events")["session"].array))
    (line,) = [x for x in str(made.describe()).splitlines() if "  session " in x]
    assert line.split() == ["session", "id", f"{count:,}", "distinct"]


def test_frames_and_files_are_the_same_data(cache, tmp_path):
    given = rj.testing.interactions(users=20)
    made = rj.prepare(**given)
    assert made.path.name.startswith("item-")
    assert rj.prepare(**given).path == made.path  # Called after the content.
    assert rj.prepare(**rj.testing.interactions(users=21)).path != made.path
    given["events"].write_csv(tmp_path / "events.csv")
    files = {"events": str(tmp_path / "events.csv"), "items": given["items"].lazy()}
    assert rj.prepare(**files, out=tmp_path / "data").digest == made.digest


def test_options_are_those_of_the_command(cache, tmp_path):
    events = rj.testing.interactions(users=20)["events"]
    renamed = events.rename({"user": "uid"})
    made = rj.prepare(
        events=renamed,
        out=str(tmp_path / "a"),
        rename={"uid": "user"},
        column={"action": "skip"},
        gap=86_400,
        unit="s",
    )
    assert "session" in made.table("events") and "action" not in made.table("events")


def test_a_run_tells_how_far_it_is(run, experiment):
    assert run.finished and "step 4 of 4, finished" in repr(run)
    assert run.experiment == experiment
    assert run.history["step"].to_list() == [1, 2, 3, 4]
    assert run.history["loss"].is_finite().all()
    figure = run.plot()
    assert figure._repr_png_().startswith(b"\x89PNG"), "what a notebook shows"
    (axis,) = figure.axes
    assert axis.get_title() == "loss" and len(axis.lines[0].get_xdata()) == 4


def test_figures_are_those_of_the_run_folder(run):
    found = run.evaluate()
    written = json.loads((run.folder / "result.json").read_text())["results"]
    for name, figures in written.items():
        for metric, value in figures.items():
            if metric != "seconds":
                assert found[name][metric] == pytest.approx(value, abs=1e-5), metric
    assert "two_tower (model)" in repr(found) and "popularity" in repr(found)
    other = run.evaluate("validation")
    assert other["two_tower"]["mrr"] != found["two_tower"]["mrr"]


def test_what_is_measured_is_not_measured_again(run, shop):
    # No two measurements take the same time, so `seconds` tells them apart.
    written = json.loads((run.folder / "result.json").read_text())["results"]
    assert {name: dict(one) for name, one in run.evaluate().items()} == written
    split = run.evaluate("validation")
    assert run.evaluate("validation") is split
    anew = run.evaluate(again=True)
    assert anew is run.evaluate() and anew["popularity"] != written["popularity"]
    assert anew["popularity"]["mrr"] == written["popularity"]["mrr"]
    opened = rj.Run.open(run.folder).evaluate()
    assert {name: dict(one) for name, one in opened.items()} == written
    assert repr(opened) == repr(rj.train(run.experiment, run.folder).evaluate())
    file = run.folder / "measured.npz"
    content = file.read_bytes()
    for damaged in (content[:100], content[:-9] + bytes(9)):
        file.write_bytes(damaged)
        other = rj.Run.open(run.folder).evaluate()["popularity"]
        assert other != written["popularity"]
        assert other["mrr"] == written["popularity"]["mrr"]
    file.write_bytes(content)
    os.utime(shop.path / ABOUT)  # Prepared anew.
    assert run.evaluate()["popularity"] != anew["popularity"]
    opened = rj.Run.open(run.folder).evaluate()
    assert opened["popularity"] != written["popularity"]
    other = run.experiment.replace("evals.popularity.ks", (1, 10))
    asked = rj.train(other, run.folder).evaluate()["popularity"]
    assert "recall@5" not in asked and asked["mrr"] == written["popularity"]["mrr"]
    assert "recall@5" in rj.train(run.experiment, run.folder).evaluate()["popularity"]


def test_another_state_of_the_same_step_is_another(experiment, tmp_path):
    folder = tmp_path / "run"
    rj.train(replace(experiment, steps=2), folder)
    opened = rj.Run.open(folder)
    before, asked = opened.evaluate()["two_tower"], opened.query("red lamp", k=3)
    shutil.rmtree(folder)
    wanted = rj.train(replace(experiment, steps=2, seed=5), folder)
    found = (one.evaluate()["two_tower"]["mrr"] for one in (opened, wanted))
    assert next(found) == next(found) != before["mrr"]
    assert opened.query("red lamp", k=3) == wanted.query("red lamp", k=3) != asked


def test_a_fusion_is_chosen_once(experiment, tmp_path, caplog):
    parts = {"popular": rj.evals.Popularity(), "model": None}
    fusion = rj.evals.Fusion(parts, "recall@10")
    evals = {**experiment.evals, "sum": rj.evals.Ranking("test", fusion)}
    fused = replace(experiment.export, fusion=fusion, saved_model=False)

    def told():
        return sum(r.message.startswith("fusion: ") for r in caplog.records)

    made = replace(experiment, evals=evals, export=fused)
    with caplog.at_level(logging.INFO, "recjax"):
        run = rj.train(made, tmp_path / "run")
        assert told() == 1
        run.evaluate("validation")
        asked, bundle = run.query("red lamp", k=3), run.export(tmp_path / "bundle")
        assert bundle.query("red lamp", k=3) == asked
        assert told() == 1
        opened = rj.Run.open(tmp_path / "run")
        assert opened.query("red lamp", k=3) == asked
        opened.evaluate()
        assert told() == 2


def test_errors_are_the_queries_that_do_worst(run):
    worst = run.errors(5)
    assert len(worst) == 5
    places = [one.place for one in worst]
    assert places == sorted(places, reverse=True)
    for one in worst:
        assert not set(one.found) & set(one.wanted) or one.place <= 3
    assert worst[0].wanted[0].title.split()[-1] in repr(worst)
    assert worst[0].found[0].title in worst._repr_html_()


def test_events_of_one_time_are_one_query(run, monkeypatch):
    scores = np.float32([[4, 3, 2, 1], [4, 3, 2, 1], [3, 4, 2, 1]])
    ranked = errors._Ranked(
        RankingTask.of_one_each(4, np.array([2, 3, 3])),
        Embeddings(scores, np.eye(4, dtype=np.float32)),
        lambda q: (Shown("aab"[q]),),
        lambda item: Shown(str(item)),
    )
    monkeypatch.setattr(errors, "_ranked", lambda *_: ranked)
    shown = [(o.asked[0].title, o.wanted[0].title, o.place) for o in run.errors(3)]
    assert shown == [("a", "3", 4), ("b", "3", 4)]


def test_answers_are_those_of_the_bundle(run, shop, tmp_path):
    bundle = run.export(tmp_path / "bundle", saved_model=False)
    assert (tmp_path / "bundle" / NAME).exists()
    opened = rj.load(str(tmp_path / "bundle"))
    told = f"<{run.experiment.name} {tmp_path / 'bundle'}: 64 items, found by "
    assert repr(opened).startswith(told) and len(repr(opened)) < 400
    asked = run.query("red lamp", k=3)
    assert asked == opened.query(text="red lamp", k=3) == bundle.query("red lamp", k=3)
    assert asked[0].title in repr(asked) and asked[0].id in asked._repr_html_()
    history = ["ke-smbla", "ke-labla"]
    after = run.query(history=history, k=60)
    assert not {one.id for one in after} & set(history)


@pytest.mark.parametrize(
    ("where", "fits"),
    [
        ("price < 50", pl.col("price") < 50),
        (
            ["price>=50", "colour = 'red'"],
            (pl.col("price") >= 50, pl.col("colour") == "red"),
        ),
        ("colour in red, green", pl.col("colour").is_in(["red", "green"])),
        ("colour != red", pl.col("colour") != "red"),
        ("price > 0", pl.col("price") > 0),
        ("price > 1e9", pl.lit(False)),
    ],
)
def test_conditions_keep_those_that_fulfil_them(run, where, fits):
    items = rj.testing.interactions()["items"]
    found = run.query("lamp", k=100, where=where)
    wanted = items.filter(fits)["item"].to_list()
    assert sorted(one.id for one in found) == sorted(wanted)
    every = {one.id: one for one in run.query("lamp", k=100)}
    assert list(found) == [one for id, one in every.items() if id in {*wanted}]
    assert run.query("lamp", k=3, where=where) == found[:3]


def test_neighbours_are_nearest_by_vector(run):
    items = rj.testing.interactions()["items"]["item"].to_list()
    vectors = run.embed(items=items)
    scores = vectors @ vectors[0]
    wanted = [items[i] for i in np.argsort(-scores) if i != 0][:5]
    assert [one.id for one in run.neighbors(items[0], 5)] == wanted
    assert run.neighbors("red lamp", 3) == run.query("red lamp", k=3)
    title = rj.testing.interactions()["items"]["title"][0]
    assert [one.id for one in run.neighbors(title, 5)] == wanted
    assert run.embed(queries=["red lamp", "rug"]).shape == (2, vectors.shape[1])


def test_the_command_line_opens_a_run_of_memory(run, experiment):
    assert request_of(run.folder).resolve()[0] == experiment
    again = rj.Run.open(run.folder)
    assert again.experiment == experiment and again.finished
    (state, other) = (one._opened[1] for one in (run, again))
    assert state.tables["item"].tolist() == other.tables["item"].tolist()


def test_the_same_goes_on_and_another_is_refused(run, experiment):
    before = run.history.height
    longer = rj.train(experiment, run.folder)
    assert longer.finished and longer.history.height == before
    with pytest.raises(UserError, match="other settings") as told:
        rj.train(experiment.replace("losses.softmax.label_smoothing", 0.3), run.folder)
    assert "choose another workdir" in str(told.value)


def test_an_interrupt_saves(experiment, tmp_path):
    def interrupt():
        while not (tmp_path / "run" / "metrics.jsonl").exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    stopped = rj.train(replace(experiment, steps=3_000, evals={}), tmp_path / "run")
    assert 0 < stopped.step < 3_000 and not stopped.finished
    assert "not finished: train it again" in repr(stopped)


def test_what_no_file_can_build_stays_in_this_process(experiment, tmp_path, caplog):
    class Own(type(experiment.losses["softmax"])):
        """A loss of a notebook."""

    losses = {"softmax": Own(in_batch=False, random=True)}
    mine = replace(experiment, losses=losses, steps=1, evals={})
    with caplog.at_level(logging.INFO, "recjax"):
        run = rj.train(mine, tmp_path / "run")
    assert "cannot import" in caplog.text
    assert int(run._opened[1].step) == 1
    with pytest.raises(UserError, match="made in memory"):
        rj.Run.open(tmp_path / "run")


def test_users_have_the_interests_they_were_made_with(caplog):
    given = rj.testing.users()
    found = rj.cluster_users(**given)
    assert "left out" not in caplog.text
    unknown = given["events"].head(3).with_columns(item=pl.lit("nobody's"))
    more = {**given, "events": pl.concat([given["events"], unknown])}
    assert rj.cluster_users(**more)["medoid"].equals(found["medoid"])
    assert f"3 of {len(more['events'])} events are left out" in caplog.text
    kinds = dict(rj.testing.interactions()["items"].select("item", "tags").iter_rows())
    assert (found.group_by("user").len()["len"] == 2).all()
    for medoid, items in found.select("medoid", "items").iter_rows():
        assert medoid in items and len({kinds[one] for one in items}) == 1
    tree = rj.ward([[0.0, 0.0], [0.0, 1.0], [5.0, 5.0]])
    assert tree.height[0] == pytest.approx(1.0)


def test_no_notebook_package_is_imported(run):
    assert run.evaluate and rj.prepare  # What could import one has been used.
    assert not {"IPython", "ipykernel", "nbformat"} & {*sys.modules}
