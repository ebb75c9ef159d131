"""Joining this process to the others of its run, and leaving them with a word.

Called before anything touches a device. What says who the others are: the variables
`RECJAX_COORDINATOR` (host:port of process 0), `RECJAX_PROCESSES` and `RECJAX_PROCESS`,
as `recjax launch` sets them; or with `hosts="auto"` what SLURM, a TPU pod or another
cluster that JAX knows has set.
"""

from __future__ import annotations

import logging
import os
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from recjax.errors import UserError

BAD_INPUT, BROKEN, PREEMPTED, STALLED = 2, 1, 75, 76
"""Exit statuses: bad input; anything else; saved and asked to go on; no step ended."""
NAMES = ("RECJAX_COORDINATOR", "RECJAX_PROCESSES", "RECJAX_PROCESS")


@dataclass(frozen=True)
class Address:
    """Where the processes of a run meet.

    Attributes:
      coordinator: host:port of process 0.
      processes: how many there are.
      process: which this is, from 0.
    """

    coordinator: str
    processes: int
    process: int

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Address | None:
        """Reads the variables; None where none is set.

        Raises:
          UserError: one is missing or no such number.
        """
        values = [environment.get(name, "") for name in NAMES]
        if not any(values):
            return None
        for name, value in zip(NAMES, values, strict=True):
            if not value:
                raise UserError(
                    f"{name} is not set, but others of {', '.join(NAMES)} are: set all "
                    "three, or none to run alone"
                )
        host, colon, port = values[0].rpartition(":")
        if not host or not colon or not port.isdigit() or not 0 < int(port) < 65_536:
            raise UserError(f"{NAMES[0]} = {values[0]!r}: expected host:port")
        for name, value in zip(NAMES[1:], values[1:], strict=True):
            if not value.isdigit():
                raise UserError(f"{name} = {value!r}: expected a whole number")
        processes, process = int(values[1]), int(values[2])
        if process >= processes:
            raise UserError(
                f"{NAMES[2]} = {process}: must be below {NAMES[1]} = {processes}; the "
                "first process is 0"
            )
        return cls(values[0], processes, process)


def join(hosts: str, start: int, heartbeat: int, shutdown: int) -> None:
    """Joins this process to the others, once; does nothing where it is alone.

    Args:
      hosts: "auto" asks the cluster who the others are where no variable says it.
      start: seconds to wait for all of them.
      heartbeat: seconds without a sign after which a process counts as dead.
      shutdown: seconds to wait for the others at a good end.

    Raises:
      UserError: the variables are wrong, the coordinator is not reached in time, its
        port is taken, or the cluster says nothing.
    """
    address = Address.of(os.environ)
    if address is None and hosts != "auto":
        return
    import jax

    if jax.distributed.is_initialized():
        return
    told: Any = {}
    if address is not None:
        _check_port(address)
        told = {
            "coordinator_address": address.coordinator,
            "num_processes": address.processes,
            "process_id": address.process,
        }
    where = f"{address.coordinator}" if address else "the cluster's coordinator"
    try:
        jax.distributed.initialize(
            **told,
            initialization_timeout=start,
            heartbeat_timeout_seconds=heartbeat,
            shutdown_timeout_seconds=shutdown,
        )
    except ValueError as error:
        raise UserError(
            f"--hosts auto: this cluster is none that JAX knows ({error}); set "
            f"{', '.join(NAMES)}"
        ) from error
    except RuntimeError as error:
        who = f"process {address.process} of {address.processes}" if address else "it"
        raise UserError(
            f"{who} could not join at {where} within {start} s: are all processes "
            f"started, and is that host reached from here? ({_first_line(error)})"
        ) from error
    from recjax.launch import hosts

    if not hosts.first():  # The first one speaks; of the others, what needs a person.
        root = logging.getLogger()
        root.setLevel(logging.WARNING)
        for handler in root.handlers:
            handler.setFormatter(logging.Formatter(f"{hosts.name()}: %(message)s"))


def joined() -> bool:
    """Returns whether this process was joined to others."""
    jax = sys.modules.get("jax")
    return jax is not None and jax.distributed.is_initialized()


def leave(status: int, why: str = "") -> None:
    """Ends a joined process at once, without waiting for the others.

    The way out through JAX waits for all of them, and loses the exit status. Does
    nothing in a process that is alone.

    Args:
      status: the exit status.
      why: last words.
    """
    if not joined():
        return
    from recjax.launch import hosts

    if why:
        print(f"{hosts.name()}: {why}", file=sys.stderr)
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(status)


def _check_port(address: Address) -> None:
    """Finds before JAX does that another program listens where process 0 will."""
    if address.process:
        return
    port = int(address.coordinator.rpartition(":")[2])
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError as error:
            raise UserError(
                f"port {port} of {address.coordinator} is taken ({error.strerror}): "
                "another run uses it; choose another port"
            ) from error


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__
