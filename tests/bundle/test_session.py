"""A session bundle: written, checked, opened, and asked as the live model is."""

import json
import logging

import jax
import numpy as np
import polars as pl
import pytest
import session_columns

from recjax.bundle import saved_model
from recjax.bundle.items import data_of
from recjax.bundle.narrowed import COLUMNS, WHERE
from recjax.bundle.open import open_bundle
from recjax.bundle.served import signatures
from recjax.bundle.session import SessionBundle
from recjax.cli.main import main
from recjax.data.sessions.rules import SessionRules
from recjax.errors import UserError
from recjax.evals.model import model_scores, user_vectors
from recjax.evals.ranking import Ranking
from recjax.evals.scorer import rank_scores
from recjax.serve.session import open_states


def test_states_may_be_the_callers(bundle):
    """What `UserStates` keeps, a caller of the signatures may keep as well."""
    opened, users = open_bundle(bundle), open_states(bundle)
    made = signatures(opened)
    known = {"place": [*range(20)], "even": ["yes", "no"] * 10}
    vars(opened.finder)["columns"] = pl.DataFrame(known)
    step, close, best = (made[name] for name in ("step", "close", "serving_default"))
    blank = {n: np.asarray(v) for n, v in close.blank.items()}
    state = session_columns.rows_of(blank, 2)
    about = {"user_color": ["red", None], "user_price": [None, 3.5]}
    users.about("u0", {"color": "red"})
    users.about("u1", {"price": 3.5})
    nothing = {name: [None] * 2 for name in opened.session.event.specs}
    random, when = np.random.default_rng(0), 1_000_000
    for event in range(9):
        gap, ids = int(random.integers(1, 900)), random.choice(opened.items.ids, 2)
        when, new = when + gap, event % 4 == 3
        asked = {"gap": [gap * (event > 0)] * 2, "new_session": [new, False], **about}
        if event == 6:
            state = dict(close.ask(state))
            users.close("u0")
            users.close("u1")
        wanted = [users.query(f"u{u}", when, new and not u) for u in range(2)]
        did = {**nothing, "event_color": ["red", "pink"]}
        found = step.ask({**did, "item": ids.tolist(), **asked, **state})
        np.testing.assert_allclose(found["user"], wanted, atol=1e-5)
        pair = np.random.default_rng(event).random((2, 20, 8)).astype(np.float32)
        top = best.ask({**asked, **state, "pair": pair, "k": [3, 2]})
        query = np.asarray(found["user"])
        scores = query[:, :7] @ np.load(bundle / "vectors.npy").T
        scores += np.einsum("bf,bnf->bn", query[:, 7:], pair)
        assert [len(row) for row in top["ids"]] == [3, 2]
        for row, ids_found in enumerate(top["ids"]):
            order = np.argsort(-scores[row])[: len(ids_found)]
            assert ids_found == [f"i{i}" for i in order]
        even = [i for i in np.argsort(-scores[1]) if i % 2 == 0 and i > 12]
        asked_for = {WHERE: [(), ("even = yes", "place > 12")], COLUMNS: [(), ()]}
        narrow = best.narrowed.ask(
            {**asked, **state, "pair": pair, "k": [3, 20], **asked_for}
        )
        assert narrow["ids"][0] == top["ids"][0]
        assert narrow["ids"][1] == [f"i{i}" for i in even]
        state = {name: np.asarray(found[name]) for name in state}
        for user, id in enumerate(ids):
            color = {"color": did["event_color"][user]}
            users.feed(f"u{user}", str(id), when, new and not user, columns=color)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"item": ["i99"]}, "item, row 0: the bundle knows no item 'i99'"),
        ({"gap": [-1.0]}, "gap, row 0: -1.0 is below 0"),
        ({"position": [-1]}, "position, row 0"),
        ({"event_price": ["1"]}, "event_price, row 0: '1' is no number"),
    ],
)
def test_bad_states_are_named(bundle, changed, said):
    step = signatures(open_bundle(bundle))["step"]
    with pytest.raises(UserError, match=said):
        step.ask({**step.blank, **changed})


