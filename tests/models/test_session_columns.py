"""Columns of items and events in a session model, and actions as targets."""

from dataclasses import replace
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import polars as pl
import pytest
import sessions as support

from recjax.bundle.session import with_columns
from recjax.data.columns import CategoryColumn, NumberColumn
from recjax.data.sessions.packing import PAD
from recjax.data.sessions.read import load_sessions
from recjax.data.splits import ByUser
from recjax.errors import UserError
from recjax.models import Table
from recjax.models.base import TableRows
from recjax.models.session_model import SessionModel
from recjax.nn.inputs import Dense, EmbeddingBag
from recjax.nn.tower import Tower
from recjax.prepare import make
from recjax.prepare.options import Files, How
from recjax.prepare.prepare import prepare

WIDTH = support.WIDTH
ACTIONS = ("view", "buy", "like")
COLUMNS = {
    "item": {"brand": CategoryColumn(), "price": NumberColumn()},
    "user": {"country": CategoryColumn()},
    "events": {"action": CategoryColumn(), "basket": NumberColumn()},
}


def bag(name):
    return EmbeddingBag(name, norm=0.0)


ITEM = Tower({"brand": bag("brand"), "price": Dense(WIDTH)}, WIDTH, normalize=False)
EVENT = Tower({"action": bag("did"), "basket": Dense(WIDTH)}, WIDTH, normalize=False)
USER = Tower({"country": bag("country")}, WIDTH, normalize=False)
MODEL = SessionModel(
    support.ENCODERS["gru4rec"],
    WIDTH,
    cosine=True,
    item=ITEM,
    event=EVENT,
    user=USER,
    tables={name: Table(WIDTH) for name in ("brand", "did", "country")},
)


def known(seed=2):
    """Returns sessions whose items and events have columns."""
    found, random = support.sessions(seed, users=9), np.random.default_rng(seed)
    events, items = len(found.item), len(found.item_ids)
    action = make.category("action", random.choice(ACTIONS, events))
    tables = {
        "item": make.entity(
            found.item_ids,
            make.category("brand", random.choice(["a", "b", ""], items)),
            make.number("price", random.normal(size=items)),
        ),
        "user": make.entity(
            found.user_ids,
            make.category("country", random.choice(["no", "it", ""], found.users)),
        ),
        "events": make.table(action, make.number("basket", random.normal(size=events))),
    }
    return replace(found, tables=tables)


@pytest.fixture(scope="module")
def data():
    return support.opened(known(), columns=COLUMNS)


@pytest.fixture(scope="module")
def trained(data):
    """Returns random tables and parameters of the model, and its parts compiled."""
    random, batch = np.random.default_rng(0), data.batch(1)
    specs = MODEL.table_specs(data.sides)
    tables = {n: random.normal(size=(s.rows, s.width)) for n, s in specs.items()}
    tables = {n: jnp.float32(table) for n, table in tables.items()}
    rows = {n: TableRows(tables[n], uses) for n, uses in MODEL.rows(batch).items()}
    params, memory = jax.jit(MODEL.init)(jax.random.key(0), rows, batch)

    @jax.jit
    def users(batch):
        ids = MODEL.event_rows(batch)
        rows = {n: TableRows(tables[n], uses) for n, uses in ids.items()}
        read = MODEL.read(params, rows, batch)
        return MODEL.users(params, read, batch, memory)[0]

    return tables, params, memory, users


@jax.jit
def _embed(params, tables, features):
    asked = MODEL.side_rows("candidate", features)
    held = {n: TableRows(tables[n], uses) for n, uses in asked.items()}
    return MODEL.embed(params, held, "candidate", features)


def embedded(params, tables, features):
    """Returns the vectors of items."""
    return np.asarray(_embed(params, tables, features))


def test_scores_of_training_are_those_of_queries_and_items(data, trained):
    tables, params, memory, users = trained
    batch = data.batch(1)
    rows = {n: TableRows(tables[n], uses) for n, uses in MODEL.rows(batch).items()}
    out, _ = jax.jit(MODEL.apply)(params, rows, batch, memory, jax.random.key(1))
    features = {n: a[0:20] for n, a in data.corpora["item"].features.items()}
    items = embedded(params, tables, features)
    queries = np.asarray(users(batch)).reshape(-1, items.shape[1])
    there = batch["item"].ravel() > 0
    drawn = queries[there] @ items[batch["negative_id"]].T
    np.testing.assert_allclose(out.drawn[there], drawn, atol=1e-4)
    own = np.sum(queries[there] * items[batch["item"].ravel()[there] - 1], 1)
    np.testing.assert_allclose(out.own[there], own, atol=1e-4)


@pytest.mark.parametrize("column", ["action", "basket"])
def test_an_event_tells_what_follows_it_and_nothing_before(data, trained, column):
    *_, users = trained
    plan, at = data.epochs.at(1)
    batch, event = data.batch(1), plan.grid(at).event
    before = np.asarray(users(batch))
    lane = int(np.argmax((event != PAD).sum(1)))
    held = batch["event_columns"][column].copy()
    held[lane, 0] = held[lane, 0] % 3 + 1
    columns = {**batch["event_columns"], column: held}
    after = np.asarray(users({**batch, "event_columns": columns}))
    apart = np.abs(after - before).max(-1)
    assert apart[lane, 0] == 0 and np.delete(apart, lane, 0).max() == 0
    same = batch["slot"][lane] == batch["slot"][lane, 0]
    assert apart[lane, 1:][same[1:] & (batch["item"][lane, 1:] > 0)].min() > 0


