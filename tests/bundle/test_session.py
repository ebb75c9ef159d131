"""A session bundle: written, checked, opened, and asked as the live model is."""

import json

import numpy as np
import pytest
import sessions as support

from recjax.bundle.session import SessionBundle
from recjax.cli.main import main
from recjax.data.sessions.fixed import VectorsFromEvents
from recjax.data.sessions.recent_popularity import RecentPopularity, Window
from recjax.data.sessions.repeats import Repeats
from recjax.data.sessions.transitions import Transitions
from recjax.errors import UserError
from recjax.evals.model import model_scores, user_vectors
from recjax.evals.ranking import Ranking
from recjax.evals.scorer import rank_scores
from recjax.experiment import Experiment, Runtime
from recjax.losses.pairwise import L2, ItemSoftmax
from recjax.models.session_model import SessionModel
from recjax.optim import Adam, Optimizer, RowwiseAdagrad
from recjax.serve.session import open_states
from recjax.sharding.mesh import make_mesh
from recjax.train.program import Program


@pytest.fixture(scope="module")
def program():
    windows = Window(7_200, 1_800), Window(50_000, 5_000)
    data = support.opened(
        support.sessions(4, users=12),
        pairs=(Repeats(4), RecentPopularity(windows), Transitions(2, 2)),
    )
    made = Experiment(
        name="sessions",
        seed=0,
        steps=10,
        data=data.settings,
        model=SessionModel(support.ENCODERS["hiertcn"], support.WIDTH, tied=False),
        losses={"softmax": ItemSoftmax()},
        optimizer=Optimizer({"tables/.*": RowwiseAdagrad(0.1), ".*": Adam(1e-2)}),
        export=SessionBundle(saved_model=False),
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
    # The features of pairs are weighed, by user: both parts have moved.
    assert all(float(np.abs(a).max()) > 0 for a in state.params["pair"].values())
    return state


@pytest.fixture(scope="module")
def bundle(program, trained, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundles") / "sessions"
    said = program.experiment.export.write(program, trained, folder)
    assert "step_score_difference" in said
    return folder


@pytest.mark.slow
def test_a_saved_model_gives_the_scores_of_the_bundle(program, trained, tmp_path):
    import tensorflow as tf

    said = SessionBundle().write(program, trained, tmp_path / "both")
    assert "saved_model_step_score_difference" in said
    model = tf.saved_model.load(str(tmp_path / "both" / "saved_model"))
    random = np.random.default_rng(0)
    user = random.normal(size=(3, 13)).astype(np.float32)
    pair = random.normal(size=(3, 20, 6)).astype(np.float32)
    asked = {"user": tf.constant(user), "pair": tf.constant(pair)}
    got = model.signatures["scores"](**asked)["scores"].numpy()
    vectors = np.load(tmp_path / "both" / "vectors.npy")
    wanted = user[:, :7] @ vectors.T + np.einsum("bf,bnf->bn", user[:, 7:], pair)
    np.testing.assert_allclose(got, wanted, atol=1e-5)


def test_ranking_is_that_of_scores_made_by_hand(program, trained):
    asked = program.dataset.queries("test")
    event, item = asked.past.stop, asked.task.items
    queries = user_vectors(program, trained, event)
    vectors = np.asarray(trained.tables["target"])[1:21]
    bias = np.asarray(trained.tables["bias"])[1:21, 0]
    scores = queries[:, :6] @ vectors.T + bias
    for weight, feature in zip(
        queries[:, 7:].T, program.dataset.pairs.at(event), strict=True
    ):
        scores += weight[:, None] * feature.toarray()
    own = scores[np.arange(len(queries)), item]
    wanted = 1 + (scores > own[:, None]).sum(1)
    got = rank_scores(asked.task, model_scores(program, trained, asked)).rank
    np.testing.assert_array_equal(got, wanted)
    assert np.std(bias) > 0 and len(np.unique(got)) > 3
    figures = Ranking("test").run(program, trained).figures
    assert figures["mrr"] == pytest.approx((1 / wanted).mean())


def test_served_users_are_those_of_the_evaluation(program, trained, bundle):
    """All users' events, in the order of time: clicks of others count as well."""
    data = program.dataset
    known, asked = data.sessions, data.queries("test").past.stop
    queries = user_vectors(program, trained, asked)
    vectors = np.load(bundle / "vectors.npy")
    states, checked = open_states(bundle), 0
    user = known.session_user[known.event_session]
    for event in np.argsort(known.timestamp, kind="stable"):
        when, new = int(known.timestamp[event]), bool(known.position[event] == 0)
        found = np.flatnonzero(asked == event)
        if len(found):
            query = queries[found[0]]
            got = states.query(f"u{user[event]}", when, new)
            np.testing.assert_allclose(got, query, atol=1e-5)
            pairs = [one.toarray()[0] for one in data.pairs.at(np.array([event]))]
            wanted = vectors @ query[:7] + query[7:] @ np.array(pairs)
            got = states.scores(f"u{user[event]}", when, new)
            np.testing.assert_allclose(got, wanted, atol=1e-4)
            checked += 1
        states.feed(f"u{user[event]}", known.item_ids[known.item[event]], when, new)
    assert checked == len(asked)


def test_served_users_have_fixed_vectors(tmp_path):
    known = support.sessions(4, users=12)
    data = support.opened(known, vectors=VectorsFromEvents(support.WIDTH))
    made = Experiment(
        name="fixed",
        seed=0,
        steps=10,
        data=data.settings,
        model=SessionModel(support.ENCODERS["hiertcn"], support.WIDTH, bias=False),
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
    made.export.write(program, state, tmp_path / "bundle")
    vectors = np.load(tmp_path / "bundle" / "vectors.npy")
    np.testing.assert_array_equal(vectors, data.fixed[np.arange(20)])
    asked, states = data.queries("test").past.stop, open_states(tmp_path / "bundle")
    queries = user_vectors(program, state, asked)
    user = known.session_user[known.event_session]
    for event in range(len(known.item)):
        name, new = f"u{user[event]}", bool(known.position[event] == 0)
        when = int(known.timestamp[event])
        for query in queries[asked == event]:
            got = states.query(name, when, new)
            np.testing.assert_allclose(got, query, atol=1e-5)
        states.feed(name, known.item_ids[known.item[event]], when, new)


def test_commands(bundle, tmp_path, capsys):
    log, states = tmp_path / "log.csv", tmp_path / "states.npz"
    log.write_text(
        "user,item,timestamp,session\na,i1,1600000100,1\na,i2,1600000160,1\n"
        "b,i3,1600000200,1\n"
    )
    main(["session", "feed", str(bundle), str(log), "--states", str(states)])
    assert "fed 3 events; 2 users" in capsys.readouterr().out
    ask = ["session", "ask", str(bundle), "--states", str(states), "--user"]
    main([*ask, "a", "--time", "1600000170", "-k", "3", "--json"])
    found = json.loads(capsys.readouterr().out)
    states_now = open_states(bundle, states)
    scores = states_now.scores("a", 1_600_000_170)
    best = [f"i{i}" for i in np.argsort(-scores)[:3]]
    assert [one["id"] for one in found] == best
    main(["session", "close", str(bundle), "--states", str(states), "--user", "a"])
    after = open_states(bundle, states).scores("a", 1_600_000_170)
    np.testing.assert_array_equal(after, states_now.scores("a", 1_600_000_170, True))
    capsys.readouterr()
    with pytest.raises(SystemExit) as error:
        main(["session", "close", str(bundle), "--states", str(states), "--user", "c"])
    assert error.value.code == 2 and "'c'" in capsys.readouterr().err
    for told in ([*ask, "a"], ["session", "close", str(bundle), *ask[3:], "a"]):
        told[told.index(str(states))] = str(tmp_path / "none.npz")
        with pytest.raises(SystemExit):
            main(told)
        assert "none.npz: no readable states" in capsys.readouterr().err


def test_a_damaged_bundle_is_refused(bundle, tmp_path):
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(bundle, copy)
    (copy / "session" / "arrays.npz").write_bytes(b"")
    with pytest.raises(UserError, match="arrays.npz"):
        open_states(copy)
