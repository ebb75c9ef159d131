"""One training at a time in a run folder."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from recjax import disk
from recjax.errors import UserError

log = logging.getLogger(__name__)
NAME = "lock"


@contextlib.contextmanager
def locked(workdir: Path) -> Iterator[None]:
    """Keeps other trainings out of a run folder.

    The system gives the lock back when its owner ends, however that happens.

    Args:
      workdir: the run folder, which exists.

    Raises:
      UserError: another training is in it, or it cannot be written.
    """
    with disk.writing("the run folder", workdir, disk.GO_ON):
        file = (workdir / NAME).open("a+")
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            owner = file.read().strip() or "another process"
            raise UserError(
                f"{workdir} is being trained by {owner}: wait for its end, stop it, or "
                "choose another --workdir"
            ) from None
        except OSError as error:
            log.warning("%s cannot be locked: %s", workdir, error.strerror)
        with disk.writing("the run folder", workdir, disk.GO_ON):
            file.truncate(0)
            since = time.strftime("%Y-%m-%d %H:%M:%S")
            file.write(f"process {os.getpid()} on {socket.gethostname()} since {since}")
            file.flush()
        yield