@pytest.mark.slow
def test_a_saved_model_gives_the_answers_of_the_bundle(program, trained, tmp_path):
    said = SessionBundle().write(program, trained, tmp_path / "both")
    assert "saved_model_step_difference" in said
    saved = saved_model.load(tmp_path / "both" / "saved_model")
    own = signatures(open_bundle(tmp_path / "both"))
    assert saved.keys() == own.keys()
    random = np.random.default_rng(0)
    state = {n: np.asarray(v) for n, v in own["close"].blank.items()}
    state = session_columns.rows_of(state, 3)
    for name in state:
        if name.startswith("memory"):
            state[name] = random.normal(size=state[name].shape).astype(np.float32)
    state["age"] = np.array([0, 5, 9], np.int32)
    state["position"] = np.array([0, 2, 0], np.int32)
    when = {"gap": np.array([0, 50, 9_000], np.float32)}
    when["new_session"] = np.array([False, True, False])
    for size in (1, 17):
        session_columns.steps_agree(program, trained, own, saved["step"], size)
    columns = session_columns.asked(program.dataset.sessions, np.array([0, 9, 30]))
    about = {name: v for name, v in columns.items() if name.startswith("user_")}
    asked = {**columns, "item": ["i1", "i7", "i2"], **when, **state}
    found, wanted = saved["step"](asked), own["step"].ask(asked)
    for name, value in wanted.items():
        np.testing.assert_allclose(found[name], np.asarray(value), atol=1e-5)
    asked["item"][1] = "nobody knows this"
    kept = saved["step"](asked)
    for name in state:
        np.testing.assert_allclose(kept[name][1], state[name][1], atol=1e-6)
    pair = random.normal(size=(3, 20, 8)).astype(np.float32)
    asked = {**about, **when, **state, "pair": pair, "k": np.array([4, 4, 4], np.int32)}
    found, wanted = (made["serving_default"] for made in (saved, own))
    found, wanted = found(asked), wanted.ask(asked)
    assert found["ids"].tolist() == wanted["ids"]
    np.testing.assert_allclose(found["scores"], wanted["scores"], atol=1e-5)


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


def test_an_evaluation_compiles_its_step_once(program, trained, caplog):
    # Commands that ran before may have silenced JAX.
    of_jax = logging.getLogger("jax._src.interpreters.pxla")
    of_jax.addHandler(caplog.handler)
    with caplog.at_level(logging.DEBUG, of_jax.name), jax.log_compiles():
        user_vectors(program, trained, program.dataset.queries("test").past.stop)
    of_jax.removeHandler(caplog.handler)
    said = {id(one): one.getMessage() for one in caplog.records}
    assert sum("Compiling jit(step)" in one for one in said.values()) == 1


def test_served_users_are_those_of_the_evaluation(program, trained, bundle):
    """All users' events, in the order of time: clicks of others count as well."""
    data = program.dataset
    known, asked = data.sessions, data.queries("test").past.stop
    queries = user_vectors(program, trained, asked)
    vectors = np.load(bundle / "vectors.npy")
    states, checked = open_states(bundle), 0
    users = session_columns.raw(known.tables["user"], np.arange(known.users))
    for number, id in enumerate(known.user_ids):
        about = {name: users[name][number] for name in ("color", "price")}
        states.about(id, about)
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
        did = session_columns.at(known.tables["events"], event)
        item = known.item_ids[known.item[event]]
        states.feed(f"u{user[event]}", item, when, new, columns=did)
    assert checked == len(asked)


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


def test_a_bundle_says_what_it_is_of_and_how_sessions_were_cut(program, bundle):
    states, of = open_states(bundle), open_bundle(bundle)
    assert states.kept.rules == SessionRules(longest=50, unit="s")
    assert data_of(bundle) == program.data
    assert "shop (digest ab12, made by `recjax data prepare" in states.of["data"]
    assert of.info["experiment"] == "sessions" and len(of.model.split()) == 2


def test_a_damaged_bundle_is_refused(bundle, tmp_path):
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(bundle, copy)
    (copy / "session" / "arrays.npz").write_bytes(b"")
    with pytest.raises(UserError, match="arrays.npz"):
        open_states(copy)
