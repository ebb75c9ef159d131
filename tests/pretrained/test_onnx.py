"""Networks in ONNX files against onnxruntime."""

import jax
import jax.export
import numpy as np
import pytest

from recjax.errors import UserError
from recjax.evals.baselines.frozen import Pooled
from recjax.nn.backbones import FrozenBranch
from recjax.pretrained import Onnx

onnx = pytest.importorskip("onnx", reason="needs the extra onnx")
runtime = pytest.importorskip("onnxruntime", reason="compares with onnxruntime")
helper, numpy_helper = onnx.helper, onnx.numpy_helper

SIZE = 13
PIXELS = np.random.default_rng(0).integers(0, 256, (3, SIZE, SIZE, 3)).astype(np.uint8)
MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.3, 0.25)
GENERATOR = np.random.default_rng(1)


def weight(*shape):
    return GENERATOR.normal(size=shape).astype(np.float32) * 0.3


def positive(*shape):
    return np.abs(weight(*shape)) + 0.5


def number(value):
    return np.array(value, np.float32)


def integers(*numbers):
    return np.array(numbers, np.int64)


def write(path, steps, opset=18, batch="n", inputs=1, shape=(3, SIZE, SIZE)):
    """Writes a chain of (operator, other inputs, attributes); its end is "out".

    Another input is a weight, or the name of an earlier value: "x" the images, "v1"
    what the first step makes. None is left out.
    """
    nodes, weights = [], []
    for number, (operator, others, settings) in enumerate(steps, 1):
        before = "x" if number == 1 else f"v{number - 1}"
        given = [before]
        for i, other in enumerate(others):
            if isinstance(other, np.ndarray):
                name = f"w{number}/{i}"
                weights.append(numpy_helper.from_array(other, name))
                given.append(name)
            else:
                given.append(other or "")
        name = "out" if number == len(steps) else f"v{number}"
        if operator in ("Concat", "Constant"):
            given = given[1:] if operator == "Concat" else []
        nodes.append(
            helper.make_node(operator, given, [name], f"n{number}", **settings)
        )
    kind = onnx.TensorProto.FLOAT
    images = [
        helper.make_tensor_value_info(name, kind, [batch, *shape])
        for name in ("x", "y")[:inputs]
    ]
    out = helper.make_tensor_value_info("out", kind, None)
    graph = helper.make_graph(nodes, "net", images, [out], weights)
    opsets = [helper.make_opsetid("", opset)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    onnx.save(model, str(path))
    return path


def by_runtime(path):
    """The output of each image, by onnxruntime; maps as their mean."""
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    x = ((PIXELS / 255.0 - MEAN) / STD).astype(np.float32).transpose(0, 3, 1, 2)
    made = np.concatenate([session.run(["out"], {"x": one[None]})[0] for one in x])
    return made.mean((2, 3)) if made.ndim == 4 else made


def ours(path, values=("out",)):
    branch = Onnx(str(path), values, SIZE, MEAN, STD)
    assert isinstance(branch, FrozenBranch)
    network = Pooled.of(branch)
    return network.embed(len(PIXELS), PIXELS.__getitem__)


def same(path):
    (got,), want = ours(path), by_runtime(path)
    assert np.ptp(want) > 1e-3
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


def conv(out, inputs, side, *bias, **settings):
    return ("Conv", (weight(out, inputs, side, side), *bias), settings)


HEAD = [("GlobalAveragePool", (), {}), ("Flatten", (), {})]
NETS = {
    "pads, strides, bias": [
        conv(6, 3, 3, weight(6), strides=[2, 1], pads=[1, 0, 2, 1]),
        ("Relu", (), {}),
        conv(5, 6, 3, dilations=[2, 1], kernel_shape=[3, 3]),
    ],
    "groups, normalised": [
        conv(6, 3, 2, auto_pad="SAME_UPPER", strides=[2, 2]),
        (
            "BatchNormalization",
            (positive(6), weight(6), weight(6), positive(6)),
            {"epsilon": 0.01},
        ),
        ("HardSwish", (), {}),
        conv(6, 2, 4, auto_pad="SAME_LOWER", group=3),
        ("Sigmoid", (), {}),
        *HEAD,
    ],
    "each channel by itself": [
        conv(6, 3, 1, weight(6)),
        conv(6, 1, 3, weight(6), group=6, pads=[1, 0, 2, 1], strides=[2, 1]),
        conv(6, 1, 2, group=6, dilations=[1, 3]),
        conv(6, 6, 1, strides=[2, 2]),
        conv(12, 1, 3, group=6, auto_pad="SAME_LOWER"),
    ],
    "pools": [
        (
            "MaxPool",
            (),
            {"kernel_shape": [3, 2], "strides": [2, 2], "pads": [1, 1, 1, 0]},
        ),
        ("AveragePool", (), {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}),
        (
            "AveragePool",
            (),
            {"kernel_shape": [2, 2], "pads": [0, 1, 1, 0], "count_include_pad": 1},
        ),
        ("MaxPool", (), {"kernel_shape": [2, 2], "dilations": [2, 2]}),
        (
            "AveragePool",
            (),
            {"kernel_shape": [2, 2], "auto_pad": "SAME_UPPER", "strides": [2, 2]},
        ),
    ],
    "squeezed and excited": [
        conv(4, 3, 3, pads=[1, 1, 1, 1]),
        ("ReduceMean", (integers(2, 3),), {"keepdims": 1}),
        conv(4, 4, 1),
        ("HardSigmoid", (), {"alpha": 0.17, "beta": 0.4}),
        ("Mul", ("v1",), {}),
        ("Add", ("v1",), {}),
        ("Clip", (number(-0.3), number(0.9)), {}),
        ("Clip", (None, number(0.7)), {}),
        ("Sub", (weight(4, 1, 1),), {}),
        ("Div", (positive(1, 4, 1, 1),), {}),
        ("Concat", ("v9", "v1", "v10"), {"axis": 1}),
    ],
    "shapes": [
        ("Pad", (integers(0, 0, 1, 2, 0, 0, 0, 1), number(0.5)), {}),
        ("Pad", (integers(1, 2), None, integers(-1)), {"mode": "reflect"}),
        ("Pad", (integers(0, 0, 1, 0, 0, 0, 0, 1),), {"mode": "edge"}),
        ("ReduceMean", (integers(3),), {"keepdims": 0}),
        ("Transpose", (), {"perm": [0, 2, 1]}),
        ("Unsqueeze", (integers(2),), {}),
        ("Squeeze", (integers(2),), {}),
        ("Reshape", (integers(0, 3, -1),), {}),
        ("Softmax", (), {"axis": 1}),
        ("Identity", (), {}),
        ("Dropout", (), {}),
        ("Flatten", (), {"axis": 1}),
    ],
    "dense": [
        *HEAD,
        ("Gemm", (weight(7, 3), weight(7)), {"transB": 1, "alpha": 0.5, "beta": 2.0}),
        ("MatMul", (weight(7, 5),), {}),
        ("Gemm", (weight(5, 4),), {}),
        ("Softmax", (), {}),
    ],
}
OLD = {
    "limits as attributes": [
        conv(4, 3, 3),
        ("Clip", (), {"min": -0.5, "max": 0.5}),
        ("Pad", (), {"pads": [0, 0, 1, 0, 0, 0, 0, 1], "value": 0.2}),
        ("ReduceMean", (), {"axes": [3], "keepdims": 0}),
        ("Unsqueeze", (), {"axes": [1]}),
        ("Squeeze", (), {"axes": [1]}),
        ("Softmax", (), {"axis": 1}),
        ("Dropout", (), {"ratio": 0.3}),
        ("Flatten", (), {}),
    ],
}


@pytest.mark.parametrize("batch", ["n", 1])
@pytest.mark.parametrize("net", NETS)
def test_operators_do_what_onnxruntime_does(net, batch, tmp_path):
    same(write(tmp_path / "net.onnx", NETS[net], batch=batch))


def test_older_forms_of_operators_too(tmp_path):
    same(write(tmp_path / "net.onnx", OLD["limits as attributes"], opset=10))


def test_a_shape_for_one_image_holds_for_several(tmp_path):
    steps = [*NETS["pools"], ("Reshape", (integers(1, -1),), {})]
    same(write(tmp_path / "net.onnx", steps, batch=1))


def test_it_is_exported_for_any_number_of_images(tmp_path):
    path = write(tmp_path / "net.onnx", NETS["squeezed and excited"])
    branch = Onnx(str(path), ("out",), SIZE, MEAN, STD)
    params, (many,) = branch.load(), jax.export.symbolic_shape("b")
    shape = jax.ShapeDtypeStruct((many, SIZE, SIZE, 3), np.float32)
    exported = jax.export.export(jax.jit(branch.levels))(params, shape)
    (got,) = exported.call(params, PIXELS.astype(np.float32) / 127.5 - 1)
    np.testing.assert_allclose(got, by_runtime(path), rtol=1e-4, atol=1e-5)


def test_a_file_that_is_written_anew_is_another_network(tmp_path):
    for _ in range(2):
        same(write(tmp_path / "net.onnx", [conv(4, 3, 3), ("Relu", (), {}), *HEAD]))


def test_values_in_between_and_weights_of_half_precision(tmp_path):
    kernel = weight(4, 3, 3, 3)
    steps = [conv(4, 3, 3), ("Relu", (), {}), *HEAD]
    path = write(tmp_path / "net.onnx", steps)
    inner, out = ours(path, ("v2", "out"))
    np.testing.assert_allclose(inner, out, rtol=1e-5)
    model = onnx.load(str(path))
    half = numpy_helper.from_array(kernel.astype(np.float16), "w1/0")
    model.graph.initializer[0].CopyFrom(half)
    onnx.save(model, str(path))
    branch = Onnx(str(path), ("v1",), SIZE, MEAN, STD)
    (got,) = branch.load().values()
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got, kernel.astype(np.float16))


