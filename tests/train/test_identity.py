"""A run knows its data: other data is refused, and data that grew is gone on with."""

import json
import shutil

import command
import jax
import numpy as np
import pytest
import small
from shop import FILES, HERE, ITEMS, ORDER, TITLES, events, experiment, items

from recjax.cli.main import main
from recjax.errors import UserError
from recjax.prepare.options import Files, How
from recjax.prepare.prepare import prepare
from recjax.runs import open_run
from recjax.sweep.plan import SweepRun
from recjax.train.earlier import begin
from recjax.train.program import open_program
from recjax.train.run_folder import request_of

OTHER_WORDS = items(ORDER).with_columns(title=items(ORDER, "lamp")["title"])
OTHER_PRICES = items(ORDER).with_columns(price=items(ORDER)["price"] ** 2)
CHANGED = "its ids, their order or its columns have changed"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """Puts prepared data where the test is."""
    monkeypatch.setenv("RECJAX_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Returns a folder with a run and the data that it was trained on."""
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECJAX_CACHE", str(folder / "cache"))
        prepare(FILES, "shop", How(column=TITLES))
        (folder / "experiment.py").write_text(HERE)
        small.write_files(folder / "config")
        main(train(folder, "run"))
    return folder


def train(folder, run, *more):
    on = folder / "config" / "config.py"
    told = ["train", folder / "experiment.py", "--on", on, "--workdir", folder / run]
    return [str(word) for word in (*told, *more)]


@pytest.fixture
def run(made, tmp_path):
    """Returns a copy of the run whose data may change."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return tmp_path / "run"


@pytest.mark.parametrize(
    ("again", "why"),
    [
        (items(ORDER[::-1]), CHANGED),
        (items(np.arange(ITEMS + 1)), CHANGED),
        (items(ORDER).with_columns(weight=1.5), CHANGED),
        (items(ORDER, "lamp"), CHANGED),
        (OTHER_WORDS, "the texts that table 'token' is learned for"),
        (OTHER_PRICES, "rows that the features candidate/price were fitted to have"),
    ],
)
def test_other_data_is_refused(capfd, run, again, why):
    """The last have other words and prices under the ids of before, and as many."""
    prepare(Files(events=events(), items=again), "shop", How(column=TITLES))
    folder = run.parent
    for told in (
        ["eval", run],
        ["export", run, "--to", folder / "bundle"],
        train(folder, "run"),
    ):
        message = command.fails(capfd, *told)
        assert why in message, message
        if "order" in why:
            assert message.count("made by `recjax data prepare") == 2
            assert "prepare the data of before again" in message
    assert not (folder / "bundle").exists()
    cell = SweepRun("shop", 3, request_of(run), run)
    if why == CHANGED:  # Else a sweep would mix runs of both in its table.
        with pytest.raises(UserError, match=CHANGED):
            cell.result()
    # The data of before, prepared again, is the data of before.
    prepare(FILES, "shop", How(column=TITLES))
    main(["eval", str(run)])
    assert cell.result()["results"] == {}


def test_a_run_that_says_nothing_of_its_data_is_refused(capfd, run):
    (run / "data.json").unlink()
    assert "does not say of which data" in command.fails(capfd, "eval", run)
    bad = '{"rows": {"a": 1}, "data": null, "fitted": {}}'
    for garbage in ("[]", '{"rows": {}, "fitted": {}}', bad):
        (run / "data.json").write_text(garbage)
        assert "data.json is damaged" in command.fails(capfd, "eval", run)


def test_data_that_grew_is_gone_on_with(capfd, run, monkeypatch):
    folder, how = run.parent, How(column=TITLES, extend=True)
    before = open_run(run)[1]
    order = np.r_[ITEMS + np.arange(5), ORDER[::-1]]
    brand = items(order)["brand"].replace("thing 1", "lamp")
    today = items(order, "lamp").with_columns(brand=brand)
    grown = Files(events=events(ITEMS + 5), items=today)
    prepare(grown, "shop", how)
    capfd.readouterr()
    message = command.fails(capfd, "eval", run)
    assert "ids have been added to it since" in message
    assert f"recjax train EXPERIMENT --workdir NEW --from {run}" in message
    program = open_program(experiment(), small.runtime(), run)
    after = begin(program)
    np.testing.assert_array_equal(
        after.tables["film"][: ITEMS + 1], before.tables["film"][: ITEMS + 1]
    )
    new = after.tables["film"][ITEMS + 1 : ITEMS + 6]
    assert np.abs(new).min() > 0
    for one, other in zip(_leaves(before.params), _leaves(after.params), strict=True):
        np.testing.assert_array_equal(one, other)
    # A word and a brand have their vectors, wherever they stand now.
    was = [json.loads(path.read_bytes()) for path in (run / "names").glob("*.json")]
    was = {"brand": min(was, key=len), "token": max(was, key=len)}
    for table, of in (("token",) * 2, ("importance", "token"), ("brand",) * 2):
        old, new = (np.asarray(state.tables[table]) for state in (before, after))
        names = program.specs[table].names[0]()
        shared = [name for name in names if name in was[of]]
        assert 1 < len(shared) < len(was[of]) and shared != list(names)
        for name in shared:
            row = new[1 + names.index(name)]
            np.testing.assert_array_equal(row, old[1 + was[of].index(name)])
    monkeypatch.chdir(folder)
    main(train(folder, "next", "--from", "run"))
    assert request_of(folder / "next").start == str(run)
    ids = open_run(folder / "next")[0].dataset.corpora["item"].ids
    assert ids[ITEMS:] == tuple(f"i{i}" for i in range(ITEMS, ITEMS + 5))


def _leaves(tree):
    return jax.tree.leaves(jax.device_get(tree))


def test_only_data_that_grew_is_gone_on_with(capfd, run):
    prepare(
        Files(events=events(), items=items(ORDER[::-1])), "shop", How(column=TITLES)
    )
    told = train(run.parent, "next", "--from", run)
    message = command.refused(capfd, *told)
    assert f"--from {run} is of other data" in message
    message = command.refused(capfd, *told[:-1], run / "none")
    assert "does not say of which data" in message
