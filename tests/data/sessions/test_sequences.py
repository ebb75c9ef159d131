"""Events without sessions as sequences: the last of each user is left out."""

from dataclasses import replace

import numpy as np
import pytest
import sessions as support

import recjax as rj
from recjax.data.sessions.packing import Packed, Queue
from recjax.errors import UserError
from recjax.prepare import make
from recjax.prepare.write import Data, write
from recjax.train.program import open_program

LINES = ["u0,a", "u1,b", "u0,b", "u0,c", "u1,a", "u1,d", "u1,c", "u0,a", "u0,d"]


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """Events in the order of their users, without times or sessions."""
    users, items = make.entity(["u0", "u1"]), make.entity(list("abcd"))
    rows = sorted(LINES, key=lambda line: line[:2])
    codes = np.array(["abcd".index(r[-1]) for r in rows], np.int32)
    events = make.table(
        make.refers("user", np.array([int(r[1]) for r in rows], np.int32), users),
        make.refers("item", codes, items),
    )
    tables = {"user": users, "item": items, "events": events}
    folder = tmp_path_factory.mktemp("data") / "a"
    return write(Data(tables), folder, source={}, command="")


def settings(path, **changes):
    made = rj.data.NextInSession(str(path), rj.data.LastOut(), sequences=True)
    return replace(made, layout=Packed(2, 8, 8), negatives=3, **changes)


def test_each_users_last_events_are_left_out(path):
    data = settings(path).open(0)
    own = {u: [line[-1] for line in LINES if line.startswith(u)] for u in ("u0", "u1")}
    ids = data.sessions.item_ids
    for back, split in ((1, "test"), (2, "validation")):
        queries = data.queries(split)
        found = {}
        for row in range(len(queries)):
            past = queries.history
            met = past.items[past.start[row] : past.stop[row]]
            user = data.sessions.user_ids[queries.user[row]]
            found[user] = [ids[i] for i in met], ids[queries.task.items[row]]
        assert found == {u: (own[u][:-back], own[u][-back]) for u in own}
    assert data.train.sum() == len(LINES) - 4
    assert not data.sessions.timed and queries.history.opening is None


def test_a_batch_holds_users_end_to_end(path):
    batch = settings(path).open(0).batch(0)
    assert np.count_nonzero(batch["item"]) == 5
    there = batch["item"] > 0
    assert (batch["position"][there] == 0).all() and batch["age"][there].max() == 2


def test_data_without_sessions_is_refused_or_taken_as_sequences(path):
    with pytest.raises(UserError, match="without sessions.*data.sequences=True"):
        replace(settings(path), sequences=False).open(0)


def test_padding_between_sessions_is_refused_where_it_would_count(path):
    made = rj.Experiment(
        name="sequences",
        seed=0,
        steps=1,
        data=replace(settings(path), layout=Queue(2, 4, 2)),
        model=rj.models.SessionModel(rj.nn.FlatAttention(6, 8), 6),
        losses={"softmax": rj.losses.ItemSoftmax()},
        optimizer=rj.optim.Optimizer({".*": rj.optim.RowwiseAdagrad(0.1)}),
    )
    with pytest.raises(UserError, match="FlatAttention wants rows.*take Packed"):
        open_program(made, rj.Runtime())
    gru = replace(made.model, encoder=support.ENCODERS["gru"])
    assert open_program(replace(made, model=gru), rj.Runtime()).dataset is not None


def test_what_is_sessions_stays_so():
    known = support.sessions(3)
    assert np.diff(known.session_start).max() > 1
    data = support.opened(known)
    assert 0 < data.queries("test").history.opening.mean() < 1


def test_a_chain_within_sessions_knows_nothing_of_sequences(path):
    data = settings(path).open(0)
    queries = data.queries("test")
    chain = rj.evals.Markov(of="session", popularity=0.0).fit(data, queries)
    assert not chain.scores(0, len(queries)).any()