def refused(path, match, values=("out",), size=SIZE):
    branch = Onnx(str(path), values, size, MEAN, STD)
    with pytest.raises(UserError, match=match):
        Pooled.of(branch)


def test_what_is_not_supported_is_named(tmp_path):
    path = tmp_path / "net.onnx"
    write(path, [("Erf", (), {}), conv(4, 3, 3), ("Gelu", (), {})], opset=20)
    refused(path, "net.onnx: not supported: operator Erf, operator Gelu. Take a value")
    write(path, [conv(4, 3, 3, strange=3)])
    refused(path, "not supported: attribute strange of Conv")
    pool = {"kernel_shape": [2, 2], "strides": [2, 2]}
    write(path, [("MaxPool", (), {**pool, "ceil_mode": 1})])
    refused(path, "net.onnx: MaxPool 'n1': ceil_mode = 1 .* .13 x 13.")
    write(path, [conv(4, 3, 3), ("Softmax", (), {})], opset=6)
    refused(path, r"operators are of version \[6\], known are 7 to")
    write(path, [conv(4, 3, 3), ("Squeeze", (), {})])
    refused(path, "Squeeze 'n2': without axes it is not supported")
    write(path, [("Reshape", ("x",), {})])
    refused(path, "Reshape 'n1': takes a shape, axes or pads that the graph itself")
    write(
        path, [("Transpose", (), {}), ("ReduceMean", (integers(0),), {"keepdims": 0})]
    )
    refused(path, r"'out' is .* of one image; take what is \[1, D\]")


def test_a_file_that_does_not_fit_is_told(tmp_path):
    path = write(tmp_path / "net.onnx", [conv(4, 3, 3), *HEAD])
    refused(path, "makes no value 'v22'; its last ones are 'v1', 'v2', 'out'", ("v22",))
    refused(path, r"input 'x' is \['\?', 3, 13, 13\], not \[1, 3, 14, 14\]", size=14)
    write(path, [conv(4, SIZE, 3)], shape=(SIZE, SIZE, 3))
    refused(path, "colours first")
    write(path, [conv(4, 3, 3)], batch=4)
    refused(path, "export it for one image")
    write(path, [("Add", ("y",), {})], inputs=2)
    refused(path, "needs one input, the images; it has 'x', 'y'")
    path.write_bytes(path.read_bytes()[:50])
    refused(path, "no ONNX file that can be read")
    refused(tmp_path / "gone.onnx", "gone.onnx: cannot be read")
    with pytest.raises(ValueError, match="name one or more, a tuple"):
        Onnx(str(path), (), SIZE, MEAN, STD)
    with pytest.raises(ValueError, match="std above 0"):
        Onnx(str(path), ("out",), SIZE, MEAN, (1.0, 1.0, 0.0))
