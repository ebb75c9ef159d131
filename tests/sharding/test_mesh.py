"""Meshes that fit, and messages for those that do not (one CPU device)."""

import numpy as np
import optax
import pytest
from jax.sharding import AbstractMesh, PartitionSpec

from recjax.errors import UserError
from recjax.sharding.dense import param_shardings, state_shardings
from recjax.sharding.mesh import hybrid, make_mesh
from recjax.sharding.placement import put_batch, round_up


@pytest.mark.parametrize("axes", [{"data": 1}, {"data": -1}, {"data": 1, "model": -1}])
def test_one_device_fits(axes):
    mesh = make_mesh(axes)
    assert mesh.size == 1 and tuple(mesh.axis_names) == tuple(axes)


def test_too_large_a_mesh_names_the_devices_present_and_the_way_out():
    with pytest.raises(UserError, match="needs 8 devices, 1 .*device_count=8"):
        make_mesh({"data": 4, "model": 2})


@pytest.mark.parametrize("axes", [{"a": -1, "b": -1}, {"data": 0}, {"a": 2, "b": -1}])
def test_impossible_meshes(axes):
    with pytest.raises(UserError, match="does not fit 1 devices"):
        make_mesh(axes)


class Device:
    """A device of one of several hosts, or slices."""

    def __init__(self, number, host, slice_index=0):
        self.id, self.process_index, self.slice_index = number, host, slice_index
        self.platform, self.device_kind = "gpu", "H100"


@pytest.mark.parametrize("key", ["process_index", "slice_index"])
def test_the_first_axes_run_over_hosts_and_slices(key):
    slices = key == "slice_index"
    devices = [Device(i, i // 4, i // 4 if slices else 0) for i in range(16)]
    order = hybrid(devices[::-1], (8, 2))
    where = np.vectorize(lambda device: getattr(device, key))(order)
    # Four of them, two rows each: an inner row never leaves its own.
    assert (where == np.repeat(np.arange(4), 2)[:, None]).all()
    both = hybrid(devices, (2, 8))
    assert len({(getattr(d, key)) for d in both[0]}) == 2
    assert hybrid(devices[:4], (2, 2)) is None and hybrid(devices, (1, 16)) is not None
    assert hybrid(devices[:6], (3, 2)) is None


def test_dense_parameters_are_split_by_rules_that_cover_each():
    mesh = AbstractMesh((2, 4), ("data", "fsdp"))
    params = {"a": {"kernel": np.zeros((8, 12)), "bias": np.zeros(3)}}
    rules = {"a/kernel": "split", ".*": "whole"}
    where = param_shardings(params, mesh, rules)
    assert where["a"]["kernel"].spec == PartitionSpec(None, "fsdp")
    assert where["a"]["bias"].spec == PartitionSpec()
    state = optax.adam(0.1).init(params)
    moments = state_shardings(state, params, where, mesh)[0].mu
    assert moments == where
    with pytest.raises(UserError, match="dense: no rule covers 'a/bias'"):
        param_shardings(params, mesh, {"a/kernel": "split"})


def test_batch_arrives_as_it_was():
    mesh = make_mesh({"data": 1})
    batch = {"a": np.arange(6).reshape(3, 2), "b": {"c": np.ones(3, np.float32)}}
    put = put_batch(batch, mesh)
    np.testing.assert_array_equal(put["a"], batch["a"])
    np.testing.assert_array_equal(put["b"]["c"], batch["b"]["c"])


@pytest.mark.parametrize(("devices", "rows"), [(1, 256), (8, 256), (6, 768)])
def test_tables_are_rounded_up_to_the_mesh(devices, rows):
    class Mesh:
        size = devices

    assert [round_up(n, Mesh) for n in (1, rows, rows + 1)] == [rows, rows, 2 * rows]
