"""Where figures go: `metrics.jsonl` for programs, TensorBoard events for people."""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import socket
import struct
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from recjax import disk
from recjax.launch import hosts


class Writer:
    """Appends figures by step; a resumed run goes on in the same files.

    Of several processes the first writes.
    """

    def __init__(self, workdir: Path, start: int = 0) -> None:
        """Opens the files of a run.

        Args:
          workdir: the run folder.
          start: first step to come; later lines of an earlier attempt are dropped.

        Raises:
          UserError: they cannot be written.
        """
        self._workdir, self._quiet = workdir, not hosts.first()
        if self._quiet:
            return
        with self._writing():
            path = workdir / "metrics.jsonl"
            _drop_after(path, start)
            self._lines = disk.Appender(path)
            self._board = _tensorboard(workdir / "tensorboard", start)

    def write(self, step: int, figures: Mapping[str, float]) -> None:
        """Writes figures of one step.

        Args:
          step: steps done.
          figures: name -> number.

        Raises:
          UserError: the disk is full; what was written before stays whole.
        """
        if self._quiet:
            return
        clean = {k: v if math.isfinite(v) else None for k, v in figures.items()}
        line = json.dumps({"step": step, "time": time.time(), **clean}) + "\n"
        with self._writing():
            self._lines.append(line.encode())
            if self._board is not None:
                self._board.write(step, figures)

    def close(self) -> None:
        """Closes the files."""
        if self._quiet:
            return
        self._lines.close()
        if self._board is not None:
            self._board.close()

    def _writing(self):
        return disk.writing("the run folder", self._workdir, disk.GO_ON)


def read_metrics(workdir: Path) -> list[dict[str, float]]:
    """Returns the lines of a run's `metrics.jsonl`, oldest first.

    Lines that cannot be read are left out: the last one may be half written.
    """
    path = workdir / "metrics.jsonl"
    found = []
    for line in path.read_bytes().splitlines() if path.exists() else ():
        with contextlib.suppress(ValueError, TypeError, LookupError, RecursionError):
            one = json.loads(line)
            found.append({**one, "step": int(one["step"])})
    return found


def _drop_after(path: Path, start: int) -> None:
    """Drops lines of steps that will be done again, and those that cannot be read."""
    if path.exists():
        kept = [one for one in read_metrics(path.parent) if one["step"] <= start]
        disk.write_text(path, "".join(json.dumps(one) + "\n" for one in kept))


class _Board:
    """Writes scalars as TensorBoard events.

    Not `tensorboardX.SummaryWriter`: it writes in a thread of its own, which a full
    disk ends, and after ten more figures the training waits for it for ever.
    """

    def __init__(self, folder: Path, start: int) -> None:
        from tensorboardX import summary
        from tensorboardX.proto import event_pb2
        from tensorboardX.record_writer import masked_crc32c

        made: Any = event_pb2  # Its classes are made on import.
        self._event: Callable[..., Any] = made.Event
        self._scalar, self._check = summary.scalar, masked_crc32c
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{int(time.time())}.{socket.gethostname()}.{os.getpid()}"
        self._file = disk.Appender(folder / f"events.out.tfevents.{name}")
        begun = made.SessionLog(status=made.SessionLog.START)
        # The reader drops what an earlier attempt wrote from this step on.
        self._append(
            self._event(wall_time=time.time(), file_version="brain.Event:2"),
            self._event(wall_time=time.time(), step=start + 1, session_log=begun),
        )

    def write(self, step: int, figures: Mapping[str, float]) -> None:
        # TensorBoard takes no other signs in a name, and says so for each one.
        tags = [re.sub(r"[^-/\w.]", "_", n.replace("@", "_at_")) for n in figures]
        values = map(self._scalar, tags, figures.values())
        now = time.time()
        self._append(
            *(self._event(wall_time=now, step=step, summary=v) for v in values)
        )

    def close(self) -> None:
        self._file.close()

    def _append(self, *events: Any) -> None:
        self._file.append(b"".join(self._record(e.SerializeToString()) for e in events))

    def _record(self, data: bytes) -> bytes:
        """Returns a TFRecord: length, data, and the masked checksum of each."""
        size = struct.pack("<Q", len(data))
        return b"".join(
            part + struct.pack("<I", self._check(part)) for part in (size, data)
        )


def _tensorboard(folder: Path, start: int) -> _Board | None:
    try:
        return _Board(folder, start)
    except ImportError:
        return None
