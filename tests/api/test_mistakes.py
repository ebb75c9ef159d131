"""Plausible mistakes in Python: each is one message that says what to do."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

import recjax as rj
from recjax.errors import UserError

EVENTS = rj.testing.interactions(users=4)["events"]
USERS = rj.testing.users(users=2)
SESSIONS = rj.losses.ItemSoftmax()
OTHER_LOSS = SimpleNamespace(weight=1.0)

PREPARE = {
    "frame by position": (lambda x: rj.prepare(EVENTS), "as events="),
    "nothing": (lambda x: rj.prepare(), "nothing to prepare: give events"),
    "a number for a table": (lambda x: rj.prepare(events=7), "events=7: expected a fi"),
    "rows of dicts": (
        lambda x: rj.prepare(events=[{"user": "u"}]),
        "a list of files, or a frame",
    ),
    "no such file": (lambda x: rj.prepare(events="evnts.csv", out="o"), "no such file"),
    "misspelled built-in": (lambda x: rj.prepare("movielens"), "movielens_100k"),
    "built-in with tables": (
        lambda x: rj.prepare("toys", events=EVENTS),
        "takes no option but out",
    ),
    "a str for a mapping": (
        lambda x: rj.prepare(events=EVENTS, rename="uid=user"),
        'rename={"a": "b"}',
    ),
    "no such type": (
        lambda x: rj.prepare(events=EVENTS, column={"action": "categry"}),
        "Did you mean 'category'",
    ),
    "gap as text": (lambda x: rj.prepare(events=EVENTS, gap="1800"), "gap='1800': exp"),
    "gap of 0": (lambda x: rj.prepare(events=EVENTS, gap=0), "must be at least 1"),
    "unit": (lambda x: rj.prepare(events=EVENTS, unit="sec"), "'s', 'ms', 'us'"),
    "on_bad_row": (
        lambda x: rj.prepare(events=EVENTS, on_bad_row="drop"),
        "on_bad_row='drop': must be 'error', 'skip' or 'empty'",
    ),
    "entities as a list": (
        lambda x: rj.prepare(judgements=EVENTS, entities=["a.csv"]),
        'entities={"product"',
    ),
    "a column is missing": (
        lambda x: rj.prepare(events=EVENTS.drop("item"), out="o"),
        "'item'",
    ),
}
TEMPLATES = {
    "a path that is no data": (lambda x: rj.templates.search("shopp", str), "no prep"),
    "files instead of data": (
        lambda x: rj.templates.two_tower(EVENTS, str),
        "what rj.prepare returns",
    ),
    "no such template": (lambda x: rj.templates.two_towers, "two_towers"),
    "a name that moved": (lambda x: rj.Tower, "it is rj.nn.Tower"),
    "no such setting": (
        lambda x: x.experiment.replace("model.query.widht", 3),
        "Did you mean 'model.query.width'",
    ),
    "a setting of another kind": (
        lambda x: x.experiment.replace("steps", "many"),
        "expected int, now 4",
    ),
    "a setting by no name": (lambda x: x.experiment.replace(3, 4), "name a setting"),
    "a number for a part": (
        lambda x: x.experiment.replace("model.query", 64),
        "set one of its parts",
    ),
}
CHECK = {
    "towers of other widths": (
        lambda x: x.experiment.replace("model.query.width", 32).check(),
        "'query': 32, 'candidate': 64",
    ),
    "a table of another width": (
        lambda x: x.experiment.replace("model.tables.item.width", 32).check(),
        "the candidate tower: .*'item' 32",
    ),
    "a loss for another model": (
        lambda x: x.experiment.replace("losses.softmax", SESSIONS).check(),
        "losses.softmax: ItemSoftmax takes other outputs",
    ),
    "a loss that is no function": (
        lambda x: x.experiment.replace("losses.softmax", OTHER_LOSS).check(),
        "losses.softmax",
    ),
    "a loss that returns an array": (
        lambda x: x.experiment.replace("losses.softmax", _Array()).check(),
        "LossValue",
    ),
    "no table of that name": (
        lambda x: replace(
            x.experiment, model=replace(x.experiment.model, tables={})
        ).check(),
        "model: ",
    ),
    "a name for the data": (
        lambda x: replace(x.experiment, data="shop").check(),
        "rj.data.NextItem",
    ),
}
TRAIN = {
    "data for an experiment": (lambda x: rj.train(x.shop), "rj.templates.two_tower"),
    "a function for an experiment": (
        lambda x: rj.train(lambda: None),
        "call the function",
    ),
    "no such experiment file": (lambda x: rj.train("two_tower.py"), "no such file"),
    "a runtime by name": (
        lambda x: rj.train(x.experiment, runtime="cpu"),
        r"rj.Runtime\(...\), not a str",
    ),
    "no best": (
        lambda x: rj.train(x.experiment.replace("best", ""), x.tmp / "r"),
        "best=None keeps none",
    ),
    "a number for a workdir": (lambda x: rj.train(x.experiment, 7), "expected a path"),
    "a changed experiment": (
        lambda x: rj.train(x.experiment.replace("seed", 1), x.run.folder),
        "holds a run with other settings",
    ),
    "an empty folder for a run": (lambda x: rj.Run.open(x.tmp), "no run folder"),
}
ASK = {
    "a split": (lambda x: x.run.evaluate("tset"), "'test' or 'validation'"),
    "an evaluation": (lambda x: x.run.evaluate()["two_towr"], "mean 'two_tower'"),
    "a figure": (lambda x: x.run.plot("los"), "Did you mean 'loss'"),
    "no errors": (lambda x: x.run.errors(0), "n=0: must be at least 1"),
    "a str for a list of items": (lambda x: x.run.embed(items="ke-smbla"), r"\['ke-s"),
    "an unknown item": (lambda x: x.run.embed(items=["ke-smbl"]), "mean 'ke-smbla'"),
    "numbers for ids": (lambda x: x.run.embed(items=[3]), "give ids as text"),
    "both": (lambda x: x.run.embed(items=["a"], queries=["b"]), "either items"),
    "neither": (lambda x: x.run.embed(), "either items"),
    "nothing to ask": (lambda x: x.run.query(), "nothing to ask"),
    "a list of texts": (lambda x: x.run.query(["red", "lamp"]), "expected one text"),
    "a str for a history": (
        lambda x: x.run.query(history="ke-smbla"),
        r'history=\["ke-smbla"\]',
    ),
    "no neighbours": (lambda x: x.run.neighbors("ke-smbla", -1), "k=-1"),
    "a number for an item": (lambda x: x.run.neighbors(3), "an item id or a text"),
    "a user": (lambda x: x.run.query(user="u1"), r"give history=\[item ids\]"),
    "a column that is not taken": (lambda x: x.run.query("lamp", age=3), "age"),
    "a condition on no column": (
        lambda x: x.run.query("lamp", where="prize < 50"),
        "items have id, title, tags, colour, price. Did you mean",
    ),
    "no condition": (lambda x: x.run.query("lamp", where="price <"), "'price < 50'"),
    "two conditions in one": (
        lambda x: x.run.query("lamp", where="colour = red and price < 50"),
        "each condition as a text of its own",
    ),
    "a word for a number": (
        lambda x: x.run.query("lamp", where="price < cheap"),
        "the column holds numbers",
    ),
    "an order of texts": (
        lambda x: x.run.query("lamp", where="colour > 1990"),
        "colour > 1990: the column 'colour' is text",
    ),
    "a bundle that is there": (lambda x: x.run.export(x.tmp), "exists"),
    "a setting of the export": (
        lambda x: x.run.export(x.tmp / "b", savedmodel=False),
        "saved_model",
    ),
    "a run for a bundle": (lambda x: rj.load(x.run.folder), "manifest.json"),
    "a list for a bundle": (lambda x: rj.load(["a"]), "expected a path"),
}
CLUSTER = {
    "vectors as an array": (
        lambda x: rj.cluster_users(USERS["events"], np.eye(3)),
        "a mapping of item ids to vectors",
    ),
    "vectors of other widths": (
        lambda x: rj.cluster_users(USERS["events"], {"a": [1.0], "b": [1.0, 2.0]}),
        "of one width",
    ),
    "vectors of other items": (
        lambda x: rj.cluster_users(USERS["events"], {"a": [1.0, 0.0]}),
        "no item of the events has a vector",
    ),
    "a zero vector": (
        lambda x: rj.cluster_users(USERS["events"], {"a": [0.0, 0.0]}),
        "that of 'a' is zero",
    ),
    "alpha as text": (
        lambda x: rj.cluster_users(**USERS, alpha="1"),
        "alpha='1': expected a number",
    ),
    "events without times": (
        lambda x: rj.cluster_users(
            USERS["events"].select(pl.exclude("timestamp")), USERS["vectors"]
        ),
        "timestamp",
    ),
    "points of one dimension": (lambda x: rj.ward([1.0, 2.0]), r"an array \[N, D\]"),
    "points with NaN": (lambda x: rj.ward([[1.0], [np.nan]]), "row 1 holds NaN"),
    "points of text": (lambda x: rj.ward([["a"]]), "expected numbers"),
}
ALL = {**PREPARE, **TEMPLATES, **CHECK, **TRAIN, **ASK, **CLUSTER}


class _Array:
    """A loss that returns an array."""

    weight = 1.0

    def __call__(self, outputs):
        return outputs.query.sum(-1)


@pytest.fixture
def known(shop, experiment, run, tmp_path, monkeypatch):
    """Returns what mistakes are made with."""
    monkeypatch.chdir(tmp_path)
    return SimpleNamespace(shop=shop, experiment=experiment, run=run, tmp=tmp_path)


@pytest.mark.parametrize("name", ALL)
def test_a_mistake_is_one_message(name, known):
    wrong, said = ALL[name]
    with pytest.raises((UserError, AttributeError), match=said) as told:
        wrong(known)
    assert isinstance(told.value, UserError) or "has no attribute" in str(told.value)
    assert "Traceback" not in str(told.value) and len(str(told.value)) < 1_500
