"""A fusion in a bundle answers as on the data that it was chosen on."""

from dataclasses import replace

import numpy as np
import pytest
import small

from recjax import settings
from recjax.bundle import fusion, push, tf_fusion
from recjax.bundle.contract import SERVING
from recjax.bundle.open import open_bundle
from recjax.bundle.served import signatures
from recjax.bundle.two_tower import Bundle
from recjax.data.search import Search, SearchData
from recjax.data.search_pairs import SearchPairs
from recjax.data.splits import TEST, TRAIN, VALIDATION, ByColumn
from recjax.errors import UserError
from recjax.evals.baselines.bm25 import Bm25
from recjax.evals.baselines.history import History
from recjax.evals.baselines.item_knn import ItemKnn
from recjax.evals.baselines.markov import Markov
from recjax.evals.baselines.moving_average import MovingAverage
from recjax.evals.baselines.popularity import Popularity, RecentPop
from recjax.evals.baselines.session_knn import SessionKnn
from recjax.evals.fused import FusedParts, Part, fuse
from recjax.evals.fusion import Fusion
from recjax.evals.linear_scorer import LinearScorer
from recjax.evals.model import model_scores
from recjax.evals.tuned import Tuned
from recjax.models import Table, TwoTower
from recjax.nn.inputs import EmbeddingBag
from recjax.nn.tower import Tower
from recjax.prepare import make
from recjax.train.program import open_program

COUNTS = {
    "knn": ItemKnn(history=3),
    "habits": History(decay=0.9, half_life=0.01, hours=2.0),
    "chain": Markov(steps=2, last=2, normalize=True, history=0.1),
    "popular": Popularity(days=3.0),
    "mean": MovingAverage(4),
}
COLOURS, KINDS = ("red", "green", "blue", "Größe"), ("lamps", "chair", "rug", "glass")
TITLES = [f"{one} {kind} {n}" for n in range(3) for one in COLOURS for kind in KINDS]
QUERIES = [f"{one} {kind}" for one in COLOURS for kind in KINDS]


@pytest.fixture(scope="module")
def next_item():
    """Queries with histories: the program, untrained."""
    return open_program(small.experiment(), small.runtime())


def test_raw_queries_are_scored_as_those_of_the_data(next_item, tmp_path):
    data = next_item.dataset
    queries = data.queries("test")
    count = len(queries)
    raw, corpus = data.raw_queries("test", count), data.corpora["item"]
    rows = {id: row for row, id in enumerate(corpus.ids)}
    for number, (name, scorer) in enumerate(COUNTS.items()):
        wanted = scorer.fit(data, queries).scores(0, count)
        assert np.ptp(wanted) > 0 or name == "popular"
        part = Part(1.0, "max", scorer, scorer.learn(data, "item"))
        folder = tmp_path / str(number)
        folder.mkdir()
        fusion.save(FusedParts({name: part}), folder)
        kept = fusion.load(folder).parts[name]
        assert kept.scorer == scorer
        asked = fusion.raw_queries(raw, count, rows)
        got = kept.scorer.answer(kept.learned, asked).scores(0, count)
        np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-6, err_msg=name)


def test_every_scorer_that_adds_up_is_written_or_refused():
    def all_of(kind):
        for one in kind.__subclasses__():
            yield one
            yield from all_of(one)

    assert set(all_of(LinearScorer)) == set(fusion.KINDS.values())
    assert SessionKnn in fusion.KINDS.values()


@pytest.fixture(scope="module")
def search():
    """Products by words, with judged queries in each split: the program, untrained."""

    class InMemory(Search):
        def open(self, seed):
            order = [(query, item) for query in range(16) for item in range(48)]
            pairs = [(q, i) for q, i in order if TITLES[i].startswith(QUERIES[q])]
            query, item = np.array(pairs, np.int32).T
            split = np.array([TRAIN, VALIDATION, TEST], np.int8)[query % 3]
            grades = np.full(len(pairs), 3, np.float32)
            ids, titles = map(str, range(48)), make.text("title", TITLES)
            tables = {
                "query": make.entity(QUERIES),
                "item": make.entity([*ids], titles),
            }
            known = SearchPairs(query, item, grades, tables, split=split)
            return SearchData(self, seed, known)

    tower = Tower({"text": EmbeddingBag("token")}, 8)
    experiment = replace(
        small.experiment(),
        data=InMemory("memory", batch_size=8, negatives=4, split=ByColumn()),
        model=TwoTower(tower, tower.copy(), {"token": Table(8)}),
    )
    return open_program(experiment, small.runtime())


