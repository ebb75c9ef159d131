from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from recjax import pytree
from recjax.features import ImageFeature
from recjax.models import Multiscale
from recjax.nn.alexnet import AlexNet
from recjax.nn.backbones import SmallNet
from recjax.nn.efficientnet import Lite
from recjax.nn.lite import EfficientNetLite
from recjax.nn.pyramid import PAPER, SMALL

SIDES = {"image": {"image": ImageFeature(64)}}


def shapes(model):
    return jax.eval_shape(lambda: model.init(jax.random.key(0), {}, {})[0])


def small(**settings):
    return Multiscale(SmallNet(64, (8, 16)), SMALL, width=12, **settings)


def started(model, seed=0, one=None):
    """Returns parameters and memory that a model starts with."""
    return jax.jit(model.init)(jax.random.key(seed), {}, one or {})


def embedded(model, params, features):
    return jax.jit(model.embed, static_argnums=2)(params, {}, "image", features)


def batch(triplets=2, size=64):
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 256, (triplets, 3, size, size, 3)).astype(np.uint8)
    return {
        "image": pixels,
        "image_id": np.arange(3 * triplets, dtype=np.int32).reshape(-1, 3),
        "label": generator.integers(0, 3, (triplets, 3, 2)).astype(np.int32),
        "relevance": np.ones((triplets, 2), np.float32),
        "weight": np.ones(triplets, np.float32),
    }


def test_the_papers_net_has_86_269_504_parameters():
    assert pytree.count(shapes(Multiscale(AlexNet()))) == 86_269_504
    assert pytree.count(shapes(Multiscale(AlexNet(groups=1)))) == 87_682_624
    assert pytree.count(shapes(Multiscale(AlexNet(), low=()))["branch"]) == 56_868_224


def test_the_maps_of_the_papers_net_are_those_of_its_figure():
    assert AlexNet().maps() == [28, 13, 13, 13, 6]
    assert [path.side(225) for path in PAPER] == [4, 4]
    assert Multiscale(AlexNet()).joined == 4096 + 3072
    one = jax.ShapeDtypeStruct((1, 225, 225, 3), jnp.float32)
    for path in PAPER:
        params = jax.eval_shape(path.init, jax.random.key(0))
        assert params["kernel"].shape == (8, 8, 3, 96)
        assert jax.eval_shape(path.apply, params, one).shape == (1, 1536)
    branch = jax.eval_shape(AlexNet().init, jax.random.key(0))
    assert jax.eval_shape(AlexNet().apply, branch, one).shape == (1, 4096)
    assert branch["dense_0"]["kernel"].shape == (9216, 4096)


