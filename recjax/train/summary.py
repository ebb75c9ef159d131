"""An experiment laid open before it runs: settings, arrays, memory, FLOPs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import jax
from jax.extend.backend import clear_backends
from jax.sharding import set_mesh

from recjax import pytree, settings
from recjax.experiment import Experiment, Runtime
from recjax.sharding.collectives import collectives
from recjax.train import fit
from recjax.train.program import Program, open_program


def summarize(
    experiment: Experiment, runtime: Runtime, compiled: bool = False, memory: str = ""
) -> str:
    """Returns what `recjax show` prints; allocates no state.

    Args:
      experiment: what is learned.
      runtime: where it runs.
      compiled: compile the step, and say what it costs.
      memory: of a device, such as "16GiB", which needs the compiled step; "" compares
        with nothing.

    Raises:
      UserError: the data is not prepared, the devices do not fit, or `memory` is no
        size.
    """
    room = fit.bytes_of(memory) if memory else math.inf
    devices = rehearse(runtime)
    program = open_program(experiment, runtime)
    parts = {
        "experiment": settings.to_text(experiment).strip(),
        "runtime": settings.to_text(runtime).strip(),
        "devices": devices,
        "data": _facts(program.dataset.facts()),
        "parameters": _arrays(program.like.params, "all dense parameters"),
        "tables": _arrays(program.like.tables, "all tables"),
        "optimizer state": _arrays(program.like.opt, "all optimizer state"),
        "memory of the model": _arrays(program.like.memory, "all"),
        "batch": _arrays(program.batch_shapes, "one batch"),
    }
    if compiled or memory:
        step = compiled_step(program)
        parts |= {
            "compiled step, on each device": _facts(step_costs(step)),
            "what devices send each other in a step": _sent(step, program),
            "memory of a device": _memory(program, step, room),
        }
    return "\n\n".join(f"== {name}\n{text}" for name, text in parts.items())


def rehearse(runtime: Runtime) -> str:
    """Pretends to have the CPU devices that the mesh wants, where real ones are few.

    Returns:
      What there is now, for people.
    """
    wanted = math.prod(runtime.mesh.values())
    present = jax.devices()
    if wanted <= len(present):
        return f"{len(present)} x {present[0].device_kind}"
    clear_backends()
    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_num_cpu_devices", wanted)
    kind = f"{len(present)} x {present[0].device_kind}"
    return f"{wanted} pretended CPU devices, for there are only {kind}"


def compiled_step(program: Program) -> Any:
    """Returns the compiled step, which is not run."""
    with set_mesh(program.mesh):
        step: Any = program.step()
        return step.lower(program.like, program.batch_shapes).compile()


def step_costs(compiled: Any) -> dict[str, str]:
    """Returns what XLA says of the compiled step, as figures for people."""
    costs = compiled.cost_analysis() or {}
    costs = costs[0] if isinstance(costs, list) else costs
    out = {}
    if costs.get("flops", 0) > 0:
        out["FLOPs"] = f"{costs['flops'] / 1e6:,.1f} M (loops counted once)"
    if costs.get("bytes accessed", 0) > 0:
        out["bytes read and written"] = (
            f"{_size(costs['bytes accessed'])} (an upper bound: XLA counts whole "
            "operands, also tables of which few rows are read)"
        )
    memory = compiled.memory_analysis()
    for name, field in (
        ("state and batch", "argument_size_in_bytes"),
        ("  of it updated in place", "alias_size_in_bytes"),
        ("working memory", "temp_size_in_bytes"),
    ):
        value = getattr(memory, field, None)
        if value is not None:
            out[name] = _size(value)
    return out


def _sent(compiled: Any, program: Program) -> str:
    """Returns a line for the collectives of a kind, along the same axes."""
    found = collectives(compiled.as_text(), program.mesh)
    alike: dict[tuple, list[int]] = {}
    for one in found:
        kind = (one.kind, " and ".join(one.axes), "in a loop" if one.looped else "once")
        alike.setdefault(kind, []).append(one.bytes)
    if not alike:
        return "nothing"
    rows = [
        (kind, f"{len(sizes)} x", f"{_size(sum(sizes))}", f"along {axes}", often)
        for (kind, axes, often), sizes in sorted(alike.items())
    ]
    total = (
        f"{len(found)} collectives, {_size(sum(one.bytes for one in found))} a device"
    )
    if looped := sum(one.looped for one in found):
        total += f"; {looped} of them in loops, which send as much at each turn"
    return "\n".join([*_columns(rows), f"all: {total}"])


def _memory(program: Program, compiled: Any, room: float) -> str:
    need = fit.Need.of(program, compiled)
    lines = {
        "tables and their optimizer state": _size(need.tables),
        "dense parameters and theirs": _size(need.split),
        "scalars and memory of the model": _size(need.whole),
        "batch and working memory": _size(need.batch),
        "all": _size(need.total),
    }
    told = _facts(lines)
    if room == math.inf:
        return told
    if need.total <= room:
        return f"{told}\nfits into {_size(room)}"
    told += f"\nDOES NOT FIT into {_size(room)}: {_size(need.total - room)} too much"
    nearest = fit.advice(program, need, room)
    return "\n".join([told, "what would fit, about:", *(f"  {one}" for one in nearest)])


def _facts(facts: Mapping[str, Any]) -> str:
    width = max(map(len, facts), default=0)
    return "\n".join(f"{name.ljust(width)}  {value}" for name, value in facts.items())


def _arrays(arrays: Any, total: str) -> str:
    """Returns a line an array: path, shape, type, bytes, and where it lies."""
    rows, here, everywhere = [], 0, 0
    for name, leaf in pytree.named_leaves(arrays):
        local = leaf.sharding.shard_shape(leaf.shape)
        size = leaf.dtype.itemsize
        here += math.prod(local) * size
        everywhere += leaf.size * size
        rows.append(
            (
                name,
                "x".join(map(str, leaf.shape)) or "scalar",
                str(leaf.dtype),
                _size(leaf.size * size),
                _split(leaf.shape, local),
            )
        )
    if not rows:
        return "none"
    last = _size(everywhere)
    if here != everywhere:
        last += f", {_size(here)} on each device"
    return "\n".join([*_columns(rows), f"{total}: {last}"])


def _split(shape: Sequence[int], local: Sequence[int]) -> str:
    if tuple(shape) == tuple(local):
        return "whole on each device"
    return "x".join(map(str, local)) + " on each device"


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _size(count: float) -> str:
    if count < 1000:
        return f"{count:.0f} B"
    power = min(int(math.log10(count)) // 3, 4)
    return f"{count / 1000**power:.1f} {' kMGT'[power]}B"
