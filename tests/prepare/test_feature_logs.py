"""Features from logs, against the rules in plain Python; parts add up to the whole."""

import random
from collections import Counter, defaultdict

import polars as pl
import pytest

from recjax.prepare import feature_logs as logs
from recjax.text.ngrams import words

WORDS = ["home", "Garden", "diy", "DIY!", "chair", "  lamp", "café", "...", "日本"]


def saves(seed, rows=400):
    draw = random.Random(seed)
    return pl.DataFrame(
        [
            {
                "id": f"p{draw.randrange(20)}",
                "board_title": " ".join(draw.choices(WORDS, k=draw.randrange(4))),
            }
            for _ in range(rows)
        ]
    )


def events(seed, days, rows=600):
    draw = random.Random(seed)
    return pl.DataFrame(
        [
            {
                "id": f"p{draw.randrange(8)}",
                "query": " ".join(draw.choices(WORDS, k=draw.randrange(3))),
                "timestamp": draw.randrange(days[0] * logs.DAY, days[1] * logs.DAY),
            }
            for _ in range(rows)
        ]
    )


def naive_board_titles(rows, top):
    of = defaultdict(list)
    for id_, title in rows:
        title = logs.clean_text(title)
        if title:
            of[id_].append(title)
    found = {}
    for id_, titles in of.items():
        n, spoken = len(titles), Counter()
        for title in titles:
            spoken.update(set(words(title)))

        def key(title, titles=titles, n=n, spoken=spoken):
            own = set(words(title))
            mean = sum(spoken[w] for w in own) / len(own) if own else 0
            score = (titles.count(title) + mean) / n
            return -score, -len(words(title)), -len(title), title

        found[id_] = sorted(set(titles), key=key)[:top]
    return found


def naive_queries(rows, every, now, window, top):
    last = now // (every * logs.DAY)
    counts, latest = defaultdict(Counter), {}
    for id_, query, when in rows:
        period, query = when // (every * logs.DAY), logs.clean_text(query)
        if query and last - window // every <= period < last:
            counts[id_][query] += 1
            latest[id_, query] = max(period, latest.get((id_, query), 0))
    found = {}
    for id_, own in counts.items():
        order = sorted((-n, -latest[id_, query], query) for query, n in own.items())
        found[id_] = [query for _, _, query in order[:top]]
    return found


def as_dict(frame):
    assert frame["id"].is_sorted()
    return dict(frame.rows())


@pytest.mark.parametrize("top", [1, 10])
def test_board_titles(top):
    frame = saves(0)
    found = logs.rank_board_titles(logs.count_board_titles(frame), top)
    assert as_dict(found) == naive_board_titles(frame.rows(), top)


def test_board_titles_by_hand():
    titles = ["Dining", "my dining room", "my dining room", "food", "Bar  cart"]
    frame = pl.DataFrame({"id": "p", "board_title": titles})
    # my dining room: 2/5 + (2 + 3 + 2)/3/5 = .867; dining: 1/5 + 3/5 = .8;
    # bar cart and food: 1/5 + 1/5, and two words come before one.
    expected = ["my dining room", "dining", "bar cart", "food"]
    found = logs.rank_board_titles(logs.count_board_titles(frame))
    assert as_dict(found) == {"p": expected}


def test_board_titles_in_parts():
    frame = saves(1)
    parts = [logs.count_board_titles(part) for part in frame.iter_slices(37)]
    random.Random(0).shuffle(parts)
    assert logs.add_counts(parts).equals(logs.count_board_titles(frame))


@pytest.mark.parametrize("every", [1, 7])
def test_engaged_queries(every):
    frame, now = events(2, (700, 1500)), 1480 * logs.DAY + 5
    counts = logs.within(logs.count_queries(frame, every), now, every, 730)
    found = logs.rank_queries(counts, 5)
    assert as_dict(found) == naive_queries(frame.rows(), every, now, 730, 5)


def test_merging_every_week_equals_counting_again():
    every, window = 7, 70
    frame = events(3, (1000, 1210), rows=2_000)
    kept = None
    for week in range(1000 // every + 1, 1210 // every):
        start, now = (week - 1) * every * logs.DAY, week * every * logs.DAY
        new = frame.filter(pl.col("timestamp").is_between(start, now, closed="left"))
        parts = [logs.count_queries(new, every)]
        kept = logs.add_counts(parts if kept is None else [kept, *parts])
        kept = logs.within(kept, now, every, window)
        # The first period was cut by the loop's start.
        seen = frame.filter(pl.col("timestamp") >= (1000 // every) * every * logs.DAY)
        whole = logs.within(logs.count_queries(seen, every), now, every, window)
        assert kept.equals(whole)
        assert logs.rank_queries(kept).equals(logs.rank_queries(whole))
    assert kept["period"].n_unique() == window // every


def test_blank_and_missing_texts_are_left_out():
    frame = pl.DataFrame({"id": ["a", "a", "b"], "board_title": [" ", None, "x"]})
    found = logs.rank_board_titles(logs.count_board_titles(frame))
    assert as_dict(found) == {"b": ["x"]}
