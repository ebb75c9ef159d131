"""Users' states online: bit for bit the whole log, bounded, saved, and guarded."""

from functools import cache

import jax
import numpy as np
import pytest
import sessions as support

from recjax.bundle.session_state import SessionState
from recjax.bundle.session_step import empty_memory, step_function
from recjax.data.sessions.packing import Packed, make_plan
from recjax.data.sessions.rules import SessionRules
from recjax.data.sessions.runs import Runs
from recjax.errors import UserError
from recjax.index.item_vectors import ItemVectors
from recjax.models.session_model import SessionModel
from recjax.serve.user_state import UserStates
from recjax.users.paper.replay import replay

RULES = SessionRules()
QUICK = support.by_encoder("hiertcn")


@cache
def parts(name):
    """Returns data, parameters, item vectors, the compiled step and empty memory."""
    data = support.opened(support.sessions(4, users=6, most=4))
    model = SessionModel(support.ENCODERS[name], support.WIDTH, bias=False)
    params, table = support.started(model.encoder, data)
    held = {"params": {"encoder": params["params"]}, "items": table, "tables": {}}
    step, compiled = step_function(model), None
    compiled = jax.jit(lambda arrays: step(held, arrays))
    return data, params, table, compiled, empty_memory(model)


def states(name, rules=RULES):
    data, _, table, step, empty = parts(name)
    ids = data.sessions.item_ids
    items = ItemVectors(ids, ids, np.asarray(table[1:]))
    return UserStates(step, items, SessionState(empty, rules))


def logs(data):
    """Returns what `replay` takes of each user."""
    known = data.sessions
    out = []
    for user in range(known.users):
        sessions = range(*known.user_start[user : user + 2])
        start, stop = known.session_start[[sessions[0], sessions[-1] + 1]]
        gap = [0.0] + [
            float(known.timestamp[at] - known.timestamp[at - 1])
            for at in known.session_start[sessions[1:]]
        ]
        lengths = np.diff(known.session_start[sessions[0] : sessions[-1] + 2])
        out.append(
            {
                "item": known.item[start:stop] + 1,
                "position": known.position[start:stop],
                "age": np.arange(stop - start),
                "gap": np.repeat(np.float32(gap), lengths),
            }
        )
    return out


def fed(name, online, check):
    """Feeds all users' events in the order of time; `check` sees each before it."""
    known = parts(name)[0].sessions
    user = known.session_user[known.event_session]
    start = known.session_start[known.user_start]
    for event in np.random.default_rng(0).permutation(known.users).repeat(99):
        # Users take turns at random; each one's events keep their order.
        age = (
            int(online._held["age"][online._rows[f"u{event}"]])
            if (f"u{event}" in online)
            else 0
        )
        at = start[event] + age
        if at >= start[event + 1]:
            continue
        assert user[at] == event
        when, item = int(known.timestamp[at]), known.item_ids[known.item[at]]
        new = bool(known.position[at] == 0)
        check(f"u{event}", at, when, new)
        online.feed(f"u{event}", item, when, new)


@QUICK
def test_online_is_the_whole_log_bit_for_bit(name):
    data, _, _, step, empty = parts(name)
    wanted = np.concatenate(replay(step, empty, logs(data)))
    online, seen = states(name), []

    def check(user, at, when, new):
        got = online.query(user, when, new)
        assert got.tobytes() == wanted[at].tobytes()
        seen.append(at)

    fed(name, online, check)
    assert sorted(seen) == list(range(len(wanted))) and len(online) == 6


@QUICK
def test_online_is_the_training_batch(name):
    data, params, table, step, empty = parts(name)
    start = data.sessions.user_start
    runs = Runs(start[:-1], np.diff(start))
    plan = make_plan(Packed(3, 9, 4), data.sessions.session_start, runs, 0)
    batch = support.streamed(support.ENCODERS[name], params, table, data, plan)
    online = np.concatenate(replay(step, empty, logs(data)))
    np.testing.assert_allclose(online, batch, atol=2e-6)


def test_a_state_keeps_its_size_and_asking_changes_nothing():
    online = states("hiertcn")
    online.feed("a", "i1", 10)
    size = {name: array.nbytes for name, array in online._held.items()}
    before = online.scores("a", 20)
    online.best("a", 5, 20)
    online.query("b", 20)
    np.testing.assert_array_equal(online.scores("a", 20), before)
    for at in range(50):
        online.feed("a", f"i{at % 7}", 20 + at)
    assert {name: array.nbytes for name, array in online._held.items()} == size
    assert "b" not in online


def test_sessions_end_by_idling_by_closing_and_by_word():
    idle = states("hiertcn", SessionRules(gap=100))
    one, two, three = idle, states("hiertcn"), states("hiertcn")
    for online in (one, two, three):
        online.feed("a", "i1", 10)
        online.feed("a", "i2", 50)
    two.close("a")
    wanted = one.scores("a", 150)
    np.testing.assert_array_equal(two.scores("a", 150), wanted)
    np.testing.assert_array_equal(three.scores("a", 150, new_session=True), wanted)
    assert np.abs(three.scores("a", 150) - wanted).max() > 1e-4
    assert np.abs(one.scores("a", 149) - wanted).max() > 1e-4


def test_saved_and_loaded(tmp_path):
    online, again = states("hiertcn"), states("hiertcn")
    for at in range(40):
        online.feed(f"u{at % 19}", f"i{at % 7}", 100 + at)
    online.save(tmp_path / "states.npz")
    again.load(tmp_path / "states.npz")
    for user in ("u0", "u18"):
        np.testing.assert_array_equal(again.scores(user, 200), online.scores(user, 200))
    again.feed("new", "i3", 300)
    assert len(again) == 20 and len(list(tmp_path.iterdir())) == 1


def test_files_that_are_no_states(tmp_path):
    path = tmp_path / "states.npz"
    with pytest.raises(UserError, match="no readable states"):
        states("hiertcn").load(path)
    states("hiertcn").save(path)
    other = states("hrnn")
    with pytest.raises(UserError, match="no readable states|another model"):
        other.load(path)
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(UserError, match="no readable states"):
        states("hiertcn").load(path)


def test_bad_events_change_nothing():
    online = states("hiertcn")
    online.feed("a", "i1", 10)
    before = online.scores("a", 20)
    with pytest.raises(UserError, match="there is no item 'i99'"):
        online.feed("a", "i99", 20)
    with pytest.raises(UserError, match="the last one was at 1970-01-01T00:00:10"):
        online.feed("a", "i1", 9)
    with pytest.raises(UserError, match="no state of user 'b'"):
        online.close("b")
    with pytest.raises(UserError, match="k = 0"):
        online.best("a", 0)
    np.testing.assert_array_equal(online.scores("a", 20), before)


def test_best_are_the_highest_scores():
    online = states("hiertcn")
    online.feed("a", "i1", 10)
    scores = online.scores("a")
    found = online.best("a", 4)
    order = np.argsort(-scores)[:4]
    assert [one.id for one in found] == [f"i{i}" for i in order]
    assert len(online.best("a", 1_000)) == 20