WORDS = Tuned(Bm25(), {"k1": (1.2, 0.8), "stem": ("plural", "none")}, "ndcg@10")
PARTS = {"words": WORDS, "model": None, "popular": Popularity()}


@pytest.mark.parametrize(
    "saved_model", [False, pytest.param(True, marks=pytest.mark.slow)]
)
def test_a_bundle_answers_as_the_fusion_of_the_data(search, tmp_path, saved_model):
    if saved_model:
        pytest.importorskip("tensorflow", reason="needs the extra savedmodel")
    state, data = search.init(), search.dataset
    made = Fusion(PARTS, choose_on=("train", "validation"))
    bundle = Bundle(saved_model=saved_model, min_recall=1.0, fusion=made)
    told = bundle.write(search, state, tmp_path / "b")
    assert "index_recall_at_10: 1.0" in told
    opened, queries = open_bundle(tmp_path / "b"), data.queries("test")

    def model(asked):
        return model_scores(search, state, asked)

    wanted = made.bound(made.asked, model).fit(data, queries).scores(0, len(queries))
    found = opened.search({"text": queries.texts}, 5)
    served = signatures(opened)[SERVING]
    answer = served.ask({"text": list(queries.texts), "k": [5] * len(queries)})
    right = 0
    for row, (best, ids, scores) in enumerate(
        zip(found, answer["ids"], wanted, strict=True)
    ):
        top = np.sort(scores)[::-1][:5]
        np.testing.assert_allclose([one.score for one in best], top, atol=1e-5)
        assert [one.id for one in best] == list(ids), row
        right += sum(TITLES[int(one.id)].startswith(queries.texts[row]) for one in best)
    assert right > 2 * len(queries)  # Of three each, by words that no model learned.


def test_a_fusion_may_read_what_the_tower_does_not(tmp_path):
    made = small.experiment()
    tower = made.model.query.copy(inputs={"text": EmbeddingBag("token")})
    tables = {n: t for n, t in made.model.tables.items() if n != "importance"}
    candidate = Tower({"item": EmbeddingBag("film"), "text": EmbeddingBag("token")}, 8)
    model = replace(made.model, query=tower, candidate=candidate, tables=tables)
    program = open_program(replace(made, model=model), small.runtime())
    fused = Fusion({"knn": COUNTS["knn"], "model": None}, "recall@10")
    bundle = Bundle(saved_model=False, min_recall=1.0, fusion=fused)
    bundle.write(program, program.init(), tmp_path / "b")
    opened = open_bundle(tmp_path / "b")
    assert "knn" in opened.fusion.parts
    assert f" items, found by {' + '.join(opened.fusion.parts)}; takes" in repr(opened)
    first, second = opened.search({"history": [["i3", "i4"], ["i20"]]}, 3)
    # Item i is followed by i + 1, or i + 2.
    assert {"i5", "i6"} & {one.id for one in first}
    assert {"i21", "i22"} & {one.id for one in second}
    assert not {"i3", "i4"} & {one.id for one in first}
    with pytest.raises(UserError, match="no engine: export it.*export.fusion=None"):
        push.push(tmp_path / "b", f"lancedb:{tmp_path}")
    int8 = replace(bundle, vectors="int8")
    with pytest.raises(UserError, match=r"or the fusion: --set export\.fusion=None"):
        int8.write(program, program.init(), tmp_path / "c")
    exported = replace(made, export=int8)
    plain = settings.override(exported, ["export.fusion=None"]).export
    assert plain == replace(int8, fusion=None)
    assert exported.replace("export.fusion", None).export == plain


def test_what_no_bundle_can_hold(next_item):
    data = next_item.dataset

    def export(fused):
        return fuse(fused, data, "item", lambda: fused.choice(data))

    late = Fusion({"late": RecentPop(600), "chain": COUNTS["chain"]}, "recall@10")
    kept = late.choose(data)[0].weights
    if "late" in kept:
        with pytest.raises(UserError, match=r"parts.late: no bundle.*the data alone"):
            export(late)
    session = Markov(of="session")
    assert "sessions" in session.unserved() and "late" in Markov(recent=60).unserved()
    fused = FusedParts({"chain": Part(1.0, "z", COUNTS["chain"])})
    with pytest.raises(UserError, match=r"parts.chain: a SavedModel cannot hold Mark"):
        tf_fusion.check(fused)
    with pytest.raises(UserError, match=r"history_age, query 1.*oldest first"):
        fusion.raw_queries(
            {"history": [[], ["i1", "i2"]], "history_age": [[], [3.0, 60.0]]}, 2, {}
        )


