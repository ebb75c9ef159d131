"""The device mesh that a Runtime asks for."""

from __future__ import annotations

import math
from collections.abc import Mapping

import jax
from jax.sharding import AxisType, Mesh

from recjax.errors import UserError


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
    return jax.make_mesh(
        tuple(sizes.values()),
        tuple(sizes),
        axis_types=(AxisType.Auto,) * len(sizes),
        devices=jax.devices()[:wanted],
    )