def test_the_paths_see_what_the_figure_says():
    sizes = []
    for path in PAPER:
        side = -(-225 // path.factor)
        sizes.append((side, -(-side // path.stride)))
    assert sizes == [(57, 15), (29, 8)]


@pytest.mark.parametrize("size", [64, 96, 128])
def test_the_small_form(size):
    model = Multiscale(SmallNet(size), SMALL, width=16)
    params, _ = started(model)
    images = batch(1, size)["image"][0]
    got = embedded(model, params, {"image": images})
    assert got.shape == (3, 16)
    np.testing.assert_allclose((got**2).sum(1), 1, rtol=1e-5)


def test_parts_are_scaled_to_length_1_before_they_are_joined():
    model = small()
    params, _ = started(model, 1)
    kernel = params["embedding"]["kernel"]
    own = jax.random.normal(jax.random.key(2), kernel.shape)
    params["embedding"] = {"kernel": own, "bias": params["embedding"]["bias"] + 0.1}
    images = batch()["image"][0]
    x = images.astype(np.float32) / 127.5 - 1
    parts = [model.branch.apply(params["branch"], x)]
    parts.append(
        np.concatenate(
            [p.apply(params[f"low_{i}"], x) for i, p in enumerate(model.low)], 1
        )
    )
    parts = [
        p / np.linalg.norm(p, axis=1, keepdims=True) for p in map(np.asarray, parts)
    ]
    want = np.concatenate(parts, 1) @ np.asarray(own) + 0.1
    want /= np.linalg.norm(want, axis=1, keepdims=True)
    got = embedded(model, params, {"image": images})
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


def test_low_paths_start_without_a_say_and_learn():
    model = small()
    params, _ = started(model)
    images = {"image": batch()["image"][0]}
    changed = {**params, "low_0": jax.tree.map(lambda x: x + 1, params["low_0"])}
    before, after = (embedded(model, p, images) for p in (params, changed))
    np.testing.assert_array_equal(before, after)

    def loss(params):
        return jnp.sum(model.embed(params, {}, "image", images)[:, 0])

    grad = jax.jit(jax.grad(loss))(params)["embedding"]["kernel"]
    assert (np.abs(grad[model.branch.width :]).max(1) > 0).any()


def test_training_and_serving_embed_alike_without_dropout():
    model, one = small(classes=(3, 3)), batch()
    params, memory = started(model, one=one)
    got, _ = model.apply(params, {}, one, memory, jax.random.key(1))
    flat = {"image": one["image"].reshape(-1, 64, 64, 3)}
    want = embedded(model, params, flat)
    np.testing.assert_allclose(got.vector.reshape(6, -1), want, rtol=1e-5, atol=1e-6)
    assert [logit.shape for logit in got.logits] == [(2, 3, 3)] * 2
    assert (np.abs(got.logits[0]) <= 1 + 1e-5).all()


def test_dropout_varies_with_the_key_alone():
    model = Multiscale(AlexNet(dropout=0.4, size=64), SMALL, width=8)
    branch = SmallNet(64, (8, 16), dropout=0.5)
    model, one = Multiscale(branch, SMALL, width=8), batch()
    params, memory = started(model, one=one)
    first, again, other = (
        model.apply(params, {}, one, memory, jax.random.key(k))[0].vector
        for k in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_data_of_another_size_is_refused():
    with pytest.raises(ValueError, match="takes images of 96 pixels, .* 64"):
        Multiscale(SmallNet(96)).table_specs(SIDES)
    with pytest.raises(ValueError, match="the data has none"):
        small().table_specs({"query": {}})
    assert small().table_specs(SIDES) == {}


@pytest.mark.slow
def test_no_gradient_passes_frozen_parts_and_values_stay():
    params = jax.jit(Lite().init)(jax.random.key(0))
    images = np.random.default_rng(0).uniform(-1, 1, (2, 32, 32, 3)).astype(np.float32)
    head = Lite().parts - 1
    whole, part = EfficientNetLite(pixels=32), EfficientNetLite(frozen=head, pixels=32)
    want = jax.jit(whole.apply)(params, images)

    def total(params):
        vectors = part.apply(params, images)
        return vectors.sum(), vectors

    (_, got), grad = jax.jit(jax.value_and_grad(total, has_aux=True))(params)
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)
    for at, name in Lite().names():
        moved = max(float(np.abs(x).max()) for x in jax.tree.leaves(grad[name]))
        assert (moved > 0) == (at >= head), name


@dataclass(frozen=True)
class Noise:
    """Weights that nobody trained."""

    variant: int = 0
    name = "noise"

    def load(self):
        """Returns them."""
        return jax.jit(Lite(self.variant).init)(jax.random.key(3))


@pytest.mark.slow
def test_kept_maps_train_as_the_images_do():
    branch = EfficientNetLite(0, Noise(), frozen=13, dropout=0.0, pixels=32)
    model = Multiscale(branch, low=SMALL, width=8)
    plain = batch(size=32)
    maps = branch.maps(plain["image"].reshape(6, 32, 32, 3))
    params, _ = started(model, one=plain)

    def vectors(params, batch):
        return model.apply(params, {}, batch, {}, jax.random.key(1))[0].vector

    def pulled(params, batch):
        return (vectors(params, batch)[..., :4] ** 2).sum()

    kept = plain | {"maps": maps.reshape(2, 3, *maps.shape[1:])}
    got, want = (jax.jit(vectors)(params, b) for b in (kept, plain))
    np.testing.assert_allclose(got, want, atol=2e-3)
    got, want = (jax.jit(jax.grad(pulled))(params, b) for b in (kept, plain))
    for name in ("block_12", "head"):
        for one, other in zip(
            *map(jax.tree.leaves, (got["branch"][name], want["branch"][name])),
            strict=True,
        ):
            scale = np.abs(other).max()
            np.testing.assert_allclose(one, other, atol=0.02 * scale)
            assert scale > 0
    assert not any(np.any(x) for x in jax.tree.leaves(got["branch"]["block_11"]))
    shown = {name: kept[name][:, 0] for name in ("image", "maps")}
    got, want = (
        embedded(model, params, features)
        for features in (shown, {"image": shown["image"]})
    )
    np.testing.assert_allclose(got, want, atol=2e-3)


def test_maps_are_of_frozen_parts_that_start_from_weights():
    branch = EfficientNetLite(0, Noise(), frozen=13, pixels=32)
    for other in (replace(branch, frozen=0), replace(branch, weights=None)):
        with pytest.raises(ValueError, match="frozen parts that start from weights"):
            other.maps(np.zeros((1, 32, 32, 3), np.uint8))


@pytest.mark.slow
def test_what_is_kept_of_the_start_is_a_share_of_the_squared_distance():
    branch = EfficientNetLite(0, Noise(), frozen=16, dropout=0.0, pixels=32)
    plain, share = batch(size=32), 0.25
    model = Multiscale(branch, low=SMALL, width=8, kept=share)
    params, _ = started(model, one=plain)
    moved = {
        **params["branch"],
        "head": jax.tree.map(jnp.sin, params["branch"]["head"]),
    }
    params = {**params, "branch": moved}
    images = plain["image"][:, 0]

    got = embedded(model, params, {"image": images})
    learned = embedded(replace(model, kept=0.0), params, {"image": images})
    whole = EfficientNetLite(0, Noise(), frozen=18, dropout=0.0, pixels=32)
    start = jax.jit(whole.apply)(Noise().load(), images / 127.5 - 1.0)
    start = start / np.linalg.norm(start, axis=1, keepdims=True)

    def distance(x):
        return np.square(x[:, None] - x[None]).sum(-1)

    assert got.shape == (len(images), 8 + 1280)
    np.testing.assert_allclose(np.linalg.norm(got, axis=1), 1, rtol=1e-5)
    want = (1 - share) * distance(learned) + share * distance(start)
    np.testing.assert_allclose(distance(got), want, atol=1e-5)
    shown = {"image": images, "maps": branch.maps(images)}
    np.testing.assert_allclose(embedded(model, params, shown), got, atol=2e-3)


def test_kept_blocks_are_standardised_as_they_lie_in_the_first_batch():
    branch = EfficientNetLite(0, Noise(), frozen=17, dropout=0.0, pixels=32)
    model = Multiscale(branch, low=SMALL, width=8, kept=0.25, kept_blocks=(15,))
    first, one = batch(size=32), np.random.default_rng(3)
    maps = one.normal(size=(2, 3, 2, 2, 320)).astype(np.float16)
    params, _ = started(model, one=first | {"maps": maps})
    other = one.normal(size=(4, 2, 2, 320)).astype(np.float16)
    images = first["image"].reshape(-1, 32, 32, 3)[:4]
    got = embedded(model, params, {"image": images, "maps": other})
    assert got.shape == (4, 8 + 320 + 1280)

    conv = Noise().load()["head"]["conv"]

    def levels(x):
        x = np.float32(x)
        head = np.clip(x @ conv["kernel"][0, 0] + conv["bias"], 0, 6)
        return [x.mean((1, 2)), head.mean((1, 2))]

    def unit(x):
        return x / np.linalg.norm(x, axis=1, keepdims=True)

    parts = []
    for x, seen in zip(levels(other), levels(maps.reshape(6, 2, 2, 320)), strict=True):
        spread = seen.std(0)
        parts.append(unit((x - seen.mean(0)) / (spread + 0.1 * spread.mean())))
    want = unit(np.concatenate(parts, 1))
    np.testing.assert_allclose(got[:, 8:] / 0.25**0.5, want, atol=1e-5)


def test_a_share_that_cannot_be_kept_is_refused():
    with pytest.raises(ValueError, match="kept_blocks = .15,., but kept = 0"):
        Multiscale(EfficientNetLite(0, Noise(), pixels=32), kept_blocks=(15,))
    front = EfficientNetLite(0, Noise(), frozen=12, pixels=32)
    with pytest.raises(ValueError, match="must be of 10 to 15"):
        front.levels({}, jnp.zeros((1, 2, 2, 112)), (9,))
    with pytest.raises(ValueError, match="kept = 1.0: must be a share"):
        Multiscale(EfficientNetLite(0, Noise(), pixels=32), kept=1.0)
    with pytest.raises(ValueError, match="the branch starts from no weights"):
        Multiscale(AlexNet(), kept=0.5)
