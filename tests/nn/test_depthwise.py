from functools import partial

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


OPTIMIZED = {
    "xla_backend_optimization_level": 3,
    "xla_llvm_disable_expensive_passes": False,
    "xla_cpu_use_fusion_emitters": True,
}


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("side", [1, 3, 5])
@pytest.mark.parametrize(
    ("shape", "count"), [((7, 7), 2), ((8, 5), MANY), ((1, 2), MANY), ((9, 8), 2)]
)
def test_values_and_gradients_are_those_of_a_grouped_convolution(
    stride, side, shape, count
):
    generator = np.random.default_rng(0)
    x = jnp.asarray(generator.normal(size=(count, *shape, 3)), jnp.float32)
    kernel = jnp.asarray(generator.normal(size=(side, side, 3)), jnp.float32)
    out = jax.eval_shape(lambda: grouped(x, kernel, stride))
    grad = jnp.asarray(generator.normal(size=out.shape), jnp.float32)

    # With few optimizations the two add up in other orders, and part by more.
    @partial(jax.jit, compiler_options=OPTIMIZED)
    def all_of_both(x, kernel):
        both = []
        for f in (grouped, depthwise):
            value, back = jax.vjp(lambda x, k, f=f: f(x, k, stride), x, kernel)
            both.append((value, *back(grad)))
        return both

    for want, got in zip(*all_of_both(x, kernel), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)
