"""Images a CPU second of Deep Ranking's branch: its trained part, and embeddings.

    XLA_FLAGS=--xla_cpu_multi_thread_eigen=false taskset -c 0 \
        python tools/bench_image_branch.py

EfficientNet-Lite0 with twelve parts frozen, as in deep_ranking_grocery.py, on made
pixels and weights, which do not change the time. Beside the parts behind the frozen
ones stand the same of all images at once, and the FLOPs a second of a matrix product;
beside embeddings the same network in onnxruntime, where it and onnx are installed
(requirements-tests.txt). The last line is JSON.
"""

import argparse
import importlib.util
import json
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import recjax as rj
from recjax.errors import told
from recjax.nn.efficientnet import Lite
from recjax.nn.pyramid import PAPER

FROZEN, SIZE, SIDE, CHANNELS = 12, 224, 14, 112
"""The frozen parts give maps of 14 x 14 x 112."""


class Made:
    """Weights that no training made."""

    def __init__(self, variant: int) -> None:
        """Remembers the variant."""
        self.variant, self.name = variant, "made"

    def load(self) -> Any:
        """Returns noise."""
        return Lite(self.variant).init(jax.random.key(0))


def seconds(function: Callable, *given: Any, times: int = 4) -> float:
    """Returns the CPU seconds of the best of some calls, without compilation."""
    call = jax.jit(function).lower(*given).compile()
    jax.block_until_ready(call(*given))
    spent = []
    for _ in range(times):
        began = time.process_time()
        jax.block_until_ready(call(*given))
        spent.append(time.process_time() - began)
    return min(spent)


def products() -> int:
    """Returns multiplications of the parts behind the frozen ones, an image."""
    net, side, count = Lite(0), SIDE, 0
    for part, _ in net.names(FROZEN, net.parts - 1):
        one = net.blocks[part - 1]
        if one.inner != one.inputs:
            count += side**2 * one.inputs * one.inner
        side //= one.stride
        count += side**2 * one.inner * (one.kernel**2 + one.outputs)
    return count + side**2 * net.blocks[-1].outputs * 1_280


def trained(images: int) -> dict[str, float]:
    """Measures the parts that are trained, forward and with gradients."""
    branch = rj.nn.EfficientNetLite(frozen=FROZEN, dropout=0.0)
    params = branch.trained(branch.init(jax.random.key(0)))
    maps = jax.random.normal(jax.random.key(1), (images, SIDE, SIDE, CHANNELS))
    square = jnp.ones((2048, 2048))
    peak = 2 * 2048**3 / seconds(lambda a: a @ a, square)
    found = {"matmul_gflops": peak / 1e9}

    def few(params: Any, maps: jax.Array) -> jax.Array:
        return (branch.levels(params, maps, ())[-1] ** 2).sum()

    def at_once(params: Any, maps: jax.Array) -> jax.Array:
        made = branch.net.apply(params, maps, FROZEN)
        return (jnp.mean(made, (1, 2)) ** 2).sum()

    for name, loss in {"few": few, "at_once": at_once}.items():
        forward = seconds(loss, params, maps)
        both = seconds(jax.grad(loss), params, maps)
        share = 6 * products() * images / both / peak
        found[f"{name}_forward"], found[f"{name}_both"] = (
            images / forward,
            images / both,
        )
        found[f"{name}_share_of_peak"] = share
        print(
            f"{name:8} {images / forward:6.0f} images a CPU second forward, "
            f"{images / both:4.0f} with gradients: {share:.0%} of a matrix product"
        )
    return found


