"""Layers against NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from recjax.nn.mlp import Mlp, SideBySide, unit

X = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)


def dense(params, x):
    return x @ np.asarray(params["kernel"]) + np.asarray(params["bias"])


def layer_norm(params, x):
    mean, variance = x.mean(1, keepdims=True), x.var(1, keepdims=True)
    scaled = (x - mean) / np.sqrt(variance + 1e-6)
    return scaled * np.asarray(params["scale"]) + np.asarray(params["bias"])


@pytest.mark.parametrize("hidden", [(), (6,), (6, 3)])
def test_as_in_numpy(hidden):
    mlp, parts = Mlp(hidden, 2), (X[:, :1], X[:, 1:])
    params = mlp.init(jax.random.key(1), parts, False)["params"]
    random = np.random.default_rng(2)
    params = jax.tree.map(lambda p: p + random.normal(size=p.shape), params)
    x = X
    for layer in range(len(hidden)):
        x = np.maximum(dense(params[f"Dense_{layer}"], x), 0)
        x = layer_norm(params[f"LayerNorm_{layer}"], x)
    wanted = dense(params[f"Dense_{len(hidden)}"], x)
    got = mlp.apply({"params": params}, parts, False)
    whole = mlp.apply({"params": params}, (X,), False)
    np.testing.assert_allclose(whole, got, rtol=1e-5, atol=1e-6)
    assert got.shape == (5, 2)
    np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5)


def test_what_depends_on_no_parameter_costs_no_gradient():
    """The compiler counts: the wide part is multiplied forward and for the kernel."""
    layer, batch, wide, narrow, width = SideBySide(32), 16, 512, 8, 32
    parts = (jnp.ones((batch, narrow)), jnp.ones((batch, wide)))
    params = layer.init(jax.random.key(0), parts)

    def loss(params, scale):
        return jnp.sum(layer.apply(params, (scale * parts[0], parts[1])) ** 2)

    step = jax.jit(jax.grad(loss, argnums=(0, 1))).lower(params, 2.0).compile()
    products = 2 * batch * width * (2 * wide + 3 * narrow)
    assert step.cost_analysis()["flops"] < 1.2 * products


def test_dropout_is_for_training_alone():
    mlp = Mlp((64,), 3, dropout=0.5)
    params = mlp.init(jax.random.key(1), (X,), False)
    still = mlp.apply(params, (X,), False)
    one, same, other = (
        mlp.apply(params, (X,), True, rngs={"dropout": jax.random.key(key)})
        for key in (3, 3, 4)
    )
    np.testing.assert_array_equal(one, same)
    assert not np.allclose(one, other) and not np.allclose(one, still)


def test_unit_rows_have_length_1_and_zero_rows_stay():
    rows = unit(np.vstack([X * 1e3, X * 1e-3, np.zeros((1, 4), np.float32)]))
    lengths = np.linalg.norm(rows, axis=1)
    np.testing.assert_allclose(lengths[:-1], 1, rtol=1e-5)
    assert not np.asarray(rows[-1]).any()
    np.testing.assert_allclose(rows[0] / rows[0, 0], X[0] / X[0, 0], rtol=1e-5)
    assert unit(jnp.asarray(X, jnp.bfloat16)).dtype == jnp.float32


def test_the_gradient_of_a_zero_row_is_finite():
    grad = jax.grad(lambda x: unit(x)[0, 0])(jnp.zeros((1, 4)))
    assert np.isfinite(grad).all()
