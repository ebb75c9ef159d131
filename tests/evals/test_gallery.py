"""Evaluations of images on a small model in memory."""

from dataclasses import replace

import jax
import numpy as np
import pytest
import tiny_images
from scipy import stats

from recjax.data.images.source import Images, ImagesData
from recjax.data.triplets.exact import TripletRules
from recjax.errors import UserError
from recjax.evals.baselines.images import ImageFeature, Lda, LogisticAccuracy
from recjax.evals.embed import embed_images
from recjax.evals.gallery import GalleryRanking
from recjax.evals.photo_answers import photo_map
from recjax.evals.triplet_file import evaluate_triplets
from recjax.evals.triplet_scorers import ByModel, RunImageEmbedder, fixed
from recjax.experiment import Experiment, Runtime
from recjax.losses import MinedHinge, Softmax, TripletHinge
from recjax.metrics.similarity import Precision
from recjax.models import Multiscale
from recjax.nn.backbones import SmallNet
from recjax.nn.pyramid import SMALL
from recjax.optim import Adam, Momentum, Optimizer
from recjax.sharding.mesh import make_mesh
from recjax.train.program import Program

SIZE = 32


def program():
    data = Images(
        "tiny", (0.1, 0.5, 1.0), TripletRules(margin=0.2), batch_size=8, size=SIZE
    )
    experiment = Experiment(
        name="small_images",
        seed=0,
        steps=12,
        data=data,
        model=Multiscale(SmallNet(SIZE, (8, 16)), SMALL, width=12, classes=(2, 4, 8)),
        losses={
            "ranking": TripletHinge(0.5),
            "mined": MinedHinge("semi", weight=0.1),
            "classes": Softmax(-1),
        },
        optimizer=Optimizer({"low_.*": Momentum(0.05, l2=1e-4), ".*": Adam(5e-3)}),
    )
    opened = ImagesData(data, 0, tiny_images.table())
    return Program(experiment, Runtime(), opened, make_mesh({"data": 1}))


@pytest.fixture(scope="module")
def trained():
    made = program()
    state, step, losses = made.init(), made.step(), []
    feed = made.batches(0)
    for _ in range(made.experiment.steps):
        state, report = step(state, next(feed))
        losses.append(float(report.means["loss"][0]))
    return made, state, losses


def test_training_lowers_the_loss_and_tells_its_monitors(trained):
    made, state, losses = trained
    assert np.mean(losses[-3:]) < np.mean(losses[:3])
    _, report = made.step()(jax.tree.map(lambda x: x + 0, state), made.example_batch)
    assert {"ranking/active", "ranking/collapsed", "mined/found"} <= set(report.means)


def test_figures_are_those_of_a_whole_sort(trained):
    made, state, _ = trained
    evaluation = GalleryRanking("test")
    got = evaluation.run(made, state).figures
    assert set(got) == set(evaluation.metrics(made.dataset))
    table = made.dataset.table
    asked, held = table.of_split("test"), table.of_split("train")
    x, y = (embed_images(made, state, p, made.dataset.shown) for p in (asked, held))
    best = (x @ y.T).argmax(1)
    for level, name in enumerate(table.levels):
        right = table.labels[asked, level] == table.labels[held[best], level]
        assert got[f"{name}/recall@1"] == pytest.approx(right.mean())
    assert got["kind/recall@8"] >= got["kind/recall@1"]


def test_queries_of_some_classes_are_looked_for_among_all(trained):
    made, state, _ = trained
    table = made.dataset.table
    asked, held = table.of_split("test"), table.of_split("train")
    asked = asked[np.isin(table.labels[asked, 2], (2, 3, 6))]
    x, y = (embed_images(made, state, p, made.dataset.shown) for p in (asked, held))
    best = held[(x @ y.T).argmax(1)]
    right = table.labels[asked, 2] == table.labels[best, 2]
    asked = GalleryRanking("test", of=("coarse1", "fine6"))
    got = asked.run(made, state).figures
    assert got["fine/recall@1"] == pytest.approx(right.mean())
    with pytest.raises(UserError, match="there is no class 'fine61'"):
        GalleryRanking("test", of=("fine61",)).run(made, state)


def test_blocks_do_not_change_vectors(trained):
    made, state, _ = trained
    at = made.dataset.training[:7]
    one, two = (
        embed_images(made, state, at, made.dataset.shown, block=b) for b in (3, 64)
    )
    np.testing.assert_allclose(one, two, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(one, axis=1), 1, rtol=1e-5)


