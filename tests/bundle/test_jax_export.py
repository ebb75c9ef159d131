"""The ahead-of-time file: exact round trip, any batch, stated platforms, bad files."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from recjax.bundle import jax_export
from recjax.errors import UserError


def embed(params, features):
    rows = params["table"][features["ids"]].sum(1)
    x = rows.astype(jnp.float32) @ params["dense"][0] + params["dense"][1]
    return jnp.tanh(x) * features["scale"][:, None]


@pytest.fixture
def params():
    rng = np.random.default_rng(0)
    return {
        "table": jnp.asarray(rng.normal(size=(20, 4)), jnp.bfloat16),
        # float64 from NumPy: JAX computes in float32, and so must the file.
        "dense": (rng.normal(size=(4, 3)), rng.normal(size=3)),
    }


def batch(size):
    rng = np.random.default_rng(size)
    return {
        "ids": rng.integers(0, 20, (size, 6)).astype(np.int32),
        "scale": rng.normal(size=size).astype(np.float32),
    }


def test_round_trip_is_exact_for_any_batch_size(tmp_path, params):
    path = tmp_path / "query.jaxexport"
    jax_export.save(path, {"": embed}, params, {"": batch(2)})
    loaded = jax_export.load(path)[""]
    for size in (1, 2, 17):
        want = jax.jit(embed)(params, batch(size))
        found = loaded(batch(size))
        np.testing.assert_array_equal(found, want)
        assert found.dtype == want.dtype


def test_is_for_all_platforms_and_keeps_parameters_out_of_the_program(tmp_path):
    path = tmp_path / "f"
    big = np.zeros((1_000, 1_000), np.float32)
    features = {"x": jax.ShapeDtypeStruct((1, 1_000), np.float32)}
    functions = {"one": lambda p, f: f["x"] @ p, "other": lambda p, f: f["x"] @ p.T}
    jax_export.save(path, functions, big, {"one": features, "other": features})
    with np.load(path) as archive:
        programs = [archive[f"function_{name}"].tobytes() for name in functions]
    for program in programs:
        assert len(program) < 20_000
        exported = jax.export.deserialize(bytearray(program))
        assert exported.platforms == ("cpu", "cuda", "tpu")
    assert path.stat().st_size < big.nbytes + 60_000


def test_functions_share_parameters_and_differ_in_features(tmp_path, params):
    def total(params, features):
        return features["weight"] * params["table"].astype(jnp.float32).sum()

    path = tmp_path / "towers"
    more = {"weight": np.arange(3, dtype=np.float32)}
    functions = {"query": embed, "total": total}
    jax_export.save(path, functions, params, {"query": batch(2), "total": more})
    loaded = jax_export.load(path)
    assert set(loaded) == {"query", "total"}
    wanted = jax.jit(embed)(params, batch(5))
    np.testing.assert_array_equal(loaded["query"](batch(5)), wanted)
    np.testing.assert_allclose(loaded["total"](more), total(params, more), rtol=1e-6)


@pytest.mark.parametrize("keep", [0, 10, 0.5, 0.99])
def test_truncated_file(tmp_path, params, keep):
    path = tmp_path / "query.jaxexport"
    jax_export.save(path, {"": embed}, params, {"": batch(2)})
    content = path.read_bytes()
    size = keep if isinstance(keep, int) else int(keep * len(content))
    path.write_bytes(content[:size])
    with pytest.raises(UserError, match="query.jaxexport: not a readable"):
        jax_export.load(path)


def test_missing_changed_and_foreign_file(tmp_path, params):
    with pytest.raises(UserError, match="nothing: not a readable"):
        jax_export.load(tmp_path / "nothing")
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    with pytest.raises(UserError, match="other.npz: not a readable"):
        jax_export.load(tmp_path / "other.npz")
    path = tmp_path / "changed"
    jax_export.save(path, {"": embed}, params, {"": batch(2)})
    content = bytearray(path.read_bytes())
    content[150] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(UserError, match="changed: not a readable"):
        jax_export.load(path)
