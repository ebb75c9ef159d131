"""EfficientNet-Lite0 against NumPy on the file's own tensors, BatchNorm unfolded."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import weight_files

from recjax.errors import UserError
from recjax.nn import efficientnet
from recjax.paths import find_raw
from recjax.pretrained import efficientnet as pretrained
from recjax.pretrained import torch_file

STAGES = (
    *((1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80)),
    *((3, 5, 1, 6, 112), (4, 5, 2, 6, 192), (1, 3, 1, 6, 320)),
)


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


def by_hand(tensors, pixels):
    """Pooled features of one image [H, W, 3] of 0 to 255."""

    def layer(x, conv, bn, stride=1, depthwise=False, bent=True):
        x = convolve(x, tensors[f"{conv}.weight"], stride, depthwise)
        x = norm(tensors, bn, x)
        return np.clip(x, 0, 6) if bent else x

    x = layer((pixels.astype(float) - 127) / 128, "_conv_stem", "_bn0", 2)
    at = 0
    for count, _, stride, expansion, width in STAGES:
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


def weights():
    path = find_raw(pretrained.FOLDER, pretrained.FILE)
    if path is None:
        pytest.skip("the weights of EfficientNet-Lite0 are not on this machine")
    return path


def test_the_sizes_are_those_of_the_published_net():
    shapes = [efficientnet.part_shapes(i) for i in range(efficientnet.PARTS)]
    leaves = jax.tree.leaves(shapes, is_leaf=lambda x: isinstance(x, tuple))
    # Lite0 has 4.65 M: with its classes, and with two numbers a channel of BatchNorm,
    # of which one is folded away here.
    norms = sum(s[0] for s in leaves if len(s) == 1)
    backbone = sum(int(np.prod(s)) for s in leaves)
    assert backbone + norms + 1280 * 1000 + 1000 == 4_652_008


def test_another_file_is_refused(tmp_path):
    path = tmp_path / "other.pth"
    weight_files.write_torch(path, {"x": np.zeros(3, np.float32)})
    with pytest.raises(UserError, match="holds no tensor '_bn0.weight'"):
        pretrained.load(path)


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(64, 64), (45, 70)])
def test_features_are_those_of_numpy(shape):
    path = weights()
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3)).astype(np.uint8)
    want = by_hand(torch_file.read(path), pixels)
    params = pretrained.load(path)
    assert params["classes"]["kernel"].shape == (1280, 1000)

    @jax.jit
    def run(images):
        x = (images.astype(jnp.float32) - 127) / 128
        return jnp.mean(efficientnet.apply(params, x), axis=(1, 2))

    got = run(pixels[None])[0]
    assert np.abs(want).max() > 0.5
    np.testing.assert_allclose(got, want, rtol=1e-3, atol=1e-4)
