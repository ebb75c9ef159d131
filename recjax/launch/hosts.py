"""The processes of one run: which this is, waiting for all, sharing a few words.

Everything here is host-side and goes through the coordination service of
`jax.distributed`; a process that was not joined is alone, and nothing waits.
"""

from __future__ import annotations

import contextlib
import re
import socket
from collections import Counter
from collections.abc import Sequence
from typing import Any

from jax._src import distributed  # The service's client has no public name.

from recjax.errors import UserError

SECONDS = 600.0
"""How long a process waits for the others."""
READ_MILLISECONDS = 10_000
_TURNS: Counter[str] = Counter()
"""How often each name was used: all processes call the same functions in one order."""


def alone() -> bool:
    """Returns whether this process is the only one of its run."""
    return _client() is None or distributed.global_state.num_processes == 1


def first() -> bool:
    """Returns whether this process is the one that writes and speaks."""
    return index() == 0


def index() -> int:
    """Returns the number of this process, from 0."""
    return distributed.global_state.process_id if _client() is not None else 0


def count() -> int:
    """Returns how many processes the run has."""
    return distributed.global_state.num_processes if _client() is not None else 1


def name() -> str:
    """Returns this process as people know it, such as "host 1 (node-b)"."""
    return f"host {index()} ({socket.gethostname()})"


def barrier(what: str, seconds: float = SECONDS) -> None:
    """Waits until every process is here.

    Args:
      what: for messages.
      seconds: how long.

    Raises:
      UserError: some did not come in time; names them.
    """
    client = _client()
    if client is None:
        return
    try:
        client.wait_at_barrier(_key("barrier", what), int(seconds * 1000))
    except Exception as error:  # The client raises JaxRuntimeError of any cause.
        raise UserError(_missing(what, seconds, str(error))) from error


def meet(what: str, seconds: float) -> None:
    """Waits until every process is here, where a dead one is no bad input.

    Args:
      what: for messages; all have met there equally often.
      seconds: how long.

    Raises:
      RuntimeError: another process ended, or did not come in time.
    """
    client = _client()
    if client is None:
        return
    try:
        client.wait_at_barrier(f"recjax/meet/{what}", int(seconds * 1000))
    except Exception as error:
        told = str(error).splitlines()[0][:200]
        raise RuntimeError(
            f"another process of this run ended, or did not come to {what!r} within "
            f"{seconds:.0f} s: see the output of the others ({told})"
        ) from error


def gather(what: str, value: str, seconds: float = SECONDS) -> list[str]:
    """Returns the text that each process gives, in the order of their numbers.

    Args:
      what: for messages.
      value: this process's text.
      seconds: how long to wait for the others.

    Raises:
      UserError: some did not come in time.
    """
    client = _client()
    if client is None:
        return [value]
    key = _key("gather", what)
    client.key_value_set(f"{key}/{index()}", value)
    found = []
    for host in range(count()):
        try:
            wait = int(seconds * 1000)
            found.append(client.blocking_key_value_get(f"{key}/{host}", wait))
        except Exception as error:
            raise UserError(
                f"host {host} did not say its {what} within {seconds:.0f} s: see its "
                "own output, then start all again"
            ) from error
    # The first process holds the words: it may leave once all have read them.
    with contextlib.suppress(Exception):
        client.wait_at_barrier(f"{key}/read", READ_MILLISECONDS)
    return found


def from_first(what: str, value: str, seconds: float = SECONDS) -> str:
    """Returns the text of the first process, to all; see `gather`."""
    client = _client()
    if client is None:
        return value
    key = _key("first", what)
    if first():
        client.key_value_set(key, value)
        return value
    try:
        return client.blocking_key_value_get(key, int(seconds * 1000))
    except Exception as error:
        raise UserError(
            f"host 0 did not say its {what} within {seconds:.0f} s: see its own output"
        ) from error


def agree(what: str, value: str, fix: str) -> None:
    """Checks that all processes have the same of something.

    Args:
      what: of what, such as "experiment".
      value: this process's.
      fix: what to do where they differ.

    Raises:
      UserError: by all processes, where one differs from the first.
    """
    found = gather(what, value)
    odd = [host for host, one in enumerate(found) if one != found[0]]
    if odd:
        names = ", ".join(f"host {host}" for host in odd)
        raise UserError(f"{names} and host 0 differ in their {what}: {fix}")


def all_or_error(what: str, error: str) -> None:
    """Raises the first process's error in all of them.

    Args:
      what: for messages.
      error: of this process; "" for none.

    Raises:
      UserError: one has an error; says whose.
    """
    found = gather(what, error)
    bad = [(host, text) for host, text in enumerate(found) if text]
    if bad:
        host, text = bad[0]
        raise UserError(text if len(bad) == len(found) else f"host {host}: {text}")


def post(board: str, text: str) -> None:
    """Puts up this process's text for the others, in place of the one before."""
    client = _client()
    if client is not None:
        client.key_value_set(f"recjax/{board}/{index()}", text, allow_overwrite=True)


def posts(board: str) -> dict[int, str]:
    """Returns the text that each process put up, of those that did."""
    client = _client()
    found = client.key_value_dir_get(f"recjax/{board}") if client is not None else []
    return {int(key.rpartition("/")[2]): text for key, text in found}


def _client() -> Any:
    return distributed.global_state.client


def _key(kind: str, what: str) -> str:
    name = f"recjax/{kind}/{what}"
    _TURNS[name] += 1
    return f"{name}/{_TURNS[name]}"


def _missing(what: str, seconds: float, told: str) -> str:
    tasks: Sequence[str] = sorted(set(re.findall(r"task:(\d+)", told)), key=int)
    who = ", ".join(f"host {task}" for task in tasks) or "not all hosts"
    return (
        f"waited {seconds:.0f} s for all {count()} processes at {what!r}; see the "
        f"output of {who} ({told.splitlines()[0][:200]})"
    )
