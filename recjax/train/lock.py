"""One training at a time in a run folder.

The system's lock keeps out processes of the same host, and is given back when its owner
ends, however that happens. Not every network disk passes it on to other hosts, so an
owner also gives a sign now and then, in the same file: whoever finds another host's
name there waits to see whether a new sign comes.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from recjax import disk
from recjax.errors import UserError

log = logging.getLogger(__name__)
NAME = "lock"
SIGN_SECONDS, WAIT_SECONDS, LOOK_SECONDS = 10.0, 30.0, 0.2
"""Between two signs of an owner; for the next sign of another; between looks."""


@contextlib.contextmanager
def locked(workdir: Path) -> Iterator[None]:
    """Keeps other trainings out of a run folder.

    Args:
      workdir: the run folder, which exists.

    Raises:
      UserError: another training is in it, or it cannot be written.
    """
    with disk.writing("the run folder", workdir, disk.GO_ON):
        (workdir / NAME).touch()
        file = (workdir / NAME).open("r+b", buffering=0)
    with file:
        passed_on = _lock(file, workdir)
        _take_over(workdir, passed_on)
        since = time.strftime("%Y-%m-%d %H:%M:%S")
        who = f"process {os.getpid()} on {socket.gethostname()} since {since}"
        with disk.writing("the run folder", workdir, disk.GO_ON):
            _sign(file, who)
        closed = threading.Event()
        signs = threading.Thread(
            target=_give_signs, args=(file, who, closed), daemon=True
        )
        signs.start()
        try:
            yield
        finally:
            closed.set()
            signs.join()
            with contextlib.suppress(OSError):
                file.truncate(0)


def owner(workdir: Path) -> str:
    """Returns who trains in a run folder, "" for nobody; a dead one may be named."""
    with contextlib.suppress(OSError), (workdir / NAME).open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _told(workdir)[0]
        host = _host(_told(workdir)[0])
        return "" if host == socket.gethostname() else _told(workdir)[0]
    return ""


def _lock(file: IO[bytes], workdir: Path) -> bool:
    """Locks the file; returns whether the disk knows locks.

    Raises:
      UserError: another process of this host holds it, or one that the disk knows.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise _busy(workdir, _told(workdir)[0]) from None
    except OSError as error:
        log.warning("%s cannot be locked: %s", workdir, error.strerror)
        return False
    return True


def _take_over(workdir: Path, locked: bool) -> None:
    """Finds out whether an owner who left a name lives.

    Raises:
      UserError: it does.
    """
    who, sign = _told(workdir)
    if not who:
        return
    # On this host the system's lock has told.
    if not locked or _host(who) != socket.gethostname():
        log.warning("%s is held by %s: waiting for a sign of it", workdir, who)
        until = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < until:
            now, other = _told(workdir)
            if not now:
                return
            if other != sign:
                raise _busy(workdir, now)
            time.sleep(LOOK_SECONDS)
    log.warning("%s is taken over from %s, which ended without a word", workdir, who)


def _busy(workdir: Path, who: str) -> UserError:
    return UserError(
        f"{workdir} is being trained by {who or 'another process'}: wait for its end, "
        "stop it, or choose another --workdir"
    )


def _told(workdir: Path) -> tuple[str, str]:
    """Returns who wrote the file, and its last sign."""
    text = (workdir / NAME).read_text(errors="replace")
    who, _, sign = text.partition("\n")
    return who.strip(), sign


def _host(who: str) -> str:
    return who.partition(" on ")[2].partition(" since ")[0]


def _sign(file: IO[bytes], who: str) -> None:
    text = f"{who}\n{uuid.uuid4().hex}\n".encode()
    # In one piece and of one length: nobody reads half a sign, or none.
    os.pwrite(file.fileno(), text, 0)
    file.truncate(len(text))


def _give_signs(file: IO[bytes], who: str, closed: threading.Event) -> None:
    while not closed.wait(SIGN_SECONDS):
        with contextlib.suppress(OSError):  # What fails here fails in the training too.
            _sign(file, who)