def test_a_second_stage_is_kept(search, tmp_path):
    data, words, letters = search.dataset, Bm25(), Bm25("trigrams")
    parts = {"words": Part(1.0, "max", words, words.learn(data, "item"))}
    again = {
        "letters": Part(0.5, "z", letters, letters.learn(data, "item")),
        "model": Part(0.3, "rank"),
    }
    fused = FusedParts(parts, again, 7)
    with pytest.raises(UserError, match="cannot hold a second stage"):
        tf_fusion.check(fused)
    fusion.save(fused, tmp_path)
    kept = fusion.load(tmp_path)
    assert kept.top == 7 and list(kept.rerank) == list(again) and kept.model
    asked = fusion.raw_queries({"text": ["red lamp", "glas chairs"]}, 2, {})
    model = np.random.default_rng(0).normal(size=(2, 48)).astype(np.float32)
    np.testing.assert_allclose(kept.scores(asked, model), fused.scores(asked, model))
    assert (kept.scores(asked, model) != FusedParts(parts).scores(asked, None)).any()


def test_the_best_that_meet_conditions_are_put_in_order(search):
    """And not the best of all, few of which may meet them."""
    words, letters = Bm25(), Bm25("trigrams")
    learned = [one.learn(search.dataset, "item") for one in (words, letters)]
    parts = {"words": Part(1.0, "max", words, learned[0])}
    again = {"letters": Part(0.5, "z", letters, learned[1])}
    asked = fusion.raw_queries({"text": ["red lamp", "glas chairs"]}, 2, {})
    first = FusedParts(parts).scores(asked, None)
    second = letters.answer(learned[1], asked).scores(0, 2)
    among = np.arange(48) % 3 == 1
    found = FusedParts(parts, again, 7).scores(asked, None, among)
    assert np.isneginf(found[:, ~among]).all()
    for row in range(2):
        at = np.flatnonzero(among)
        at = at[np.argsort(-first[row, at], kind="stable")]
        best, rest = at[:7], at[7:]
        said = second[row, best]
        assert said.std() > 0
        wanted = first[row, best] + 0.5 * (said - said.mean()) / said.std()
        np.testing.assert_allclose(found[row, best], wanted, atol=1e-5)
        assert found[row, rest].max() <= found[row, best].min()


@pytest.mark.parametrize("stem", ["plural", "none", "trigrams"])
def test_tensorflow_adds_up_the_same(search, stem):
    tf = pytest.importorskip("tensorflow", reason="needs the extra savedmodel")
    data, words = search.dataset, Bm25(stem)
    parts = FusedParts(
        {
            "words": Part(1.0, "max", words, words.learn(data, "item")),
            "model": Part(0.7, "z"),
            "ranks": Part(0.3, "rank", words, words.learn(data, "item")),
            "popular": Part(0.1, "z", Popularity(), Popularity().learn(data, "item")),
        }
    )
    random = np.random.default_rng(0)
    vectors, asked = (random.normal(size=(n, 8)).astype(np.float32) for n in (48, 6))
    texts = [
        "Red LAMP",
        "",
        "größe RUGS 2",
        "glass glass",
        "ÉTÉ_unknown",
        "x-blue  rug!",
    ]
    module = tf.Module()
    module.vectors = tf.Variable(vectors)
    scored = tf_fusion.scores(tf, module, parts, list(map(str, range(48))))
    got = tf.function(scored)(tf.constant(asked), {"text": tf.constant(texts)}).numpy()
    raw = fusion.raw_queries({"text": texts}, 6, {})
    wanted = parts.scores(raw, asked @ vectors.T)
    np.testing.assert_allclose(got, wanted, atol=1e-5)


@pytest.mark.parametrize("told", ["", "{}", "[]", "{"])
def test_a_damaged_list_of_parts_is_no_bundle_without_a_fusion(told, tmp_path):
    assert fusion.load(tmp_path) is None and fusion.names(tmp_path) == ()
    (tmp_path / fusion.FOLDER).mkdir()
    (tmp_path / fusion.FOLDER / fusion.INDEX).write_text(told)
    for read in (fusion.load, fusion.names):
        with pytest.raises(UserError, match="cannot be read .*; export anew"):
            read(tmp_path)
