"""EfficientNet-Lite against NumPy on the files' own tensors, BatchNorm unfolded."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import weight_files

from recjax.errors import UserError
from recjax.nn.efficientnet import Lite
from recjax.nn.lite import EfficientNetLite
from recjax.paths import find_raw
from recjax.pretrained import EfficientNetFile, ImageNet, safetensors, torch_file
from recjax.pretrained import efficientnet as pretrained

STAGES = {
    0: (
        *((1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80)),
        *((3, 5, 1, 6, 112), (4, 5, 2, 6, 192), (1, 3, 1, 6, 320)),
    ),
    1: (
        *((1, 3, 1, 1, 16), (3, 3, 2, 6, 24), (3, 5, 2, 6, 40), (4, 3, 2, 6, 80)),
        *((4, 5, 1, 6, 112), (5, 5, 2, 6, 192), (1, 3, 1, 6, 320)),
    ),
    2: (
        *((1, 3, 1, 1, 16), (3, 3, 2, 6, 24), (3, 5, 2, 6, 48), (4, 3, 2, 6, 88)),
        *((4, 5, 1, 6, 120), (5, 5, 2, 6, 208), (1, 3, 1, 6, 352)),
    ),
}
"""Written down from the published files, not computed from multipliers."""


def convolve(x, kernel, stride, depthwise):
    """SAME as TensorFlow pads: what is odd goes after. Kernel [out, in, k, k]."""
    side = kernel.shape[-1]
    out = [-(-n // stride) for n in x.shape[:2]]
    need = [
        max((o - 1) * stride + side - n, 0) for o, n in zip(out, x.shape, strict=False)
    ]
    x = np.pad(x, [(n // 2, n - n // 2) for n in need] + [(0, 0)])
    total = 0
    for i in range(side):
        for j in range(side):
            part = x[i::stride, j::stride][: out[0], : out[1]]
            if depthwise:
                total = total + part * kernel[:, 0, i, j]
            else:
                total = total + part @ kernel[:, :, i, j].T
    return total


def norm(tensors, name, x):
    mean, var = tensors[f"{name}.running_mean"], tensors[f"{name}.running_var"]
    scaled = (x - mean) / np.sqrt(var + 1e-3)
    return scaled * tensors[f"{name}.weight"] + tensors[f"{name}.bias"]


def by_hand(tensors, pixels, variant=0):
    """Pooled features of one image [H, W, 3] of 0 to 255."""

    def layer(x, conv, bn, stride=1, depthwise=False, bent=True):
        x = convolve(x, tensors[f"{conv}.weight"], stride, depthwise)
        x = norm(tensors, bn, x)
        return np.clip(x, 0, 6) if bent else x

    x = layer((pixels.astype(float) - 127) / 128, "_conv_stem", "_bn0", 2)
    at = 0
    for count, _, stride, expansion, width in STAGES[variant]:
        for i in range(count):
            name, y = f"_blocks.{at}", x
            if expansion > 1:
                y = layer(y, f"{name}._expand_conv", f"{name}._bn0")
            step = stride if i == 0 else 1
            y = layer(y, f"{name}._depthwise_conv", f"{name}._bn1", step, True)
            y = layer(y, f"{name}._project_conv", f"{name}._bn2", bent=False)
            x = x + y if i and x.shape[-1] == width else y
            at += 1
    return layer(x, "_conv_head", "_bn1").mean((0, 1))


def published(variant):
    name = pretrained.file_name(variant)
    path = find_raw(f"efficientnet_lite{variant}", name)
    if path is None:
        pytest.skip(f"the weights of EfficientNet-Lite{variant} are not here")
    return path


def tensors(variant, seed=0):
    """Returns weights that nobody trained, by the published files' names."""
    generator, made, width = np.random.default_rng(seed), {}, 32

    def layer(conv, bn, shape):
        fan = np.prod(shape[1:])
        made[f"{conv}.weight"] = generator.normal(size=shape) * np.sqrt(2 / fan)
        for one, low in (("weight", 0.5), ("running_var", 0.5)):
            made[f"{bn}.{one}"] = generator.uniform(low, 1.5, shape[0])
        for one in ("bias", "running_mean"):
            made[f"{bn}.{one}"] = generator.normal(size=shape[0]) * 0.1

    layer("_conv_stem", "_bn0", (32, 3, 3, 3))
    at = 0
    for count, side, _, expansion, out in STAGES[variant]:
        for _ in range(count):
            name, inner = f"_blocks.{at}", width * expansion
            if expansion > 1:
                shape = (inner, width, 1, 1)
                layer(f"{name}._expand_conv", f"{name}._bn0", shape)
            shape = (inner, 1, side, side)
            layer(f"{name}._depthwise_conv", f"{name}._bn1", shape)
            layer(f"{name}._project_conv", f"{name}._bn2", (out, inner, 1, 1))
            width, at = out, at + 1
    layer("_conv_head", "_bn1", (1280, width, 1, 1))
    return {name: value.astype(np.float32) for name, value in made.items()}