def embedding(images: int) -> dict[str, float]:
    """Measures embeddings of uint8 images by models of several sizes."""
    shape = (images, SIZE, SIZE, 3)
    pixels = jax.random.randint(jax.random.key(1), shape, 0, 256).astype(jnp.uint8)
    branch = rj.nn.EfficientNetLite(weights=Made(0), frozen=FROZEN, dropout=0.0)
    second = rj.nn.FrozenLite(Made(2))
    models = {
        "single scale": rj.models.Multiscale(branch, (), 512),
        "multiscale": rj.models.Multiscale(branch, PAPER, 512),
        "with what is kept": rj.models.Multiscale(branch, PAPER, 512, kept=0.5),
        "with Lite2 kept too": rj.models.Multiscale(
            branch, PAPER, 512, kept=0.5, kept_branches=(second,)
        ),
    }
    batch = {"image": jnp.zeros((1, 3, SIZE, SIZE, 3), jnp.uint8)}
    found = {}
    for name, model in models.items():
        params, _ = model.init(jax.random.key(0), {}, batch)

        def embed(params: Any, pixels: jax.Array, model: Any = model) -> jax.Array:
            return model.embed(params, {}, "image", {"image": pixels})

        found[name] = images / seconds(embed, params, pixels)
        print(f"{name:20} {found[name]:6.0f} images a CPU second")
    if importlib.util.find_spec("onnxruntime") and importlib.util.find_spec("onnx"):
        found["onnxruntime, Lite0"] = images / onnxruntime_seconds(images)
        print(f"{'onnxruntime, Lite0':20} {found['onnxruntime, Lite0']:6.0f}")
    return found


def onnxruntime_seconds(images: int) -> float:
    """Returns the CPU seconds of Lite0 in onnxruntime, on one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(lite0_as_onnx(), options)
    pixels = np.random.default_rng(0).random((images, 3, SIZE, SIZE), np.float32)
    spent = []
    for _ in range(5):
        began = time.process_time()
        session.run(None, {"x": pixels})
        spent.append(time.process_time() - began)
    return min(spent)


def lite0_as_onnx() -> bytes:
    """Returns EfficientNet-Lite0 as an ONNX model."""
    import onnx
    from onnx import helper, numpy_helper

    net, nodes = Lite(0), []
    params = jax.device_get(net.init(jax.random.key(0)))
    held = [
        numpy_helper.from_array(np.float32(v), n) for n, v in (("lo", 0), ("hi", 6))
    ]

    def add(kind: str, given: list[str], **how: Any) -> str:
        nodes.append(helper.make_node(kind, given, [f"t{len(nodes)}"], **how))
        return nodes[-1].output[0]

    def layer(
        x: str, own: Any, stride: int = 1, group: int = 1, end: bool = True
    ) -> str:
        kernel, name = np.asarray(own["kernel"]), f"w{len(nodes)}"
        kernel = kernel[:, :, None] if kernel.ndim == 3 else kernel
        turned = np.ascontiguousarray(kernel.transpose(3, 2, 0, 1))
        held.append(numpy_helper.from_array(turned, name))
        held.append(numpy_helper.from_array(np.asarray(own["bias"]), f"{name}_bias"))
        given = [x, name, f"{name}_bias"]
        same = {"auto_pad": "SAME_UPPER", "kernel_shape": turned.shape[2:]}
        x = add("Conv", given, strides=[stride] * 2, group=group, **same)
        return add("Clip", [x, "lo", "hi"]) if end else x

    x = layer("x", params["stem"]["conv"], 2)
    for part, name in net.names(1, net.parts - 1):
        shape, own, y = net.blocks[part - 1], params[name], x
        y = layer(y, own["expand"]) if "expand" in own else y
        y = layer(y, own["depthwise"], shape.stride, shape.inner)
        y = layer(y, own["project"], end=False)
        whole = shape.stride == 1 and shape.inputs == shape.outputs
        x = add("Add", [x, y]) if whole else y
    x = add("GlobalAveragePool", [layer(x, params["head"]["conv"])])
    float32 = onnx.TensorProto.FLOAT
    taken = helper.make_tensor_value_info("x", float32, ["n", 3, SIZE, SIZE])
    made = helper.make_tensor_value_info(x, float32, ["n", 1_280, 1, 1])
    graph = helper.make_graph(nodes, "lite0", [taken], [made], held)
    opset = [helper.make_opsetid("", 18)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=8)
    return model.SerializeToString()


def main() -> None:
    """Prints tables, and JSON in the last line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--batch", type=int, default=96, help="images of a step")
    parser.add_argument("--images", type=int, default=32, help="embedded at a time")
    options = parser.parse_args()
    found: dict[str, Any] = {"trained": trained(options.batch)}
    found["embedding"] = embedding(options.images)
    print(json.dumps(found))


if __name__ == "__main__":
    with told():
        main()
