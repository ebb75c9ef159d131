"""Meshes that fit, and messages for those that do not (one CPU device)."""

import numpy as np
import pytest

from recjax.errors import UserError
from recjax.sharding.mesh import make_mesh
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