@pytest.mark.parametrize(
    ("variant", "parameters"), [(0, 4_652_008), (1, 5_416_680), (2, 6_092_072)]
)
def test_the_sizes_are_those_of_the_published_nets(variant, parameters):
    net = Lite(variant)
    shapes = [net.part_shapes(i) for i in range(net.parts)]
    leaves = jax.tree.leaves(shapes, is_leaf=lambda x: isinstance(x, tuple))
    # The published counts are with the classes, and with two numbers a channel of
    # BatchNorm, of which one is folded away here.
    norms = sum(s[0] for s in leaves if len(s) == 1)
    backbone = sum(int(np.prod(s)) for s in leaves)
    assert backbone + norms + 1280 * 1000 + 1000 == parameters
    assert net.size == (224, 240, 260)[variant]
    with pytest.raises(ValueError, match="there are 0, 1 and 2"):
        Lite(3)


@pytest.mark.parametrize(("variant", "kind"), [(0, "pth"), (2, "safetensors")])
def test_a_file_of_the_user_is_read(variant, kind, tmp_path):
    path, given = tmp_path / f"own.{kind}", tensors(variant)
    write = weight_files.write_torch if kind == "pth" else safetensors.write
    write(path, given | {"_fc.weight": np.zeros((7, 1280), np.float32)})
    own = EfficientNetFile(str(path), variant)
    pixels = np.random.default_rng(1).integers(0, 256, (24, 33, 3)).astype(np.uint8)
    branch = EfficientNetLite(variant, own, dropout=0.0)
    x = jnp.asarray(pixels[None].astype(np.float32) / 127.5 - 1)
    got = jax.jit(branch.apply)(own.load(), x)[0]
    want = by_hand(given, pixels, variant)
    assert np.abs(want).max() > 0.05
    np.testing.assert_allclose(got, want, rtol=1e-3, atol=1e-4)

    frozen, shown = EfficientNetLite(variant, own, frozen=1), pixels[None]
    before, name = frozen.maps(shown), own.name
    write(path, given | {"_bn0.bias": given["_bn0.bias"] + 1})
    assert name != own.name != ImageNet(variant).name
    assert np.abs(frozen.maps(shown) - before).max() > 0.1, "other weights by now"


def test_other_files_are_refused(tmp_path):
    path, given = tmp_path / "other.pth", tensors(1)

    def refused(held, variant, match):
        weight_files.write_torch(path, held)
        with pytest.raises(UserError, match=f"other.pth: .*{match}"):
            EfficientNetFile(str(path), variant).load()

    refused({"x": np.zeros(3, np.float32)}, 0, "no tensor '_conv_stem.weight'")
    refused(given, 2, "is .40, 144, 1, 1., not .48, .* set variant = 1, whose")
    refused(given, 0, "set variant = 1, whose")
    narrow = given | {"_conv_head.weight": np.zeros((1280, 320, 3, 3), np.float32)}
    refused(narrow, 1, "_conv_head.weight is .*, not .1280, 320, 1, 1.*name its")
    bad = given | {"_bn1.bias": np.full(1280, np.nan, np.float32)}
    refused(bad, 1, "_bn1.bias holds what is no finite number")
    with pytest.raises(ValueError, match="the weights .* are of variant 1; name the"):
        EfficientNetLite(0, EfficientNetFile(str(path), 1))
    with pytest.raises(UserError, match="gone.pth: cannot be read"):
        _ = EfficientNetFile("gone.pth").name


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variant", "shape"), [(0, (64, 64)), (0, (45, 70)), (1, (45, 70)), (2, (45, 70))]
)
def test_features_are_those_of_numpy(variant, shape):
    path = published(variant)
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3)).astype(np.uint8)
    want = by_hand(torch_file.read(path), pixels, variant)
    params = pretrained.load(path, variant)

    @jax.jit
    def run(images):
        x = (images.astype(jnp.float32) - 127) / 128
        return jnp.mean(Lite(variant).apply(params, x), axis=(1, 2))

    got = run(pixels[None])[0]
    assert np.abs(want).max() > 0.5
    np.testing.assert_allclose(got, want, rtol=1e-3, atol=1e-4)
