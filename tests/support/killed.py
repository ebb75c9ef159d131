"""Trains the small experiment in children that are killed at random moments.

Run as `python killed.py FOLDER KILLS SEED`: trains `FOLDER/whole` without a break and
`FOLDER/killed` with so many kills. The imports are made once, and a child is forked
before JAX has started any thread or device.
"""

from __future__ import annotations

import json
import logging
import os
import random
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import small

from recjax.train.loop import train
from recjax.train.program import open_program

STEPS = 240


def run(workdir: Path) -> None:
    """Trains to the end, or to the newest step that it is let to."""
    logging.basicConfig(filename=workdir / "log", level=logging.INFO, force=True)
    runtime = replace(small.runtime(), log_every=2, checkpoint_every=7)
    program = open_program(small.experiment(steps=STEPS), runtime)
    train(program, workdir, lambda state, done: {})


def fork(workdir: Path) -> int:
    """Starts `run` in a child and returns its id."""
    child = os.fork()
    if child:
        return child
    try:
        run(workdir)
        os._exit(0)
    except BaseException:
        logging.exception("failed")
        os._exit(1)


def newest(workdir: Path) -> int:
    """Returns the newest step in the log of figures."""
    path = workdir / "metrics.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    for line in reversed(lines):
        try:
            return json.loads(line)["step"]
        except ValueError:
            continue
    return 0


def kill(workdir: Path, dice: random.Random) -> int:
    """Starts a child, kills it at a random moment, and returns the step it was at."""
    goal = newest(workdir) + dice.randrange(1, 30)
    child = fork(workdir)
    if dice.random() < 0.2:
        # While it starts, restores or compiles.
        time.sleep(dice.uniform(0, 2))
    else:
        while newest(workdir) < goal:
            if os.waitpid(child, os.WNOHANG) != (0, 0):
                raise SystemExit(f"the child ended at step {newest(workdir)}")
            time.sleep(0.002)
        time.sleep(dice.uniform(0, 0.05))
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), f"the child ended by itself: {status}"
    return newest(workdir)


def finish(workdir: Path) -> None:
    """Lets a child train to the end."""
    _, status = os.waitpid(fork(workdir), 0)
    assert status == 0, (workdir / "log").read_text()[-3000:]


def main(folder: Path, kills: int, seed: int) -> None:
    """Trains both runs and prints the steps at which the second was killed."""
    whole, killed = folder / "whole", folder / "killed"
    whole.mkdir()
    killed.mkdir()
    dice = random.Random(seed)
    steps = [kill(killed, dice) for _ in range(kills)]
    finish(killed)
    finish(whole)
    print(json.dumps({"killed_at": steps, "steps": STEPS}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
