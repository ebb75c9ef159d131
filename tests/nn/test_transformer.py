"""The text encoder: padding, precision, pooling, memory; values: tests/pretrained."""

import dataclasses
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import numpy_bert
import optax
import pytest
from jax.extend.core import jaxprs_in_params

from recjax.bundle import jax_export
from recjax.errors import UserError
from recjax.execution import Execution, executing, in_parts
from recjax.features import IdFeature
from recjax.models import Table, TwoTower
from recjax.models.base import whole_tables
from recjax.nn.inputs import EmbeddingBag
from recjax.nn.tower import Tower
from recjax.nn.transformer import Transformer, TransformerSettings

TINY = TransformerSettings(
    vocabulary=50, width=16, layers=2, heads=4, feed_forward=32, max_length=12
)
IDS = np.array(
    [[2, 5, 7, 3, 0, 0, 0], [2, 44, 1, 9, 9, 4, 3], [2, 3, 0, 0, 0, 0, 0], [0] * 7],
    np.int32,
)


def run(module, params, ids=IDS, key=None):
    # Threefry takes seconds to compile.
    given = jax.random.key(key or 0, impl="rbg")
    return program(module, key is not None)(params, ids, given)


@cache
def program(module, train):
    def apply(params, ids, key):
        given = ("text", {"text": ids}, {}, train)
        return module.apply({"params": params}, *given, rngs={"dropout": key})

    return jax.jit(apply)


@cache
def start(module):
    """Returns parameters far from the small ones of the start, so that all matter."""
    given = ("text", {"text": IDS}, {}, False)
    shapes = jax.eval_shape(lambda: module.init(jax.random.key(0), *given))["params"]
    random = np.random.default_rng(0)

    def draw(path, shape):
        near = "scale" in jax.tree_util.keystr(path)
        scale = 0.2 if len(shape.shape) == 1 else shape.shape[0] ** -0.5
        return jnp.asarray(near + scale * random.normal(size=shape.shape), shape.dtype)

    return jax.tree_util.tree_map_with_path(draw, shapes)


def encoder(sizes=None, **options):
    settings = dataclasses.replace(TINY, **(sizes or {}))
    return Transformer(settings, **options)


def bfloat16():
    return executing(Execution(activations="bfloat16"))


@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_padding_never_changes_a_vector(pooling):
    module = encoder(pooling=pooling)
    params = start(module)
    whole = run(module, params)
    longer = run(module, params, np.pad(IDS, ((0, 0), (0, 5))))
    np.testing.assert_allclose(longer, whole, rtol=1e-5, atol=1e-6)
    short = run(module, params, IDS[:1, :4])
    np.testing.assert_allclose(short, whole[:1], rtol=1e-5, atol=1e-6)
    other = params | {"word": params["word"].at[0].set(1e3)}
    np.testing.assert_array_equal(run(module, other), whole)
    far = params | {"position": params["position"].at[4:].set(1e3)}
    np.testing.assert_array_equal(run(module, far)[:1], whole[:1])
    assert not np.allclose(run(module, far)[1], whole[1])


def test_a_text_of_only_padding_gives_zeros_and_no_gradient():
    module = encoder({"layers": 1}, width=5)
    params = start(module)
    assert not run(module, params)[3].any()

    @jax.jit
    @jax.grad
    def gradient(params):
        return jnp.sum(jnp.cos(1 + run(module, params, IDS[3:])))

    grads = gradient(params)
    assert all(not leaf.any() for leaf in jax.tree.leaves(grads))


def test_bfloat16_is_close_and_normalises_in_float32():
    module = encoder()
    params, wanted = start(module), run(module, start(module))[:3]
    given = ("text", {"text": IDS}, {}, False)

    def apply(params):
        with bfloat16():
            return module.apply({"params": params}, *given)

    got = jax.jit(apply)(params)[:3]
    assert got.dtype == jnp.float32
    assert numpy_bert.cosines(got, wanted).min() > 0.9995
    assert not np.array_equal(got, wanted)
    program = jax.make_jaxpr(apply)(params)
    kinds = {name: set() for name in ("exp", "sqrt", "rsqrt", "reduce_sum")}
    for name, kind in operations(program.jaxpr):
        if name in kinds:
            kinds[name].add(kind)
    assert kinds["exp"] == {"float32"} and kinds["reduce_sum"] == {"float32"}
    assert kinds["sqrt"] | kinds["rsqrt"] == {"float32"}
    matrices = [
        kind for name, kind in operations(program.jaxpr) if name == "dot_general"
    ]
    assert matrices.count("bfloat16") == TINY.layers * 8


def operations(jaxpr):
    """Yields (operation, type of its first operand or result) of a whole program."""
    for equation in jaxpr.eqns:
        if equation.invars and hasattr(equation.invars[0], "aval"):
            yield equation.primitive.name, str(equation.invars[0].aval.dtype)
        for inner in jaxprs_in_params(equation.params):
            yield from operations(inner)


