import jax
import jax.numpy as jnp
import numpy as np
import pytest

from recjax.nn.depthwise import MANY, depthwise


def grouped(x, kernel, stride):
    return jax.lax.conv_general_dilated(
        x,
        kernel[:, :, None],
        (stride, stride),
        "SAME",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=kernel.shape[2],
    )


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("side", [1, 3, 5])
@pytest.mark.parametrize("count", [2, MANY])
@pytest.mark.parametrize("shape", [(7, 7), (8, 5), (1, 2), (9, 8)])
def test_values_and_gradients_are_those_of_a_grouped_convolution(
    stride, side, shape, count
):
    generator = np.random.default_rng(0)
    x = jnp.asarray(generator.normal(size=(count, *shape, 3)), jnp.float32)
    kernel = jnp.asarray(generator.normal(size=(side, side, 3)), jnp.float32)
    want, back = jax.vjp(lambda x, k: grouped(x, k, stride), x, kernel)
    got, own_back = jax.vjp(lambda x, k: depthwise(x, k, stride), x, kernel)
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)
    grad = jnp.asarray(generator.normal(size=want.shape), jnp.float32)
    for one, other in zip(own_back(grad), back(grad), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)
