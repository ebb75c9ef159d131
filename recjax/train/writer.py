"""Where figures go: `metrics.jsonl` for programs, TensorBoard events for people."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Mapping
from pathlib import Path


class Writer:
    """Appends figures by step; a resumed run goes on in the same files."""

    def __init__(self, workdir: Path, start: int = 0) -> None:
        """Opens the files of a run.

        Args:
          workdir: the run folder.
          start: first step to come; later lines of an earlier attempt are dropped.
        """
        self._path = workdir / "metrics.jsonl"
        _drop_after(self._path, start)
        self._lines = self._path.open("a", buffering=1)
        self._board = _tensorboard(workdir / "tensorboard", start)

    def write(self, step: int, figures: Mapping[str, float]) -> None:
        """Writes figures of one step.

        Args:
          step: steps done.
          figures: name -> number.
        """
        clean = {k: v if math.isfinite(v) else None for k, v in figures.items()}
        self._lines.write(
            json.dumps({"step": step, "time": time.time(), **clean}) + "\n"
        )
        if self._board is not None:
            for name, value in figures.items():
                # TensorBoard takes no other signs in a name, and says so for each one.
                tag = re.sub(r"[^-/\w.]", "_", name.replace("@", "_at_"))
                self._board.add_scalar(tag, value, step)

    def close(self) -> None:
        """Closes the files."""
        self._lines.close()
        if self._board is not None:
            self._board.close()


def read_metrics(workdir: Path) -> list[dict[str, float]]:
    """Returns the lines of a run's `metrics.jsonl`, oldest first."""
    path = workdir / "metrics.jsonl"
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines() if line]


def _drop_after(path: Path, start: int) -> None:
    """Drops lines of steps that will be done again, and a half-written last line."""
    if not path.exists():
        return
    kept = []
    for line in path.read_text().splitlines():
        try:
            if json.loads(line)["step"] <= start:
                kept.append(line + "\n")
        except (ValueError, KeyError):
            continue
    temporary = path.with_suffix(".tmp")
    temporary.write_text("".join(kept))
    temporary.replace(path)


def _tensorboard(folder: Path, start: int):
    try:
        from tensorboardX import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder), purge_step=start + 1, write_to_disk=True)
