"""Further frozen branches of Multiscale: kept, trained by nothing, exported."""

import importlib.util
from dataclasses import dataclass
from types import SimpleNamespace

import jax
import numpy as np
import pytest
import tiny_images

from recjax.bundle.image import ImageBundle
from recjax.bundle.open import open_bundle
from recjax.data.images.source import Images, ImagesData
from recjax.evals.baselines.images import ImageFeature
from recjax.evals.embed import embed_images
from recjax.evals.gallery import GalleryRanking
from recjax.evals.triplet_file import evaluate_triplets
from recjax.evals.triplet_scorers import ByBranches, fixed
from recjax.experiment import Experiment, Runtime
from recjax.losses import TripletHinge
from recjax.models import Multiscale
from recjax.nn.efficientnet import Lite
from recjax.nn.lite import EfficientNetLite, FrozenLite
from recjax.nn.pyramid import SMALL
from recjax.optim import Adam, Frozen, Optimizer
from recjax.sharding.mesh import make_mesh
from recjax.train.program import Program

SIZE = 32


@dataclass(frozen=True)
class Noise:
    """Weights that nobody trained."""

    variant: int = 0
    name = "noise"

    def load(self):
        """Returns them."""
        net, generator = Lite(self.variant), np.random.default_rng(3)
        shapes = {name: net.part_shapes(i) for i, name in net.names()}
        return jax.tree.map(
            lambda shape: np.float32(
                generator.normal(size=shape) * (2 / np.prod(shape[:-1])) ** 0.5
            ),
            shapes,
            is_leaf=lambda x: isinstance(x, tuple),
        )


@dataclass(frozen=True)
class Colours:
    """Mean colours of an image, and a mixture of them."""

    size: int = 20
    seed: int = 0

    def load(self):
        """Returns the mixture."""
        mixed = np.random.default_rng(self.seed).normal(size=(3, 5))
        return {"mixed": mixed.astype(np.float32)}

    def levels(self, params, images):
        """Returns both."""
        assert images.shape[1:] == (self.size, self.size, 3)
        mean = images.mean((1, 2))
        return [mean, mean @ params["mixed"]]


def unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def joined(levels, seen):
    """Levels, standardised as they lie in others, of length 1 together."""
    parts = []
    for x, other in zip(levels, seen, strict=True):
        spread = other.std(0)
        parts.append(unit((x - other.mean(0)) / (spread + 0.1 * spread.mean())))
    return unit(np.concatenate(parts, 1))


def model(*branches, **settings):
    branch = EfficientNetLite(0, Noise(), frozen=17, dropout=0.0, pixels=SIZE)
    given = {"low": SMALL, "width": 8, "kept": 0.25, **settings}
    return Multiscale(branch, kept_branches=branches, **given)


def plain(count, seed):
    """Images of one colour each: whatever their size, their mean is exact."""
    colours = np.random.default_rng(seed).integers(0, 256, (count, 1, 1, 3))
    return np.broadcast_to(colours, (count, SIZE, SIZE, 3)).astype(np.uint8)


@pytest.mark.parametrize("size", [20, 48])
def test_vectors_of_several_branches_are_standardised_and_joined(size):
    one, generator = Colours(size), np.random.default_rng(2)
    maps = generator.normal(size=(6, 1, 1, 320)).astype(np.float16)
    images, other = plain(6, 0), plain(4, 1)
    own = generator.normal(size=(4, 1, 1, 320)).astype(np.float16)
    made = model(one)
    batch = {
        "image": images.reshape(2, 3, SIZE, SIZE, 3),
        "maps": maps.reshape(2, 3, 1, 1, 320),
    }
    params, _ = jax.jit(made.init)(jax.random.key(0), {}, batch)
    got = jax.jit(made.embed, static_argnums=2)(
        params, {}, "image", {"image": other, "maps": own}
    )
    conv = Noise().load()["head"]["conv"]

    def levels(images, maps):
        last = np.float32(maps[:, 0, 0]) @ conv["kernel"][0, 0] + conv["bias"]
        mean = np.float32(images[:, 0, 0]) / 127.5 - 1
        return [np.clip(last, 0, 6), mean, mean @ one.load()["mixed"]]

    want = joined(levels(other, own), levels(images, maps))
    assert got.shape == (4, 8 + 1280 + 3 + 5)
    np.testing.assert_allclose(got[:, 8:] / 0.25**0.5, want, atol=1e-4)


def test_what_cannot_be_joined_is_refused():
    with pytest.raises(ValueError, match="kept_branches = .Colours.*, but kept = 0"):
        model(Colours(), kept=0.0)
    with pytest.raises(ValueError, match="'lab' cannot be joined with branches"):
        ImageFeature("lab", branches=(Colours(),))
    with pytest.raises(ValueError, match="say them in FrozenLite"):
        ImageFeature(FrozenLite(Noise(), (15,)), (14,))
    for wrong in ((16,), (3, 3)):
        with pytest.raises(ValueError, match="must be of 0 to 15, each once"):
            FrozenLite(Noise(), wrong)
    assert FrozenLite(Noise(2), (20,)).size == 260


