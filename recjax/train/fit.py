"""Whether a step fits into the memory of a device, and which setting would make it."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import Any

import jax
from jax.sharding import set_mesh

from recjax.errors import UserError
from recjax.execution import Execution
from recjax.sharding.placement import DATA, FSDP, batch_shards
from recjax.train import state as states
from recjax.train.program import Program
from recjax.train.step import make_objective

_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([kKMGT])?(i)?B?")
MOST = 1 << 14
"""Times that a setting is changed at most."""


def bytes_of(text: str) -> float:
    """Returns how many bytes a size such as "16GiB" or "80GB" is.

    Raises:
      UserError: it is no size.
    """
    found = _SIZE.fullmatch(text.strip())
    if not found:
        raise UserError(f"--memory {text}: expected a size such as 16GiB or 80GB")
    power = " KMGT".index((found[2] or " ").upper())
    return float(found[1]) * (1024 if found[3] else 1000) ** power


@dataclass(frozen=True)
class Need:
    """Bytes on each device, by what they grow with.

    Attributes:
      tables: tables and their optimizer's state, which all devices share.
      split: dense parameters and their optimizer's state that `fsdp` divides.
      whole: what each device holds whole.
      batch: the batch and the working memory of a step.
    """

    tables: float
    split: float
    whole: float
    batch: float

    @property
    def total(self) -> float:
        """All of it."""
        return self.tables + self.split + self.whole + self.batch

    @classmethod
    def of(cls, program: Program, compiled: Any) -> Need:
        """Measures a compiled step."""
        like = program.like
        tables = _bytes((like.tables, like.opt["rows"]))
        dense = jax.tree.leaves((like.params, like.opt["dense"]))
        # With one device on `fsdp` nothing lies split: what could is what has a rule.
        split = _bytes([a for a in dense if a.ndim > 0])
        whole = _bytes([a for a in dense if a.ndim == 0]) + _bytes(like.memory)
        memory = compiled.memory_analysis()
        given = getattr(memory, "argument_size_in_bytes", 0)
        batch = max(given - tables - split - whole, 0)
        batch += getattr(memory, "temp_size_in_bytes", 0)
        return cls(tables, split, whole, batch)


def advice(program: Program, need: Need, memory: float) -> list[str]:
    """Returns the settings nearest to the present ones that would fit, or why none is.

    They are estimates: `recjax show` with the setting says what it gives.

    Args:
      program: what was compiled.
      need: what it needs.
      memory: bytes of a device.
    """
    mesh, found = program.mesh, _in_less(program, need, memory)
    data, fsdp = mesh.shape[DATA], mesh.shape.get(FSDP, 1)
    for times in _doubling(data):
        if data % times == 0 and _fits(need, memory, split=times):
            axes = {**mesh.shape, DATA: data // times, FSDP: fsdp * times}
            found.append(f"dense parameters split: mesh={axes} in the config")
            break
    for times in _doubling(MOST):
        if _fits(need, memory, tables=times, batch=times):
            devices = mesh.size * times
            told = f"--set-runtime mesh.{DATA}={data * times}"
            found.append(f"{devices} devices instead of {mesh.size}: {told}")
            break
    size = getattr(program.experiment.data, "batch_size", 0)
    for times in _doubling(size // batch_shards(mesh)):
        if size % times == 0 and _fits(need, memory, batch=times):
            found.append(f"a smaller batch: --set data.batch_size={size // times}")
            break
    return found or ["no setting alone would, nor a smaller batch"]


def _in_less(program: Program, need: Need, memory: float) -> list[str]:
    """Returns the changes of the execution that would fit, what costs least first."""
    now, found = program.runtime.execution, []
    whole = kept_bytes(program, now)
    size = getattr(program.experiment.data, "batch_size", 0)
    tried: dict[str, list[Any]] = {
        "softmax_rows": [size >> power for power in range(1, size.bit_length())],
        "activations": ["bfloat16"],
        "remat": [True],
        "micro_batches": [n for n in _doubling(MOST) if n < size],
    }
    for name, values in tried.items():
        for value in (v for v in values if v != getattr(now, name)):
            try:
                kept = kept_bytes(program, replace(now, **{name: value}))
            except UserError:
                break
            less = replace(need, batch=need.batch - max(whole - kept, 0))
            if _fits(less, memory):
                found.append(f"{_COST[name]}: --set-runtime {name}={value}")
                break
    return found


_COST = {
    "softmax_rows": "logits of some rows at a time",
    "activations": "activations of half the bits, rounded to 3 digits",
    "remat": "what is inside blocks computed twice",
    "micro_batches": "networks computed twice, in parts",
}
"""Setting -> what it changes."""


def kept_bytes(program: Program, execution: Execution) -> float:
    """Returns bytes that each device keeps of a step's way forward for the way back.

    Of micro-batches, which are computed again, those of one. XLA may keep less, or on a
    CPU more: it undoes `remat` there.
    """
    parts, kept = execution.micro_batches, _kept(program, execution)
    if parts == 1:
        return kept
    return kept + (_kept(program, replace(execution, micro_batches=1)) - kept) / parts


def _kept(program: Program, execution: Execution) -> float:
    experiment, mesh, like = program.experiment, program.mesh, program.like
    objective = make_objective(
        program.key, experiment.model, experiment.losses, experiment.steps, execution
    )

    def back(params: Any, tables: Any, batch: Any, memory: Any, step: Any) -> Any:
        ids = experiment.model.rows(batch)
        rows, _, _ = states.gather(tables, ids, program.specs, mesh)
        values = {name: row.values for name, row in rows.items()}
        given = (rows, batch, memory, step)
        return jax.vjp(
            lambda p, v: objective(p, v, *given), params, values, has_aux=True
        )[1]

    with set_mesh(mesh):
        held = jax.eval_shape(
            back, like.params, like.tables, program.batch_shapes, like.memory, like.step
        )
    kept = sum(a.size * a.dtype.itemsize for a in jax.tree.leaves(held))
    return kept / batch_shards(mesh)


def _doubling(most: int) -> list[int]:
    return [1 << power for power in range(1, max(most, 1).bit_length())]


def _fits(need: Need, memory: float, tables=1, split=1, batch=1) -> bool:
    parts = (need.tables / tables, need.split / split, need.whole, need.batch / batch)
    return sum(parts) <= memory


def _bytes(arrays: Any) -> float:
    return sum(
        math.prod(a.sharding.shard_shape(a.shape)) * a.dtype.itemsize
        for a in jax.tree.leaves(arrays)
    )
