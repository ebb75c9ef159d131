"""The device mesh that a Runtime asks for."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jax.experimental import mesh_utils
from jax.sharding import AxisType, Mesh

from recjax.errors import UserError
from recjax.sharding.placement import DATA, FSDP

AXES = (DATA, FSDP, "model")
"""Names that an axis may have."""


def make_mesh(axes: Mapping[str, int]) -> Mesh:
    """Builds a mesh of Auto axes, so that plain `jit` code runs on it unchanged.

    Args:
      axes: axis name -> devices along it; one -1 takes what is left.

    Raises:
      UserError: the devices present do not fit the axes.
    """
    present = len(jax.devices())
    sizes = dict(axes)
    free = [name for name, size in sizes.items() if size == -1]
    fixed = math.prod(size for size in sizes.values() if size != -1)
    if len(free) > 1 or fixed < 1 or (free and present % fixed):
        raise UserError(f"mesh {dict(axes)} does not fit {present} devices")
    if free:
        sizes[free[0]] = present // fixed
    wanted = math.prod(sizes.values())
    if wanted > present:
        raise UserError(
            f"mesh {sizes} needs {wanted} devices, {present} "
            f"{jax.default_backend()} device(s) are present; choose another "
            "configs/*.py with --on, or for a CPU rehearsal set "
            f"XLA_FLAGS=--xla_force_host_platform_device_count={wanted}"
        )
    axes_of = (AxisType.Auto,) * len(sizes)
    devices, shape = jax.devices()[:wanted], tuple(sizes.values())
    if (order := hybrid(devices, shape)) is not None:
        return Mesh(order, tuple(sizes), axis_types=axes_of)
    return jax.make_mesh(shape, tuple(sizes), axis_types=axes_of, devices=devices)


def hybrid(devices: Sequence[Any], shape: Sequence[int]) -> np.ndarray | None:
    """Returns devices of several slices, or else of several hosts, as a mesh.

    The slow network between them is crossed by the first axes, as far as they divide.

    Args:
      devices: all of the mesh.
      shape: sizes of its axes.

    Returns:
      The devices in this shape; None where all are of one slice or host, or where
      theirs are not alike or do not divide the mesh.
    """
    slices = {getattr(device, "slice_index", 0) for device in devices}
    by_host = len(slices) == 1 and devices[0].platform != "tpu"
    key = "process_index" if by_host else "slice_index"
    counts = Counter(getattr(device, key, 0) for device in devices)
    left, outer = len(counts), []
    for size in shape:
        outer.append(math.gcd(size, left))
        left //= outer[-1]
    if len(counts) == 1 or left > 1 or len(set(counts.values())) > 1:
        return None
    inner = [size // many for size, many in zip(shape, outer, strict=True)]
    return mesh_utils.create_hybrid_device_mesh(
        inner, outer, devices, process_is_granule=by_host
    )