def test_a_users_columns_count_for_all_own_queries_and_for_no_others(data, trained):
    *_, users = trained
    plan, at = data.epochs.at(0)
    batch, grid = data.batch(0), plan.grid(at)
    before = np.asarray(users(batch))
    lane = int(np.argmax((grid.event != PAD).sum(1)))
    held = batch["user_columns"]["country"].copy()
    whose = data.sessions.users_of(np.maximum(grid.session, 0))
    mine = (whose == whose[lane, 0]) & (grid.session != PAD)
    held[mine] = held[mine] % 2 + 1
    after = np.asarray(users({**batch, "user_columns": {"country": held}}))
    apart = np.abs(after - before).max(-1)
    own = np.take_along_axis(mine, grid.slot, 1) & (grid.event != PAD)
    assert own[lane, 0] and apart[own].min() > 1e-4
    assert apart[~own & (grid.event != PAD)].max() == 0


def test_users_without_events_shift_no_columns(tmp_path):
    users = pl.DataFrame({"user": ["z", "a", "y", "b"], "age": [1.0, 2.0, 3.0, 4.0]})
    when = [1_600_000_000 + at for at in range(6)]
    events = pl.DataFrame({"user": list("bbabaa"), "item": list("xyxzyz")})
    events = events.with_columns(timestamp=pl.Series(when), session=events["user"])
    path = prepare(Files(events=events, users=users), tmp_path / "data", How())
    columns = {"user": {"age": NumberColumn()}}
    every = {"split": ByUser(), "fit": ("train", "validation", "test")}
    made = support.opened(load_sessions(path), columns=columns, **every)
    known = made.sessions
    ages = [
        made.columns.user.table["age"].array[r] for r in known.users_of(np.arange(2))
    ]
    assert dict(zip(known.user_ids, ages, strict=True)) == {"a": 2.0, "b": 4.0}


@pytest.mark.parametrize("column", ["brand", "price"])
def test_an_items_columns_count_where_it_is_read_and_scored(data, trained, column):
    tables, params, _, users = trained
    batch = data.batch(1)
    held = np.roll(batch["own_columns"][column], 1, 1)
    columns = {**batch["own_columns"], column: held}
    moved = np.asarray(users({**batch, "own_columns": columns}))
    assert np.abs(moved - np.asarray(users(batch))).max() > 1e-3
    features = {n: a[0:20] for n, a in data.corpora["item"].features.items()}
    rolled = {**features, column: np.roll(features[column], 1, 0)}
    one, other = (embedded(params, tables, some) for some in (features, rolled))
    assert np.abs(one - other).max() > 1e-3


def test_a_bundle_reads_items_with_their_columns(data, trained):
    tables, params, *_ = trained
    model = replace(MODEL, event=None, user=None)
    state = SimpleNamespace(tables=tables, params=params)
    features = data.corpora["item"].features
    rows = np.asarray(with_columns(model, state, tables["item"], features))
    batch = data.batch(1)
    held = {n: TableRows(tables[n], i) for n, i in model.event_rows(batch).items()}
    events = np.asarray(jax.jit(model.read)(params, held, batch)[0])
    there = batch["item"] > 0
    np.testing.assert_allclose(events[there], rows[batch["item"][there]], atol=1e-5)


def test_actions_weigh_and_select_targets():
    made = known()
    names = np.array(["", *ACTIONS])
    label = [*made.tables["events"]["action"].vocabulary]
    did = np.array(label)[made.tables["events"]["action"].array]
    data = support.opened(made, actions={"buy": 1.0, "like": 0.25})
    weight = np.select([did == "buy", did == "like"], [1.0, 0.25], 0.0)
    np.testing.assert_array_equal(data.target, weight.astype(np.float32))
    plan, at = data.epochs.at(0)
    event, batch = plan.grid(at).event, data.batch(0)
    wanted = np.where(event == PAD, 0, weight[np.maximum(event, 0)])
    np.testing.assert_array_equal(batch["weight"], wanted)
    asked = data.queries("test").past.stop
    assert set(did[asked]) <= {"buy", "like"} and set(names) - {""} == set(ACTIONS)
    every = support.opened(made).queries("test").past.stop
    assert set(asked) == {e for e in every if did[e] in ("buy", "like")}


@pytest.mark.parametrize(
    ("actions", "said"),
    [
        ({"bye": 1.0}, "no event has the action 'bye'.*mean 'buy'"),
        ({"buy": 0.0}, "leave an action out"),
    ],
)
def test_actions_that_are_refused(actions, said):
    with pytest.raises(UserError, match=said):
        _ = support.opened(known(), actions=actions).target
    with pytest.raises(UserError, match="no column 'action'"):
        _ = support.opened(support.sessions(), actions=actions).target


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"item": None}, "'brand', 'price', which nothing reads: give model.item"),
        ({"user": None}, "'country', which nothing reads: give model.user"),
        ({"event": EVENT.clone(normalize=True)}, "model.event is added to vectors"),
        ({"tables": {**MODEL.tables, "item": Table(3)}}, "no tower uses table 'item'"),
    ],
)
def test_models_that_do_not_fit(data, changes, said):
    with pytest.raises(ValueError, match=said):
        replace(MODEL, **changes).table_specs(data.sides)
