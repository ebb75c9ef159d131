"""What devices send each other in a compiled step, read from its text (XLA's HLO)."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jax.sharding import Mesh

BITS = re.compile(r"[a-z]+(\d+)")
KINDS = "all-reduce|all-gather|reduce-scatter|all-to-all|collective-permute"
_ONE = re.compile(rf" = (.*?) ({KINDS}|collective-broadcast)(?:-start)?\((.*)")
_SHAPE = re.compile(r"([a-z]+\d*)\[([\d,]*)\]")
_HEAD = re.compile(r"^(?:ENTRY )?%?([\w.\-]+) \(.*\) -> .* \{$")
_CALLED = re.compile(r"(?:calls|to_apply|body|condition|\w*computations?)=\{?([^}\s]+)")
_LOOP = re.compile(r"(?:body|condition)=%?([\w.\-]+)")
_IOTA = re.compile(r"replica_groups=\[([\d,]+)\]<=\[([\d,]+)\](?:T\(([\d,]+)\))?")
_GROUPS = re.compile(r"(?:replica_groups|source_target_pairs)=\{(\{.*?\})\}")


@dataclass(frozen=True)
class Collective:
    """One operation in which devices send each other something.

    Attributes:
      kind: XLA's name of it, such as "all-reduce".
      bytes: of its results on one device.
      elements: of the largest of its results.
      axes: of the mesh, along which devices take part.
      looped: it stands in a loop, and is done each time around.
      source: the operation of the model that it comes from, as JAX names it.
    """

    kind: str
    bytes: int
    elements: int
    axes: tuple[str, ...]
    looped: bool
    source: str


def collectives(text: str, mesh: Mesh) -> list[Collective]:
    """Returns the collectives of a compiled function, in the order of its text.

    Args:
      text: of `compiled.as_text()`.
      mesh: that it was compiled for.
    """
    bodies = _bodies(text)
    looped = _below(bodies, {n for b in bodies.values() for n in _LOOP.findall(b)})
    return [
        one
        for name, body in bodies.items()
        for line in body.splitlines()
        for one in _collective(line, mesh, name in looped)
    ]


def _collective(line: str, mesh: Mesh, looped: bool) -> Iterator[Collective]:
    found = _ONE.search(line)
    if not found:
        return
    shapes = [
        (kind, math.prod(int(n) for n in size.split(",") if n))
        for kind, size in _SHAPE.findall(found[1])
    ]
    if f" {found[2]}-start(" in line and len(shapes) > 1:
        shapes = shapes[len(shapes) // 2 :]  # Its operands stand before its results.
    source = re.search(r'op_name="([^"]*)"', line)
    yield Collective(
        found[2],
        sum(_width(kind) * count for kind, count in shapes),
        max(count for _, count in shapes),
        _axes(found[3], mesh),
        looped,
        source[1] if source else "",
    )


def _width(kind: str) -> int:
    bits = BITS.fullmatch(kind)
    return max(int(bits[1]) // 8, 1) if bits else 1


def _axes(told: str, mesh: Mesh) -> tuple[str, ...]:
    """Returns the axes along which the members of a group differ."""
    places = np.array(list(np.ndindex(*mesh.devices.shape)))
    groups = _groups(told, mesh.size)
    differ = np.zeros(len(mesh.axis_names), bool)
    for group in groups:
        members = places[list(group)]
        differ |= (members != members[0]).any(0)
    return tuple(n for n, d in zip(mesh.axis_names, differ, strict=True) if d)


def _groups(told: str, devices: int) -> Sequence[Sequence[int]]:
    if iota := _IOTA.search(told):
        size, over = ([int(n) for n in part.split(",")] for part in iota.groups()[:2])
        order = np.arange(math.prod(over)).reshape(over)
        if iota[3]:
            order = order.transpose([int(n) for n in iota[3].split(",")])
        return order.reshape(size).tolist()
    if listed := _GROUPS.search(told):
        groups = re.findall(r"\{([\d,]+)\}", listed[1])
        return [[int(n) for n in group.split(",")] for group in groups]
    return [range(devices)]


def _bodies(text: str) -> dict[str, str]:
    """Returns the lines of each computation, by its name."""
    bodies: dict[str, list[str]] = {}
    now: list[str] = []
    for line in text.splitlines():
        if head := _HEAD.match(line):
            now = bodies.setdefault(head[1], [])
        else:
            now.append(line)
    return {name: "\n".join(lines) for name, lines in bodies.items()}


def _below(bodies: dict[str, str], names: set[str]) -> set[str]:
    """Returns computations with all that they call, at any depth."""
    seen, todo = set(), list(names)
    while todo:
        name = todo.pop()
        if name not in seen and name in bodies:
            seen.add(name)
            called = _CALLED.findall(bodies[name])
            todo += [one.strip("%") for some in called for one in some.split(",")]
    return seen