def test_rematerialised_layers_give_the_same_gradients_of_less():
    module = encoder({"layers": 1})
    params, key = start(module), jax.random.key(7, impl="rbg")

    def vectors(remat, params):
        def apply(ids, key):
            given = ("text", {"text": ids}, {}, True)
            return module.apply({"params": params}, *given, rngs={"dropout": key})

        with executing(Execution(remat=remat)):
            return in_parts(apply, IDS, key)

    def kept(remat):
        """Returns how many numbers the backward pass is given."""
        given = partial(vectors, remat)
        held = jax.eval_shape(lambda params: jax.vjp(given, params)[1], params)
        return sum(leaf.size for leaf in jax.tree.leaves(held))

    of_params = sum(leaf.size for leaf in jax.tree.leaves(params))
    assert kept(True) < of_params + 6 * IDS.size * TINY.width < kept(False)

    def gradient(remat):
        def loss(params):
            return jnp.sum(jnp.sin(3 * vectors(remat, params)))

        return jax.jit(jax.grad(loss))(params)

    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5),
        *(gradient(True), gradient(False)),
    )


def test_dropout_is_for_training_alone():
    module = encoder()
    params = start(module)
    first, second = (run(module, params, key=key) for key in (1, 2))
    assert not np.allclose(first, second)
    np.testing.assert_array_equal(run(module, params, key=1), first)
    sure = encoder({"dropout": 0.0})
    np.testing.assert_array_equal(run(sure, params, key=1), run(module, params))


def test_pooling_and_head():
    params = start(encoder(width=5))
    bare = {name: value for name, value in params.items() if name != "head"}
    mean = run(encoder(), bare)
    head = mean @ params["head"]["kernel"] + params["head"]["bias"]
    got = run(encoder(width=5), params)
    np.testing.assert_allclose(got[:3], head[:3], rtol=1e-4, atol=1e-5)
    # Of one token alone, the first is the mean.
    one, cls = IDS[:, :1], encoder(pooling="cls")
    np.testing.assert_allclose(
        run(cls, bare, one), run(encoder(), bare, one), rtol=1e-5, atol=1e-6
    )
    assert not np.allclose(run(cls, bare), mean)


def test_one_export_serves_any_number_of_texts(tmp_path):
    module = encoder({"layers": 1})
    params = start(module)

    def embed(params, features):
        return module.apply({"params": params}, "text", features, {}, False)

    path = tmp_path / "query.npz"
    jax_export.save(path, {"query": embed}, params, {"query": {"text": IDS[:1]}})
    got = jax_export.load(path)["query"]({"text": IDS})
    np.testing.assert_allclose(got, run(module, params), rtol=1e-5, atol=1e-6)


def test_names_of_parameters():
    tree = start(encoder({"layers": 1}))
    layer = {
        name: {"kernel", "bias"}
        for name in ("query", "key", "value", "attention_out", "hidden", "out")
    } | {name: {"scale", "bias"} for name in ("attention_norm", "norm")}
    assert {k: set(v) for k, v in tree.pop("layer_0").items()} == layer
    assert set(tree) == {"word", "position", "token_type", "embedding_norm"}
    assert "token_type" not in start(encoder({"token_types": 0}))


def test_sizes_that_do_not_fit():
    with pytest.raises(UserError, match="'text' holds 13 tokens a text, the encoder"):
        run(encoder(), start(encoder()), np.ones((1, 13), np.int32))
    with pytest.raises(ValueError, match="5 heads do not divide width 16"):
        TransformerSettings(50, width=16, heads=5)
    with pytest.raises(ValueError, match="vocabulary = 0"):
        TransformerSettings(0)


def test_it_learns_as_the_query_tower_of_a_model():
    model = TwoTower(
        query=Tower({"text": encoder({"layers": 1}, width=8)}, width=8),
        candidate=Tower({"item": EmbeddingBag("item")}, width=8),
        tables={"item": Table(8, scale=1.0)},
    )
    sides = {
        "query": {"text": IdFeature(50, 7)},
        "candidate": {"item": IdFeature(9, 1)},
    }
    specs = model.table_specs(sides)
    assert list(specs) == ["item"] and encoder().row_ids(IDS) == {}
    item = np.arange(1, 4, dtype=np.int32)[:, None]
    batch = {
        "query": {"text": IDS[:3]},
        "positive": {"item": item},
        "negative": {"item": item},
    }
    ids = model.rows(batch)
    table = specs["item"].init(jax.random.key(1), (9, 8))
    rows = whole_tables({"item": table}, ids)
    params = jax.jit(
        lambda: model.init(jax.random.key(0, impl="rbg"), rows, batch)[0]
    )()
    targets = table[item[:, 0]] / jnp.linalg.norm(table[item[:, 0]], axis=1)[:, None]

    def loss(params):
        taken = whole_tables({"item": table}, model.side_rows("query", batch["query"]))
        got = model.embed(params, taken, "query", batch["query"])
        return -jnp.mean(jnp.sum(got * targets, 1))

    optimizer = optax.adam(1e-2)
    state = optimizer.init(params)

    @jax.jit
    def step(params, state):
        value, gradient = jax.value_and_grad(loss)(params)
        updates, state = optimizer.update(gradient, state)
        return optax.apply_updates(params, updates), state, value

    losses = []
    for _ in range(30):
        params, state, value = step(params, state)
        losses.append(float(value))
    assert losses[0] > -0.9 and losses[-1] < -0.99
