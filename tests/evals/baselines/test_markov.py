"""Markov chains and recent popularity against loops over a user's events."""

import numpy as np
import pytest
import sessions as support

from recjax.evals.baselines.markov import Markov
from recjax.evals.baselines.moving_average import MovingAverage
from recjax.evals.baselines.popularity import RecentPop


def setting(seed=0):
    """Returns data, the queries of its test split, and the events that they ask for."""
    known = support.sessions(seed, users=15, items=9)
    data = support.opened(known, fit=("train", "validation"))
    queries = data.queries("test")
    assert len(queries) > 10 and not data.train[queries.past.stop].any()
    return data, queries, queries.past.stop


def naive(data, event, options):
    """Scores the items before one event, looking at the log line by line."""
    known, train = data.sessions, data.train
    size = len(known.item_ids)
    user = known.session_user[known.event_session]
    part = known.event_session if options.of == "session" else user
    counts, scores = np.zeros((size, size)), np.zeros(size)
    for later in np.flatnonzero(train):
        for gap in range(1, options.steps + 1):
            if later >= gap and part[later - gap] == part[later]:
                counts[known.item[later - gap], known.item[later]] += 1 / gap
    if options.normalize:
        counts /= np.maximum(counts.sum(1, keepdims=True), 1e-12)
    for back in range(1, options.last + 1):
        if event >= back and part[event - back] == part[event]:
            scores += options.decay ** (back - 1) * counts[known.item[event - back]]
    past = [e for e in range(event - 1, -1, -1) if user[e] == user[event]]
    for back, before in enumerate(past):
        if options.history_decay is None:
            if known.item[before] not in known.item[past[:back]]:
                scores[known.item[before]] += options.history
        else:
            weight = options.history * options.history_decay**back
            scores[known.item[before]] += weight
    popular = np.bincount(known.item[train], minlength=size)
    return scores + options.popularity * popular / popular.max()


@pytest.mark.parametrize(
    "options",
    [
        Markov(),
        Markov(of="session", normalize=True),
        Markov(steps=3, last=2, decay=0.3, history=0.2),
        Markov(steps=2, last=3, history=0.5, history_decay=0.7),
    ],
)
def test_scores_against_a_loop(options):
    data, queries, targets = setting()
    got = options.fit(data, queries).scores(0, len(targets))
    for row, event in enumerate(targets):
        wanted = naive(data, event, options)
        np.testing.assert_allclose(got[row], wanted, atol=1e-5)


def test_recent_popularity_counts_the_window_before_a_query():
    data, queries, targets = setting(1)
    known = data.sessions
    got = RecentPop(7_200).fit(data, queries).scores(0, len(targets))
    for row, event in enumerate(targets):
        at = known.timestamp[event]
        inside = (known.timestamp < at) & (known.timestamp >= at - 7_200)
        wanted = np.bincount(known.item[inside], minlength=9)
        np.testing.assert_array_equal(got[row], wanted)


def test_recent_markov_keeps_to_the_window():
    data, queries, targets = setting(2)
    window = RecentPop(20_000).fit(data, queries)
    chain = Markov("session").fit(data, queries)
    made = Markov("session", recent=20_000).fit(data, queries)
    got = made.scores(0, len(targets))
    counts, scores = (one.scores(0, len(targets)) for one in (window, chain))
    first = data.sessions.position[targets] == 0
    np.testing.assert_array_equal(got[first], counts[first])
    rest = ~first[:, None] & (counts > 0)
    wanted = scores + made.weight * counts
    np.testing.assert_allclose(got[rest], wanted[rest], rtol=1e-6)
    assert not got[counts == 0].any() and rest.any()


def test_moving_average_counts_the_last_events_of_the_user():
    data, queries, targets = setting(3)
    known = data.sessions
    got = MovingAverage(last=4).fit(data, queries).scores(0, len(targets))
    user = known.session_user[known.event_session]
    for row, event in enumerate(targets):
        past = [e for e in range(event) if user[e] == user[event]][-4:]
        wanted = np.bincount(known.item[past], minlength=9) / 4
        np.testing.assert_allclose(got[row], wanted, atol=1e-6)
