from dataclasses import replace

import numpy as np
import pytest

from recjax.data import cooccurrence
from recjax.data.cooccurrence import count_pairs
from recjax.data.events import Events, Histories
from recjax.evals.baselines.item_knn import ItemKnn

ITEMS = 12
PLAIN = ItemKnn(popularity_weight=0.0)


def random_events(seed, users=9, most=14):
    random = np.random.default_rng(seed)
    lengths = random.integers(0, most, users)
    user = np.repeat(np.arange(users), lengths)
    timestamp = random.integers(0, 8, len(user)) * 3_600  # many at the same time
    order = np.lexsort((timestamp, user))
    item = random.integers(0, ITEMS, len(user))
    return Events(user, item, timestamp[order], ITEMS)


def random_histories(seed, queries=7, ages=True):
    random = np.random.default_rng(seed)
    lengths = np.r_[0, random.integers(1, 9, queries - 1)]
    offsets = np.r_[0, np.cumsum(lengths)]
    items = random.integers(0, ITEMS, offsets[-1])
    times = {}
    if ages:
        times["time"] = np.sort(random.integers(100, 1_000, offsets[-1]))
        times["when"] = np.full(queries, 1_000)
    return Histories(items, offsets[:-1], offsets[1:], **times)


def naive_similarity(events, o):
    """Returns the similarities from the definition, one pair of events at a time."""
    pairs = np.zeros((ITEMS, ITEMS))
    for user in np.unique(events.user):
        mine = np.flatnonzero(events.user == user)
        for place, a in enumerate(mine):
            for b in mine[place + 1 : place + 1 + o.window]:
                i, j = events.item[a], events.item[b]
                weight = float(b - a) ** -o.gap_power
                same = events.timestamp[a] == events.timestamp[b]
                pairs[i, j] += weight
                pairs[j, i] += weight * (1 if same else o.backward)
    known = np.bincount(events.item, minlength=ITEMS) + o.shrinkage
    known = np.maximum(known, 1)
    similarity = pairs / known[:, None] ** o.source_power / known**o.target_power
    for row in similarity:
        row[np.argsort(-row, kind="stable")[o.neighbours :]] = 0
    return similarity


def naive_scores(events, histories, o):
    similarity = naive_similarity(events, o)
    last = events.timestamp.max() if len(events.timestamp) else 0
    late = np.full(len(events.item), True)
    if o.popularity_days is not None:
        late = last - events.timestamp < o.popularity_days * 86_400
    popularity = np.bincount(events.item[late], minlength=ITEMS)
    top = o.popularity_weight * popularity / max(popularity.max(), 1)
    scores = np.tile(top, (len(histories), 1))
    for q in range(len(histories)):
        mine = range(histories.start[q], histories.stop[q])
        for from_end, event in enumerate(reversed(mine)):
            if from_end < o.history:
                distance = from_end
                if histories.time is not None:
                    age = histories.when[q] - histories.time[event]
                    distance = age / o.age_scale
                weight = (1 + distance) ** -o.recency_power
                scores[q] += weight * similarity[histories.items[event]]
    return scores


@pytest.mark.parametrize("ages", [True, False])
@pytest.mark.parametrize(
    "change",
    [
        {},
        {"window": 1},
        {"window": 3, "gap_power": 1.0, "backward": 0.0},
        {"gap_power": 0.0, "backward": 1.0, "source_power": 0.5, "shrinkage": 0.0},
        {"neighbours": 2, "recency_power": 0.0},
        {"history": 2, "age_scale": 600.0},
        {"popularity_days": None, "popularity_weight": 5.0},
        {"popularity_days": 0.1, "popularity_weight": 5.0},
    ],
)
def test_same_as_the_definition(change, ages):
    options = replace(ItemKnn(), **change)
    events, histories = random_events(1), random_histories(2, ages=ages)
    model = options.of_events(events, histories)
    got = model.scores(0, len(histories))
    assert got.dtype == np.float32 and got.max() > 0
    expected = naive_scores(events, histories, options)
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-7)
    np.testing.assert_array_equal(model.scores(2, 5), got[2:5])


def test_a_wide_window_without_decay_is_cosine():
    # Each user meets an item at most once, so pairs are users who met both.
    met = np.random.default_rng(0).random((20, ITEMS)) < 0.4
    user, item = np.nonzero(met)
    events = Events(user, item, np.zeros(len(user), np.int64), ITEMS)
    options = ItemKnn(
        window=1_000,
        gap_power=0,
        source_power=0.5,
        target_power=0.5,
        shrinkage=0,
        popularity_weight=0,
    )
    everyone = Histories(np.arange(ITEMS), np.arange(ITEMS), np.arange(ITEMS) + 1)
    got = options.of_events(events, everyone).scores(0, ITEMS)
    unit = met / np.linalg.norm(met, axis=0)
    expected = unit.T @ unit - np.eye(ITEMS)
    np.testing.assert_allclose(got, expected, atol=1e-6)


def test_direction():
    # Everyone goes 0 -> 1 -> 2.
    user, item = np.repeat(np.arange(4), 3), np.tile([0, 1, 2], 4)
    events = Events(user, item, np.tile([10, 20, 30], 4), 3)
    at = Histories(np.array([1]), np.array([0]), np.array([1]))
    forward = replace(PLAIN, backward=0.0).of_events(events, at).scores(0, 1)[0]
    both = replace(PLAIN, backward=1.0).of_events(events, at).scores(0, 1)[0]
    assert forward[0] == 0 < forward[2]
    assert both[0] == both[2] > 0


def test_pairs_in_portions_are_the_same_pairs(monkeypatch):
    events = random_events(3, users=30)
    whole = count_pairs(events, 10, 0.5)
    monkeypatch.setattr(cooccurrence, "PAIRS_AT_ONCE", 7)
    parts = count_pairs(events, 10, 0.5)
    for name in ("ordered", "together"):
        expected = getattr(whole, name).toarray()
        assert expected.sum() > 0
        np.testing.assert_allclose(getattr(parts, name).toarray(), expected)


def test_without_history_the_popular_wins():
    events = Events(np.arange(5), np.array([2, 1, 2, 0, 2]), np.zeros(5, int), 4)
    nothing = Histories(np.zeros(0, int), np.array([0]), np.array([0]))
    model = ItemKnn().of_events(events, nothing)
    assert model.scores(0, 1)[0].argmax() == 2


@pytest.mark.parametrize("events", [random_events(0, users=1, most=2), None])
def test_next_to_no_events(events):
    none = np.zeros(0, np.int64)
    events = events or Events(none, none, none, ITEMS)
    histories = random_histories(1)
    got = PLAIN.of_events(events, histories).scores(0, len(histories))
    np.testing.assert_array_equal(got, np.zeros((len(histories), ITEMS)))


@pytest.mark.parametrize(
    "bad", [{"window": 0}, {"neighbours": 0}, {"backward": 2.0}, {"shrinkage": -1.0}]
)
def test_settings_out_of_range(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        ItemKnn(**bad)
