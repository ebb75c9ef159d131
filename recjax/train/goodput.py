"""Where the time of a run goes, over all attempts: learning, or waiting."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from recjax import disk
from recjax.launch import hosts

NAME = "attempts.jsonl"
BEGAN = time.time()
"""About when this process began."""
Kind = Literal["productive", "compile", "data", "checkpoint", "evaluate", "start"]
KINDS: tuple[Kind, ...] = (
    *("productive", "compile", "data", "checkpoint", "evaluate", "start"),
)
LOST, AWAY = "lost_to_restart", "away"


class Spent:
    """Counts the seconds of one attempt; of several processes the first one's."""

    def __init__(self, workdir: Path) -> None:
        """Begins to count; until the first step, it is the start."""
        self._seconds = dict.fromkeys(KINDS, 0.0)
        self._kind: Kind = "start"
        self._workdir = workdir
        self._file: disk.Appender | None = None
        self._quiet = not hosts.first()
        # A process may train more than once: what came before is not this attempt's.
        before = [line["time"] for line in _lines(workdir)]
        self._begun = max([BEGAN, *before]) if before else BEGAN
        self._seconds["start"] = max(time.time() - self._begun, 0.0)
        self._since = time.monotonic()

    def at(self, kind: Kind) -> None:
        """Notes what comes now."""
        now = time.monotonic()
        self._seconds[self._kind] += now - self._since
        self._kind, self._since = kind, now

    def note(self, step: int, first: bool = False) -> None:
        """Writes what was spent until a step is done.

        Args:
          step: steps done.
          first: nothing of this attempt was written yet.

        Raises:
          UserError: the disk is full; what was written before stays whole.
        """
        if self._quiet:
            return
        self.at(self._kind)
        told: dict[str, Any] = {"step": step, "time": time.time()}
        told |= {"begun": self._begun} if first else {}
        told["seconds"] = {k: round(v, 3) for k, v in self._seconds.items()}
        with self._writing():
            if self._file is None:
                self._file = disk.Appender(self._workdir / NAME)
            self._file.append(json.dumps(told).encode() + b"\n")

    def close(self) -> None:
        """Closes the file."""
        if self._file is not None:
            self._file.close()

    def _writing(self):
        return disk.writing("the run folder", self._workdir, disk.GO_ON)


@dataclass(frozen=True)
class Attempt:
    """What one attempt wrote, a line now and then.

    Attributes:
      begun: when, in seconds of the Unix clock.
      start: steps that were done before.
      lines: (steps done, clock, kind -> seconds so far).
    """

    begun: float
    start: int
    lines: tuple[tuple[int, float, Mapping[str, float]], ...]

    def seconds(self, until: int | None = None) -> Mapping[str, float]:
        """Returns the seconds by kind; those until a step was done."""
        fits = [s for step, _, s in self.lines if until is None or step <= until]
        return fits[-1] if fits else dict.fromkeys(KINDS, 0.0)


def attempts(workdir: Path) -> list[Attempt]:
    """Returns the attempts of a run, oldest first; lines that are damaged are left out.

    What follows a line that was lost counts for the attempt before.
    """
    found: list[Attempt] = []
    for line in _lines(workdir):
        told = (line["step"], line["time"], line["seconds"])
        if "begun" in line or not found:
            begun = line.get("begun", line["time"])
            found.append(Attempt(begun, line["step"], (told,)))
        else:
            last = found.pop()
            found.append(Attempt(last.begun, last.start, (*last.lines, told)))
    return found


def goodput(workdir: Path, evaluated_s: float = 0.0) -> dict[str, float]:
    """Returns the seconds of all attempts of a run by kind, and their sum.

    `lost_to_restart` is what was done again, with the start of every attempt but the
    first; `away`, when no attempt ran, is no part of the sum.

    Args:
      workdir: the run folder.
      evaluated_s: seconds of evaluations after the last step.
    """
    made = attempts(workdir)
    total = dict.fromkeys((*KINDS, LOST), 0.0) | {"evaluate": evaluated_s}
    away = 0.0
    for number, one in enumerate(made):
        later = made[number + 1].start if number + 1 < len(made) else None
        kept, all_ = one.seconds(later), one.seconds()
        for kind in KINDS:
            lost = all_[kind] - kept[kind]
            # Another attempt starts and compiles for the sake of the restart alone.
            again = number > 0 and kind in ("start", "compile")
            total[LOST if again else kind] += kept[kind]
            total[LOST] += lost
        if number + 1 < len(made):
            away += max(made[number + 1].begun - one.lines[-1][1], 0.0)
    total["sum"] = sum(total.values())
    rounded = {f"{kind}_s": round(value, 1) for kind, value in total.items()}
    return {"attempts": len(made), **rounded, f"{AWAY}_s": round(away, 1)}


def _lines(workdir: Path) -> Iterator[dict[str, Any]]:
    path = workdir / NAME
    for text in path.read_bytes().splitlines() if path.exists() else ():
        try:
            line = json.loads(text)
            spent = {kind: float(line["seconds"][kind]) for kind in KINDS}
            step, clock = int(line["step"]), float(line["time"])
            yield {**line, "step": step, "time": clock, "seconds": spent}
        except (ValueError, TypeError, LookupError, RecursionError):
            continue