def program(*branches):
    data = Images("tiny", (0.1, 0.5, 1.0), batch_size=4, size=SIZE)
    rules = {"start/.*": Frozen(), "branch/(?!head).*": Frozen(), ".*": Adam(1e-2)}
    experiment = Experiment(
        name="branches",
        seed=0,
        steps=2,
        data=data,
        model=model(*branches, low=()),
        losses={"ranking": TripletHinge(0.5)},
        optimizer=Optimizer(rules),
    )
    opened = ImagesData(data, 0, tiny_images.table())
    return Program(experiment, Runtime(), opened, make_mesh({"data": 1}))


def trained(*branches):
    made = program(*branches)
    state, step = made.init(), made.step()
    before = jax.tree.map(np.asarray, state.params)
    for batch, _ in zip(made.batches(0), range(2), strict=False):
        state, _ = step(state, batch)
    return made, state, before


@pytest.mark.slow
def test_nothing_trains_them_and_a_bundle_has_them(tmp_path):
    made, state, before = trained(Colours(), Colours(40, seed=1))
    now = jax.tree.map(np.asarray, state.params)
    assert set(before["start"]) == {"head", "branch_0", "branch_1", "standard"}
    for one, other in zip(
        *map(jax.tree.leaves, (before["start"], now["start"])), strict=True
    ):
        np.testing.assert_array_equal(one, other)
    moved = (x["branch"]["head"]["conv"]["bias"] for x in (before, now))
    assert np.ptp(np.stack([*moved]), 0).any()
    graph = importlib.util.find_spec("tensorflow") is not None
    bundle = ImageBundle(saved_model=graph, check_images=4, batch_sizes=(1,))
    told = bundle.write(made, state, tmp_path / "b")
    assert ("saved_model_image_score_difference" in told) == graph
    assert "image_score_difference" in told
    data = made.dataset
    asked = data.table.of_split("test")
    want = embed_images(made, state, asked, data.shown)
    files = []
    for i in asked:
        files.append(tmp_path / f"{i}.png")
        files[-1].write_bytes(data.table.read(i))
    got = open_bundle(tmp_path / "b").images.embed_files(files)
    assert got.shape == (len(asked), 8 + 1280 + 8 + 8)
    np.testing.assert_allclose(got, want, atol=1e-5)


def test_frozen_features_of_several_branches_need_no_training(tmp_path):
    made, two = program(), (Colours(16), Colours(24, seed=1))
    data = made.dataset
    asked, held = (data.table.of_split(split) for split in ("test", "train"))
    embed, _ = ImageFeature(two[0], branches=two[1:]).fit(data, held)

    def levels(positions):
        found = []
        for one in two:
            pixels = np.float32(data.center_crops(positions, one.size)) / 127.5 - 1
            found += [np.asarray(x) for x in one.levels(one.load(), pixels)]
        return found

    want = joined(levels(asked), levels(held))
    np.testing.assert_allclose(embed(asked), want, atol=1e-4)
    ranking = GalleryRanking("test", ImageFeature(two[0], branches=two[1:]))
    figures = ranking.run(SimpleNamespace(dataset=data), None).figures
    known = joined(levels(held), levels(held))
    nearest = data.table.labels[held[(want @ known.T).argmax(1)], -1]
    right = (nearest == data.table.labels[asked, -1]).mean()
    assert figures["fine/recall@1"] == pytest.approx(right)

    # Triplets of files: standardised as they lie in all of these.
    names = [data.table.names[i] for i in held]
    for i in held:
        path = tmp_path / data.table.names[i]
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data.table.read(i))
    rows = [",".join(three) for three in zip(names, names[1:], names[7:], strict=False)]
    header = "query_image,positive_image,negative_image"
    (tmp_path / "t.csv").write_text("\n".join([header, *rows]) + "\n")
    found = evaluate_triplets({"both": ByBranches(two)}, tmp_path / "t.csv", tmp_path)
    near, far = (
        np.square(known[: len(rows)] - known[k : len(rows) + k]).sum(1) for k in (1, 7)
    )
    assert found.precision["both"].right.tolist() == (near < far).tolist()


def test_networks_are_named_beside_one_another():
    weights = {"imagenet": Noise(), "imagenet2": Noise(2)}
    both = fixed("imagenet+imagenet2", weights)
    assert both.branches == (FrozenLite(Noise()), FrozenLite(Noise(2)))
    assert fixed("imagenet+runs/a", weights) is None
    with pytest.raises(Exception, match="name each network once"):
        fixed("imagenet+imagenet", weights)