def test_mirror_images_embed_alike_with_flip(trained):
    made, state, _ = trained

    def mirrored(positions):
        image = made.dataset.shown(positions)["image"]
        return {"image": np.ascontiguousarray(image[:, :, ::-1])}

    at = made.dataset.training[:4]
    one = embed_images(made, state, at, made.dataset.shown, flip=True)
    two = embed_images(made, state, at, mirrored, flip=True)
    np.testing.assert_allclose(one, two, atol=1e-5)


def test_a_split_is_not_its_own_gallery(trained):
    made, state, _ = trained
    with pytest.raises(UserError, match="cannot be its own gallery"):
        GalleryRanking("test", gallery="test").run(made, state)


@pytest.mark.parametrize(
    "baseline",
    [
        GalleryRanking(scorer=ImageFeature("lab")),
        GalleryRanking(scorer=Lda("lab")),
        LogisticAccuracy("lab"),
    ],
)
def test_baselines_by_colour_tell_coloured_squares_apart(trained, baseline):
    got = baseline.run(trained[0], None).figures
    assert not baseline.trained
    assert set(baseline.metrics(trained[0].dataset)) == set(got)
    assert max(got.get("fine/recall@1", 0), got.get("fine/accuracy", 0)) > 0.8


@pytest.mark.parametrize("features", ["hog", "handcrafted"])
def test_other_features_give_all_figures(trained, features):
    got = GalleryRanking(scorer=ImageFeature(features)).run(trained[0], None).figures
    assert set(got) == set(GalleryRanking().metrics(trained[0].dataset))
    assert all(0 <= value <= 1 for value in got.values())


def files(folder, lines, header="query_image,positive_image,negative_image"):
    made = tiny_images.table()
    for i, name in enumerate(made.names):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(made.read(i))
    path = folder / "triplets.csv"
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


def model(trained):
    return {"model": ByModel(RunImageEmbedder(*trained[:2]))}


def test_triplets_of_a_file(trained, tmp_path):
    made, state, _ = trained
    path = files(tmp_path, ["0/0.png,0/1.png,7/0.png", "1/0.png,6/0.png,1/1.png"])
    got = evaluate_triplets(model(trained), path, tmp_path)
    table = made.dataset.table
    at = [table.names.index(n) for n in ("0/0.png", "0/1.png", "7/0.png")]
    at += [table.names.index(n) for n in ("1/0.png", "6/0.png", "1/1.png")]
    v = embed_images(made, state, at, made.dataset.shown)
    d = ((v[[0, 0, 3, 3]] - v[[1, 2, 4, 5]]) ** 2).sum(1)
    want = np.mean([d[0] < d[1], d[2] < d[3]])
    assert got.precision["model"].value == pytest.approx(want)
    assert "of 2 triplets" in str(got)


def test_scorers_side_by_side_judge_the_same_triplets(trained, tmp_path):
    made = trained[0]
    lines = [f"{i}/0.png,{i}/1.png,{7 - i}/2.png" for i in range(8)]
    path = files(tmp_path, lines)
    scorers = {**model(trained), "lab": fixed("lab", {}), "hog": fixed("hog", {})}
    got = evaluate_triplets(scorers, path, tmp_path)
    alone = evaluate_triplets(model(trained), path, tmp_path).precision["model"]
    np.testing.assert_array_equal(got.precision["model"].right, alone.right)
    at = [[made.dataset.table.names.index(n) for n in x.split(",")] for x in lines]
    for name in ("lab", "hog"):
        embed, score = ImageFeature(name).fit(made.dataset, np.arange(0))
        want = []
        for three in at:
            query, *others = embed(np.array(three))
            near, far = -score(query[None], np.stack(others))[0]
            want.append(0.5 if near == far else near < far)
        np.testing.assert_array_equal(got.precision[name].right, want)
    difference = got.precision["lab"].value - alone.value
    assert f"{100 * difference:+.2f} [" in str(got)
    assert str(got).count("of 8 triplets") == 3


def test_a_difference_of_scorers_has_a_paired_interval():
    right = np.arange(400) % 3 > 0
    flipped = right ^ (np.arange(400) < 8)  # Eight triplets are judged differently.
    one, other = (Precision(x.astype(float), np.arange(400)) for x in (right, flipped))
    low, high = one.sample.above(other.sample)
    gap = right.mean() - flipped.mean()
    spread = stats.sem(right.astype(float) - flipped) * stats.t.ppf(0.975, 399)
    assert (low, high) == pytest.approx((gap - spread, gap + spread))
    assert one.against(one) == "+0.00 [+0.00, +0.00]"


