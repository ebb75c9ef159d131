"""A session bundle: written, checked, opened, and asked as the live model is."""

import json

import numpy as np
import pytest
import sessions as support

from recjax.cli import main
from recjax.errors import UserError
from recjax.evals.session import SessionRanking, user_vectors
from recjax.evals.session_cheap import targets_of
from recjax.experiment import Experiment, Runtime
from recjax.export.session_bundle import SessionBundle
from recjax.losses.pairwise import ItemSoftmax
from recjax.models.hier_tcn import SessionModel
from recjax.optim import Adam, Optimizer, RowwiseAdagrad
from recjax.serve.session import open_states
from recjax.sharding.mesh import make_mesh
from recjax.train.program import Program


@pytest.fixture(scope="module")
def program():
    data = support.opened(support.sessions(4, users=12))
    made = Experiment(
        name="sessions",
        seed=0,
        steps=10,
        data=data.settings,
        model=SessionModel(support.ENCODERS["hiertcn"], support.WIDTH, tied=False),
        losses={"softmax": ItemSoftmax()},
        optimizer=Optimizer({"tables/.*": RowwiseAdagrad(0.1), ".*": Adam(1e-2)}),
        export=SessionBundle(idle=1_800),
    )
    return Program(made, Runtime(mesh={"data": 1}), data, make_mesh({"data": 1}))


@pytest.fixture(scope="module")
def trained(program):
    """Returns the state after a few steps, with biases and tables that differ."""
    state, step = program.init(), program.step()
    for number in range(5):
        state, report = step(state, program.dataset.batch(number))
    assert np.isfinite(float(report.means["loss"][0]))
    assert not any(map(bool, report.broken.values()))
    return state


@pytest.fixture(scope="module")
def bundle(program, trained, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundles") / "sessions"
    said = program.experiment.export.write(program, trained, folder)
    assert "jax_export_score_difference" in said and "saved_model" in said
    return folder


def test_ranking_is_that_of_scores_made_by_hand(program, trained):
    targets = targets_of(program.dataset, "test")
    queries = user_vectors(program, trained, "test", targets)
    vectors = np.asarray(trained.tables["target"])[1:21]
    bias = np.asarray(trained.tables["bias"])[1:21, 0]
    scores = queries[:, :-1] @ vectors.T + bias
    own = scores[np.arange(len(queries)), targets.item]
    wanted = 1 + (scores > own[:, None]).sum(1)
    got = SessionRanking("test").ranks(program, trained, targets)
    np.testing.assert_array_equal(got, wanted)
    assert np.std(bias) > 0 and len(np.unique(got)) > 3
    figures = SessionRanking("test").run(program, trained)
    assert figures["mrr"] == pytest.approx((1 / wanted).mean())


def test_served_users_are_those_of_the_evaluation(program, trained, bundle):
    data = program.dataset
    known, targets = data.sessions, targets_of(data, "test")
    queries = user_vectors(program, trained, "test", targets)
    states = open_states(bundle)
    for user in (0, 5):
        sessions = range(*known.user_start[user : user + 2])
        for session in sessions:
            for event in range(*known.session_start[session : session + 2]):
                when = int(known.timestamp[event])
                new = bool(known.place[event] == 0)
                found = np.flatnonzero(targets.event == event)
                if len(found):
                    got = states.query(f"u{user}", when, new)
                    np.testing.assert_allclose(got, queries[found[0]], atol=1e-5)
                states.feed(f"u{user}", known.item_ids[known.item[event]], when, new)


def test_commands(bundle, tmp_path, capsys):
    log, states = tmp_path / "log.csv", tmp_path / "states.npz"
    log.write_text("user,item,timestamp\na,i1,100\na,i2,160\nb,i3,200\n")
    main(["session", "feed", str(bundle), str(log), "--states", str(states)])
    assert "fed 3 events; 2 users" in capsys.readouterr().out
    ask = ["session", "ask", str(bundle), "--states", str(states), "--user"]
    main([*ask, "a", "--time", "170", "-k", "3", "--json"])
    found = json.loads(capsys.readouterr().out)
    states_now = open_states(bundle, states)
    scores = states_now.scores("a", 170)
    best = [f"i{i}" for i in np.argsort(-scores)[:3]]
    assert [one["id"] for one in found] == best
    main(["session", "close", str(bundle), "--states", str(states), "--user", "a"])
    after = open_states(bundle, states).scores("a", 170)
    np.testing.assert_array_equal(after, states_now.scores("a", 170, True))
    capsys.readouterr()
    with pytest.raises(SystemExit) as error:
        main(["session", "close", str(bundle), "--states", str(states), "--user", "c"])
    assert error.value.code == 2 and "'c'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("user,thing\na,i1\n", "no column 'item'"),
        ("user,item\na,i1\na,i99\n", "row 3: event of user 'a': there is no item"),
        ("user,item,timestamp\na,i1,now\n", "row 2, column timestamp: 'now'"),
        ("user,item,timestamp\na,i1\n", "row 2"),
        ("user,item,timestamp\na,i1,50\na,i1,40\n", "row 3.*the last one was at 50"),
    ],
)
def test_bad_logs_are_named(bundle, tmp_path, text, said):
    from recjax.serve.session import feed_file

    log = tmp_path / "log.csv"
    log.write_text(text)
    with pytest.raises(UserError, match=said):
        feed_file(open_states(bundle), log)


def test_a_damaged_bundle_is_refused(bundle, tmp_path):
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(bundle, copy)
    (copy / "empty.npz").write_bytes(b"")
    with pytest.raises(UserError, match="empty.npz"):
        open_states(copy)
