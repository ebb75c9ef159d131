import jax
import jax.numpy as jnp
import numpy as np
import pytest

from recjax.nn import convolution as cnn
from recjax.nn.pyramid import LowPath


@pytest.mark.parametrize(
    "shape, factor, out", [((9, 7), 4, (3, 2)), ((8, 8), 2, (4, 4))]
)
def test_shrinking_takes_means_of_what_is_inside(shape, factor, out):
    x = np.random.default_rng(0).random((1, *shape, 3)).astype(np.float32)
    # All else of the path leaves things as they are.
    params = {"kernel": jnp.eye(3)[None, None], "bias": jnp.zeros(3)}
    got = LowPath(factor, 1, 1, 1, 1, 3).apply(params, jnp.asarray(x))
    got = np.asarray(got).reshape(1, *out, 3)
    # SAME: half of what is missing, rounded down, stands before the first position.
    pads = [(o * factor - s) // 2 for o, s in zip(out, shape, strict=True)]
    for i, j in np.ndindex(*out):
        rows = slice(max(i * factor - pads[0], 0), (i + 1) * factor - pads[0])
        columns = slice(max(j * factor - pads[1], 0), (j + 1) * factor - pads[1])
        want = x[0, rows, columns].mean((0, 1))
        np.testing.assert_allclose(got[0, i, j], want, rtol=1e-5, atol=1e-6)


def test_response_norm_is_the_formula_of_the_paper():
    x = np.random.default_rng(0).normal(size=(2, 3, 8)) * 30
    want = np.empty_like(x)
    for i in range(8):
        near = x[..., max(0, i - 2) : i + 3]
        want[..., i] = x[..., i] / (2 + 1e-4 * (near**2).sum(-1)) ** 0.75
    got = cnn.response_norm(jnp.asarray(x, jnp.float32))
    np.testing.assert_allclose(got, want, rtol=1e-5)


def test_zeros_have_no_direction_and_a_finite_gradient():
    x = jnp.zeros((2, 4))
    assert (cnn.unit(x) == 0).all()
    assert jnp.isfinite(jax.grad(lambda x: cnn.unit(x).sum())(x)).all()


def test_dropout_keeps_the_mean_and_needs_a_key():
    x = jnp.ones((200, 200))
    got = cnn.dropout(jax.random.key(0), x, 0.4)
    assert abs(float((got == 0).mean()) - 0.4) < 0.02
    np.testing.assert_allclose(got[got != 0], 1 / 0.6, rtol=1e-6)
    assert cnn.dropout(None, x, 0.4) is x


def test_groups_do_not_see_each_other():
    params = cnn.init_layer(jax.random.key(0), (3, 3, 2, 6))
    x = jnp.zeros((1, 5, 5, 4)).at[..., 0].set(1.0)
    out = np.asarray(cnn.conv(params, x, groups=2))
    assert np.abs(out[..., :3]).max() > 0 and (out[..., 3:] == 0).all()
