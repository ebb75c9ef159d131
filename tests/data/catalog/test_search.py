"""Batches and queries of a catalogue, read back from the catalogue itself."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import small

from recjax.data.catalog.pairs import Engagement
from recjax.data.splits import SPLITS, ByQuery, FromTime
from recjax.errors import UserError
from recjax.experiment import load_experiment
from recjax.prepare.invented import prepare_invented
from recjax.prepare.synthetic.catalog import WINDOWS
from recjax.prepare.synthetic.cell import CAP
from recjax.prepare.synthetic.world import CatalogSettings
from recjax.text.features import NGrams, Pieces

PUBLISHED = load_experiment(
    str(small.ROOT / "experiments" / "omnisearchsage_catalog.py")
).data
TASKS, ASKED = PUBLISHED.tasks, PUBLISHED.asked
SETTINGS = replace(
    PUBLISHED,
    source="invented",
    batch_size=32,
    ngrams=NGrams(1_000, 1_000, 0),
    length=48,
    query=Pieces(500),
    query_length=8,
    known=4,
    split=FromTime(WINDOWS["test"][0]),
)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    path = tmp_path_factory.mktemp("cache")
    settings = replace(CatalogSettings(asked=0.2).sized(400), products=200)
    prepare_invented(settings, path / "prepared" / "invented")
    return path


@pytest.fixture
def opened(cache, monkeypatch):
    """Opens settings; the catalogue is invented once."""
    monkeypatch.setenv("RECJAX_CACHE", str(cache))
    return lambda **changes: replace(SETTINGS, **changes).open(0)


def batches(data, count=3, start=0, host=(0, 1)):
    return [data.batch(step, host) for step in range(start, start + count)]


def test_pairs_of_a_batch_are_training_pairs_with_their_features(opened):
    data = opened()
    pairs = data.catalog.pairs
    for batch in batches(data):
        assert {kind: len(part["weight"]) for kind, part in batch.items()} == {
            "pin": 16,
            "product": 12,
            "query": 4,
        }
        for kind, part in batch.items():
            names = [name for name, task in TASKS.items() if task.kind == kind]
            rows = np.concatenate([data.training_pairs[name] for name in names])
            known = set(zip(pairs.query[rows], pairs.candidate[rows], strict=True))
            got = zip(part["query_id"], part["positive_id"], strict=True)
            assert set(got) <= known
            texts = data.catalog.queries.take(part["query_id"])
            wanted = data.inputs["text"].encode(texts)
            np.testing.assert_array_equal(part["query"]["text"], wanted)
            corpus = data.corpora[kind].features
            for side in ("positive", "negative"):
                for name, column in corpus.items():
                    wanted = column[part[f"{side}_id"]]
                    np.testing.assert_array_equal(part[side][name], wanted)
            assert len(part["negative_id"]) == 4 * len(part["weight"])
            assert 0 <= part["negative_id"].min()
            assert part["negative_id"].max() < len(data.corpora[kind])


def test_what_came_later_is_no_negative(opened):
    catalog, moment = opened().catalog, WINDOWS["test"][0]
    asked = {*catalog.pairs.query[catalog.pairs.timestamp < moment].tolist()}
    for changes in ({}, {"split": ByQuery()}):
        drawn, late = {kind: set() for kind in ("pin", "product", "query")}, {}
        for batch in batches(opened(**changes), 100):
            for kind, part in batch.items():
                drawn[kind] |= {*part["negative_id"].tolist()}
        for kind in ("pin", "product"):
            new = catalog.entities[kind].created >= moment
            late[kind] = {*np.flatnonzero(new).tolist()}
            there = len(new) if changes else (~new).sum()
            chance = batch[kind]["negative_draw_logq"]
            np.testing.assert_allclose(chance, -np.log(there), rtol=1e-6)
        others = catalog.pairs.candidate[catalog.pairs.candidate_type == 2]
        late["query"] = {*range(len(catalog.queries))} - asked - {*others.tolist()}
        for kind, new in late.items():
            assert len(new) > 10
            assert bool(drawn[kind] & new) == (changes != {})


def test_tasks_have_their_share_of_every_group(opened):
    data, (batch,) = opened(), batches(opened(), 1)
    pairs = data.catalog.pairs
    held = {}
    for name, rows in data.training_pairs.items():
        held[name] = set(zip(pairs.query[rows], pairs.candidate[rows], strict=True))
    part = batch["product"]
    got = list(zip(part["query_id"], part["positive_id"], strict=True))
    for group in range(2):
        onsite, offsite = got[6 * group :][:4], got[6 * group + 4 :][:2]
        assert set(onsite) <= held["product_onsite"]
        assert set(offsite) <= held["product_offsite"]


def test_batches_do_not_know_how_many_hosts_make_them(opened):
    data = opened()
    for whole, *parts in zip(
        batches(data, start=5),
        batches(data, start=5, host=(0, 2)),
        batches(data, start=5, host=(1, 2)),
        strict=True,
    ):
        for kind, part in whole.items():
            for name in ("query_id", "positive_id", "negative_id", "known_id"):
                joined = np.concatenate([one[kind][name] for one in parts])
                np.testing.assert_array_equal(joined, part[name])
    assert not np.array_equal(
        batches(data, 1)[0]["pin"]["positive_id"],
        batches(data, 1, start=1)[0]["pin"]["positive_id"],
    )


def test_one_pass_meets_every_pair_of_a_task_once(opened):
    data = opened(tasks={"only": Engagement("query", ("click",), 1)}, batch_size=8)
    rows = data.training_pairs["only"]
    pairs = data.catalog.pairs
    met = Counter()
    for batch in batches(data, len(rows) // 8):
        part = batch["query"]
        met.update(zip(part["query_id"], part["positive_id"], strict=True))
    wanted = Counter(zip(pairs.query[rows], pairs.candidate[rows], strict=True))
    assert not met - wanted and sum((wanted - met).values()) < 8


def test_known_positives_were_engaged_in_training(opened):
    data = opened()
    pairs = data.catalog.pairs
    for kind, part in batches(data, 1)[0].items():
        names = [name for name, task in TASKS.items() if task.kind == kind]
        rows = np.concatenate([data.training_pairs[name] for name in names])
        known = set(zip(pairs.query[rows], pairs.candidate[rows], strict=True))
        for query, items in zip(part["query_id"], part["known_id"], strict=True):
            assert {(query, item) for item in items if item >= 0} <= known
        first = part["known_id"] == part["positive_id"][:, None]
        assert first.any(1).mean() > 0.5


def test_splits_do_not_share_time_and_caps_hold(opened):
    data = opened()
    time, split = data.catalog.pairs.timestamp, data.part
    last = {n: time[split == v].max() for n, v in SPLITS.items()}
    first = {n: time[split == v].min() for n, v in SPLITS.items()}
    assert last["train"] < first["validation"] and last["validation"] < first["test"]
    for name, rows in data.training_pairs.items():
        most = np.bincount(data.catalog.pairs.candidate[rows]).max()
        assert most <= CAP.get(TASKS[name].kind, len(rows))


@pytest.mark.parametrize("name", ASKED)
def test_queries_of_a_task_find_what_was_engaged_in_the_test(opened, name):
    data, asked = opened(), ASKED[name]
    pairs, got = data.catalog.pairs, data.queries("test", name)
    positions = {text: i for i, text in enumerate(data.catalog.queries)}
    found = {
        (positions[got.texts[q]], item)
        for q, item in zip(got.task.query, got.task.items, strict=True)
    }
    actions = {data.catalog.actions.index(a) for a in asked.actions}
    kind = ("pin", "product", "query").index(asked.kind)
    wanted = {
        (q, c)
        for q, c, k, a, t in zip(*[*vars(pairs).values()][:5], strict=True)
        if k == kind and a in actions and t >= SETTINGS.split.start
    }
    assert found == wanted and got.corpus == asked.kind
    assert all(len(mask) == len(got.task.items) for mask in got.cohorts.values())
    for i, text in enumerate(got.texts):
        out = got.task.exclude[slice(*got.task.exclude_offsets[i : i + 2])]
        assert out.tolist() == ([positions[text]] if asked.kind == "query" else [])


def test_exact_shares_add_up_to_one_over_the_corpus(opened):
    data = opened()
    for kind, candidates in data._candidates.items():
        assert np.exp(candidates.log_share).sum() == pytest.approx(1, rel=1e-4)
        assert len(candidates.log_share) == len(data.corpora[kind])


@pytest.mark.parametrize("size", [0, 8, 40])
def test_a_batch_holds_whole_groups(opened, size):
    with pytest.raises(UserError, match=f"batch_size = {size}.*16"):
        opened(batch_size=size).batch(0)


def test_what_is_not_there_is_named(opened):
    with pytest.raises(UserError, match="'pin_saves'.*pin_save"):
        opened().queries("test", "pin_saves")
    with pytest.raises(UserError, match="'pinsage'"):
        opened(dense=("pinsage",)).corpora  # noqa: B018
    tasks = {"none": Engagement("pin", ("relevance",), 1)}
    with pytest.raises(UserError, match="data.tasks.none"):
        opened(tasks=tasks).training_pairs  # noqa: B018
