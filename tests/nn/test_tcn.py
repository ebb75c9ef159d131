"""Causal convolutions against a plain loop, and the receptive field."""

import jax
import numpy as np
import pytest

from recjax.nn.tcn import CausalConv, Tcn

LARGER = (2, 2), (3, 1)


def naive(x, position, kernel, bias, dilation):
    """Convolves each position with those before it of the same sequence."""
    out = np.zeros((len(x), kernel.shape[-1]))
    for at in range(len(x)):
        out[at] = bias
        for tap in range(len(kernel)):
            if position[at] >= tap * dilation:
                out[at] += x[at - tap * dilation] @ kernel[tap]
    return out


@pytest.mark.parametrize(("kernel", "dilation"), [(1, 1), (3, 4), (5, 2)])
def test_convolution_of_sequences_end_to_end(kernel, dilation):
    random = np.random.default_rng(0)
    lengths = [4, 1, 9, 2]
    position = np.concatenate([np.arange(n) for n in lengths])[None]
    x = random.normal(size=(1, 16, 3)).astype(np.float32)
    conv = CausalConv(5, kernel, dilation)
    # What lies before the row belongs to another sequence and must not be seen.
    buffer = np.full((1, conv.reach, 3), 9, np.float32)
    params = jax.jit(conv.init)(jax.random.key(1), x, position, buffer)
    got = jax.jit(conv.apply)(params, x, position, buffer)[0]
    weights = jax.device_get(params["params"])
    wanted = naive(x[0], position[0], weights["kernel"], weights["bias"], dilation)
    np.testing.assert_allclose(got, wanted, atol=1e-5)


@pytest.mark.parametrize("gated", [False, True])
def test_a_block_adds_its_convolution(gated):
    x = np.random.default_rng(0).normal(size=(1, 7, 4)).astype(np.float32)
    position, full = np.arange(7)[None], np.array([7])
    tcn = Tcn(4, blocks=1, kernel=3, convs=1, gated=gated)
    params = jax.jit(tcn.init)(jax.random.key(1), x, position, tcn.start(1, 4), full)
    got, _ = jax.jit(tcn.apply)(params, x, position, tcn.start(1, 4), full)
    weights = jax.device_get(params["params"])["conv_0_0"]
    inner = naive(x[0], position[0], weights["kernel"], weights["bias"], 1)
    if gated:
        wanted = x[0] + inner[:, :4] / (1 + np.exp(-inner[:, 4:]))
    else:
        wanted = np.maximum(x[0] + np.maximum(inner, 0), 0)
    np.testing.assert_allclose(got[0], wanted, atol=1e-5)


def test_a_row_goes_on_where_the_one_before_ended():
    random = np.random.default_rng(0)
    x = random.normal(size=(2, 20, 3)).astype(np.float32)
    position = np.tile(np.arange(20), (2, 1))
    tcn = Tcn(4, blocks=3, kernel=3, convs=2)
    start = tcn.start(2, 3)
    params = jax.jit(tcn.init)(
        jax.random.key(0), x, position, start, np.array([20, 20])
    )
    whole, _ = jax.jit(tcn.apply)(params, x, position, start, np.array([20, 20]))
    # The first row ends at 12 and 5: what is beyond is padding.
    cut, filled = np.zeros_like(x[:, :12]), np.array([12, 5])
    for lane, size in enumerate(filled):
        cut[lane, :size] = x[lane, :size]
    first, held = jax.jit(tcn.apply)(params, cut, position[:, :12], start, filled)
    rest = np.stack([np.resize(x[i, n:], (15, 3)) for i, n in enumerate(filled)])
    positions = filled[:, None] + np.arange(15)
    second, _ = jax.jit(tcn.apply)(params, rest, positions, held, 20 - filled)
    for lane, size in enumerate(filled):
        joined = np.concatenate([first[lane, :size], second[lane, : 20 - size]])
        np.testing.assert_allclose(joined, whole[lane], atol=1e-5)


@pytest.mark.parametrize(
    ("blocks", "convs"),
    [(2, 1), *(pytest.param(b, c, marks=pytest.mark.slow) for b, c in LARGER)],
)
def test_receptive_field(blocks, convs):
    tcn = Tcn(2, blocks, 3, convs)
    length = tcn.receptive_field + 4
    x = np.random.default_rng(0).normal(size=(1, length, 2)).astype(np.float32)
    position, full = np.arange(length)[None], np.array([length])
    start = tcn.start(1, 2)
    params = jax.jit(tcn.init)(jax.random.key(3), x, position, start, full)
    # Without ReLUs at work no path is cut: all weights and inputs positive.
    params, x = jax.tree.map(np.abs, (params, x))

    def last(x):
        return tcn.apply(params, x, position, start, full)[0][0, -1].sum()

    seen = np.flatnonzero(np.abs(jax.jit(jax.grad(last))(x)[0]).sum(-1))
    assert seen[0] == length - tcn.receptive_field and seen[-1] == length - 1


def test_hiertcn_papers_sizes():
    # Facts of the paper and its code: 1 + (k - 1)(2^L - 1) with one convolution.
    assert Tcn(blocks=2, kernel=5, convs=1).receptive_field == 13
    assert Tcn(blocks=4, kernel=5, convs=1).receptive_field == 61
