"""Templates fit the data that is there, and are files that a person reads."""

import sys

import polars as pl
import pytest

import recjax as rj
from recjax import settings, written
from recjax.cli.main import main
from recjax.errors import UserError
from recjax.experiment import load_experiment

KINDS = {
    "two_tower": "interactions",
    "users": "interactions",
    "sequences": "interactions",
    "sessions": "sessions",
    "search": "search",
    "catalog": "catalog",
    "images": "images",
}


def test_there_is_one_of_each():
    assert sorted(KINDS) == dir(rj.templates)


@pytest.mark.parametrize("template", KINDS)
def test_model_data_and_losses_fit(template, data):
    choices = []
    made = getattr(rj.templates, template)(data[KINDS[template]], choices.append)
    assert choices and made.evals and made.export is not None
    assert "model, data and losses fit" in made.check()


@pytest.mark.parametrize("template", KINDS)
def test_the_file_of_init_is_the_template(
    template, data, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    name = KINDS[template]
    main(["init", "--template", template, "--data", name])
    told = capsys.readouterr().out
    assert f"recjax train {template}.py --workdir" in told
    text = (tmp_path / f"{template}.py").read_text()
    assert len(text.splitlines()) < 100
    assert max(map(len, text.splitlines())) <= 88
    made = getattr(rj.templates, template)(name, lambda line: None)
    assert load_experiment(f"{template}.py") == made


def test_few_judged_queries_train_nothing(data, encoder, tmp_path):
    choices = []
    made = rj.templates.search(data["search_few"], choices.append, encoder=encoder)
    assert choices[0].startswith("nothing is trained, for 104 queries are judged")
    assert made.steps == 0 and {*made.export.fusion.parts} == {
        *("words", "letters", "meaning")
    }
    assert made.data.positive_relevance == 3.0
    run = rj.train(made, tmp_path / "run")
    assert run.query("green lamp", k=1)[0].title.endswith("green lamp")
    bundle = run.export(tmp_path / "bundle", saved_model=False)
    found = bundle.query("gren lampp", k=2)
    assert all(one.title.endswith("green lamp") for one in found), "letters help"


def test_sessions_with_times_have_baselines_of_the_last_hour(data):
    made = rj.templates.sessions(data["sessions"], lambda line: None)
    assert {"last_hour", "markov_last_hour"} < {*made.evals}


def test_columns_decide_the_towers(cache, tmp_path):
    given = rj.testing.interactions(users=20)
    plain = rj.prepare(events=given["events"], out=tmp_path / "plain")
    choices = []
    made = rj.templates.two_tower(plain, choices.append)
    assert list(made.model.candidate.inputs) == ["item"]
    users = given["events"].select(id="user").unique(maintain_order=True)
    ages = users.with_columns(age=pl.int_range(pl.len()) % 7)
    rich = rj.prepare(**given, users=ages, out=tmp_path / "rich")
    made = rj.templates.two_tower(rich, choices.append)
    assert {"age"} < {*made.model.query.inputs}
    assert {"item", "text", "colour", "price"} == {*made.model.candidate.inputs}
    assert any(line.startswith("columns of users: age") for line in choices)


def test_item_knn_is_added_where_items_are_few(shop, monkeypatch):
    made = rj.templates.two_tower(shop, str)
    assert {*made.export.fusion.parts} == {"model", "item_knn"}
    assert {"fusion", "two_tower"} < {*made.evals}
    alone = rj.templates.two_tower(shop, str, fused=False)
    assert alone.export.fusion is None and "fusion" not in alone.evals
    monkeypatch.setattr(sys.modules["recjax.templates.two_tower"], "FUSED", 3)
    choices = []
    many = rj.templates.two_tower(shop, choices.append)
    assert many.export.fusion is None
    assert any("more than 3" in line for line in choices)
    assert rj.templates.users(shop, str).export.fusion is None


def test_order_alone_is_split_by_order(cache, tmp_path):
    events = rj.testing.interactions(users=20)["events"]
    split = events.with_columns(split=pl.lit("train"))
    own = split.with_columns(
        pl.when(pl.int_range(pl.len()).over("user") == 11)
        .then(pl.lit("test"))
        .otherwise("split")
        .alias("split")
    )
    made = rj.prepare(events=own, out=tmp_path / "own")
    assert isinstance(rj.templates.two_tower(made, str).data.split, rj.data.ByColumn)


@pytest.mark.parametrize("template", ["sessions", "images", "catalog"])
def test_other_data_is_refused_with_what_fits(template, data):
    with pytest.raises(UserError) as told:
        getattr(rj.templates, template)(data["interactions"], str)
    fixes = ("gap=1800", "templates.two_tower", "templates.users")
    assert any(fix in str(told.value) for fix in fixes)


def test_repr_builds_the_experiment(experiment):
    assert eval(repr(experiment), {"rj": rj}) == experiment
    assert "label_smoothing=0.05" in repr(experiment)  # It is no default.
    assert "learn_temperature=False" in repr(experiment)
    assert "dropout" not in repr(rj.templates.users)
    assert "<summary>" in experiment._repr_html_()
    wide = experiment.replace("model.query.width", 32)
    assert wide.model.query.width == 32 and experiment.model.query.width == 64


def test_a_file_refuses_what_it_cannot_build(experiment):
    class Own:
        """Of a notebook."""

    with pytest.raises(UserError, match="experiment.export"):
        written.file(experiment.replace("export", Own()), "experiment", "")
    text = written.file(experiment, "experiment", "About.")
    made = {}
    exec(text, made)
    assert settings.to_text(made["experiment"]()) == settings.to_text(experiment)
