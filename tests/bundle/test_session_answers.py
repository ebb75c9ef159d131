"""What a bundle of fixed vectors answers: to states, to the command and to Python."""

import json
from dataclasses import replace

import numpy as np
import pytest
import sessions as support

from recjax.api.ask import load
from recjax.bundle import narrowed
from recjax.bundle.session import SessionBundle
from recjax.cli.main import main
from recjax.data.sessions.fixed import VectorsFromEvents
from recjax.errors import UserError
from recjax.evals.model import user_vectors
from recjax.experiment import Experiment, Runtime
from recjax.losses.pairwise import L2
from recjax.models.session_model import SessionModel
from recjax.optim import Adam, Optimizer
from recjax.serve.http import models
from recjax.serve.session import open_states
from recjax.sharding.mesh import make_mesh
from recjax.tables.typed import Table, TypedColumn
from recjax.train.program import Program


@pytest.fixture(scope="module")
def fixed(tmp_path_factory):
    """Returns a program, its state after five steps, and the folder of its bundle."""
    places = TypedColumn("place", "number", np.arange(20, dtype=np.float32))
    items = {"item": Table(20, {"place": places})}
    known = replace(support.sessions(4, users=12), tables=items)
    data = support.opened(known, vectors=VectorsFromEvents(support.WIDTH))
    made = Experiment(
        name="fixed",
        seed=0,
        steps=10,
        data=data.settings,
        model=SessionModel(support.ENCODERS["gru4rec"], support.WIDTH, bias=False),
        losses={"distance": L2()},
        optimizer=Optimizer({".*": Adam(1e-2)}),
        export=SessionBundle(saved_model=False),
    )
    mesh = make_mesh({"data": 1})
    program = Program(made, Runtime(mesh={"data": 1}), data, mesh)
    state, step = program.init(), program.step()
    losses = []
    for number in range(5):
        state, report = step(state, data.batch(number))
        losses.append(float(report.means["loss"][0]))
    assert not state.tables and losses[-1] < losses[0]
    folder = tmp_path_factory.mktemp("bundles") / "fixed"
    made.export.write(program, state, folder)
    return program, state, folder


def test_served_users_have_fixed_vectors(fixed):
    program, state, folder = fixed
    data, known = program.dataset, program.dataset.sessions
    vectors = np.load(folder / "vectors.npy")
    np.testing.assert_array_equal(vectors, data.fixed[np.arange(20)])
    asked, states = data.queries("test").past.stop, open_states(folder)
    queries = user_vectors(program, state, asked)
    user = known.session_user[known.event_session]
    for event in range(len(known.item)):
        name, new = f"u{user[event]}", bool(known.position[event] == 0)
        when = int(known.timestamp[event])
        for query in queries[asked == event]:
            got = states.query(name, when, new)
            np.testing.assert_allclose(got, query, atol=1e-5)
        states.feed(name, known.item_ids[known.item[event]], when, new)


def test_a_server_takes_sessions_whole(fixed):
    model = models.load("fixed", 1, fixed[2])
    asked = model.signatures["history"]
    rows = {"history": [["i1", "i2"], ["i7", ""]], "k": [3, 5]}
    found, opened = asked.ask(rows), load(fixed[2])
    wheres = {**rows, narrowed.WHERE: [("place < 9",)] * 2, narrowed.COLUMNS: [()] * 2}
    few = asked.narrowed.ask(wheres)
    for row, (history, k) in enumerate([(["i1", "i2"], 3), (["i7"], 5)]):
        wanted = opened.query(history=history, k=k)
        assert found["ids"][row] == [one.id for one in wanted]
        np.testing.assert_allclose(found["scores"][row], [one.score for one in wanted])
        wanted = opened.query(history=history, k=k, where="place < 9")
        assert few["ids"][row] == [one.id for one in wanted]
    for history, said in (([], "nothing to ask"), (["j1"], "no item 'j1'.*Did you")):
        with pytest.raises(UserError, match=f"history, row 0: .*{said}"):
            asked.ask({"history": [history], "k": [1]})
    with pytest.raises(UserError, match="201 items; give the last 200"):
        asked.ask({"history": [["i1"] * 201], "k": [1]})


def test_the_command_follows_a_history_as_python_does(fixed, capsys):
    bundle = fixed[2]
    met, states = ["i1", "i2"], open_states(bundle)
    for item in met:
        states.feed("a", item)
    order = np.argsort(-states.scores("a"))
    for where in ((), ("place < 9", "place > 2")):
        fits = [i for i in order if i not in (1, 2) and (not where or 2 < i < 9)]
        args = [
            f"--{k}={v}" for k, all in (("history", met), ("where", where)) for v in all
        ]
        main(["query", str(bundle), *args, "-k", "3", "--json"])
        found = json.loads(capsys.readouterr().out)
        assert [one["id"] for one in found] == [f"i{i}" for i in fits[:3]]
        opened = load(bundle)
        assert found == [vars(x) for x in opened.query(history=met, k=3, where=where)]
    assert "20 items; takes sessions of users" in repr(opened)
    for wrong in (["--text", "red"], ["--history", "i1", "--text", "a"]):
        with pytest.raises(SystemExit):
            main(["query", str(bundle), *wrong])
        assert "follows sessions: give it a --history" in capsys.readouterr().err
    with pytest.raises(UserError, match=r"^history: there is no item 'j1'\. Did you"):
        opened.query(history=["j1"])


def test_a_model_of_recent_clicks_says_how_it_is_asked(bundle, capsys):
    assert "history" not in models.load("sessions", 1, bundle).signatures
    said = "everybody clicked on just before.*`recjax session feed BUNDLE .*--time"
    with pytest.raises(UserError, match=f"^history: this model reads what {said}"):
        load(bundle).query(history=["i1"])
    with pytest.raises(SystemExit):
        main(["query", str(bundle), "--history", "i1"])
    assert "recjax session ask BUNDLE" in capsys.readouterr().err
    asked = open_states(bundle)
    asked.feed("a", "i1", 1_700_000_000)
    assert len(asked.best("a", 3, 1_700_000_060)) == 3