def test_triplets_that_tell_nothing_are_left_out_and_counted(trained, tmp_path):
    good = "0/0.png,0/1.png,7/0.png"
    lines = [good, good, "0/0.png,7/0.png,0/1.png", "0/0.png,0/0.png,7/0.png"]
    path = files(tmp_path, [*lines, "0/0.png,1/0.png,1/1.png"])
    # The same picture under two names.
    (tmp_path / "1/1.png").write_bytes((tmp_path / "1/0.png").read_bytes())
    got = evaluate_triplets(model(trained), path, tmp_path)
    assert len(got.precision["model"].right) == 3
    assert got.left_out == {
        "the query is its own positive or negative": 1,
        "positive and negative are the same picture": 1,
    }
    assert list(got.told.values()) == [1, 2]
    assert "1 triplets left out: the query is its own" in str(got)
    with pytest.raises(UserError, match="no triplet is left.*1: the query is its own"):
        evaluate_triplets(model(trained), files(tmp_path, lines[-1:]), tmp_path)


def test_pools_add_the_score(trained, tmp_path):
    header = "query_image,positive_image,negative_image,text_query"
    path = files(tmp_path, ["0/0.png,3/0.png,7/0.png,a"], header)
    pools = tmp_path / "pools.csv"
    pools.write_text("text_query,image\na,0/0.png\na,7/0.png\na,3/2.png\n")
    got = evaluate_triplets(model(trained), path, tmp_path, pools, k=2)
    # 3/0.png is not in the ranking, so it stands behind 7/0.png; nor is the query.
    assert got.score == {"model": -1} and "score-at-top-2: -1" in str(got)


def test_images_that_cannot_be_decoded_are_named_and_counted(trained, tmp_path):
    path = files(tmp_path, ["0/0.png,0/1.png,7/0.png", "1/0.png,1/1.png,7/1.png"])
    (tmp_path / "7" / "1.png").write_bytes(b"broken")
    got = evaluate_triplets(model(trained), path, tmp_path)
    assert len(got.precision["model"].right) == 1
    assert "1 triplets left out" in str(got) and "7/1.png: not an image" in str(got)


@pytest.mark.parametrize(
    "lines, header, said",
    [
        (["0/0.png,0/1.png,no.png"], None, "1 images that are not in .*'no.png'"),
        (["a,b"], "query_image,positive_image", "missing column.*'negative_image'"),
        (["a,b,", "a,b,c"], None, "row 2, column 'negative_image'"),
        ([], None, "no rows"),
    ],
)
def test_bad_files_of_triplets(trained, tmp_path, lines, header, said):
    path = files(tmp_path, lines, **({"header": header} if header else {}))
    with pytest.raises(UserError, match=f"(?s){said}"):
        evaluate_triplets(model(trained), path, tmp_path)


def test_what_a_model_finds_is_shown_in_pictures_and_by_class(trained):
    made, state, _ = trained
    found = GalleryRanking("test").run(made, state)
    labels, names = made.dataset.table.labels, made.dataset.table.classes[-1]
    asked = made.dataset.table.of_split("test")
    assert len(found.answers) == min(12, len(asked))
    for one in found.answers:
        same = [shown.title == one.asked.title for shown in one.found]
        assert [shown.mark == "right" for shown in one.found] == same
        assert any(same) or one.missed
    assert one.asked.picture().startswith(b"\xff\xd8\xff")
    metric = f"{made.dataset.table.levels[-1]}/recall@1"
    rows = found.cohorts[metric]
    counts = np.bincount(labels[asked, -1], minlength=len(names))
    assert {name: n for name, (n, _) in rows.items()} == {
        name: n for name, n in zip(names, counts, strict=True) if n
    }
    mean = sum(n * value for n, value in rows.values()) / len(asked)
    assert mean == pytest.approx(found.figures[metric])
    whole = np.arange(len(labels))
    drawn = photo_map(made.dataset.table, whole, np.eye(len(labels)))
    groups = made.dataset.table.classes[-2]
    assert (
        drawn.groups == [groups[i] for i in labels[:, -2]] and found.embeddings is None
    )
    assert GalleryRanking("test", ImageFeature("lab")).run(made, state).answers == ()


def test_data_without_images_is_refused(trained):
    made, state, _ = trained
    for evaluation in (GalleryRanking(), LogisticAccuracy("lab")):
        with pytest.raises(UserError, match="needs images"):
            evaluation.run(replace(made, dataset=object()), state)
        with pytest.raises(UserError, match="needs images"):
            evaluation.metrics(object())
