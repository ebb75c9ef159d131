"""Disks that fail otherwise than by being full: each is told, nothing is lost."""

import json
import shutil
import time
from dataclasses import dataclass, replace

import command
import pytest
import small
import small_disk

from recjax import disk
from recjax.errors import UserError
from recjax.train import loop
from recjax.train.checkpoint import newest_step
from recjax.train.program import open_program
from recjax.train.writer import read_metrics

AT = 12
"""The step before which it happens: step 10 is saved by then."""
CLOCKS = ("time", "examples_per_s", "input_wait_share")


@dataclass(frozen=True)
class Watched:
    """Data of the small experiment that does something before a batch."""

    data: object
    happens: object

    def __getattr__(self, name):
        return getattr(self.data, name)

    def batch(self, step, host=(0, 1)):
        """Returns the batch of a step."""
        if step == AT:
            self.happens()
        return self.data.batch(step, host)


@pytest.fixture(scope="module")
def program():
    """The small experiment, compiled once for all tests."""
    runtime = replace(small.runtime(), log_every=2, prefetch=0)
    made = open_program(small.experiment(steps=20), runtime)
    compiled = made.step()
    vars(made)["step"] = lambda: compiled
    return made


def train(program, workdir, happens=lambda: None):
    """Trains until the end; something happens on the way."""
    workdir.mkdir(exist_ok=True)
    step = program.step
    watched = replace(program, dataset=Watched(program.dataset, happens))
    vars(watched)["step"] = step
    vars(watched)["like"] = program.like
    return loop.train(watched, workdir, lambda state, done: {})


def remove(run):
    """Removes a folder that somebody writes to meanwhile."""
    while run.exists():
        shutil.rmtree(run, ignore_errors=True)


def figures(run):
    return [
        {k: v for k, v in line.items() if k not in CLOCKS} for line in read_metrics(run)
    ]


@pytest.fixture(scope="module")
def undisturbed(program, tmp_path_factory):
    run = tmp_path_factory.mktemp("runs") / "run"
    train(program, run)
    return figures(run)


@pytest.mark.slow
def test_a_run_folder_that_is_removed(program, undisturbed, tmp_path):
    run = tmp_path / "run"
    with pytest.raises(UserError) as error:
        train(program, run, lambda: remove(run))
    told = str(error.value)
    assert f"{run}" in told
    assert "was removed" in told or "No such file or directory" in told
    assert "run the same command again" in str(error.value)
    train(program, run)
    assert figures(run) == undisturbed


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [-400 * 86_400, 600])  # Orbax waits 1,200.
def test_a_clock_that_jumps(program, undisturbed, tmp_path, monkeypatch, seconds):
    run, now = tmp_path / "run", time.time

    def jump():
        monkeypatch.setattr(time, "time", lambda: now() + seconds)

    train(program, run, jump)
    assert figures(run) == undisturbed and newest_step(run / "checkpoints") == 20


@pytest.mark.slow
def test_a_clock_that_jumps_an_hour_inside_a_save(
    program, undisturbed, tmp_path, monkeypatch
):
    run, now, jumped = tmp_path / "run", time.time, []

    def clock():
        # Again at each look: Orbax measures in several places.
        if any((run / "checkpoints").glob("*checkpoint-tmp*")):
            jumped.append(True)
        return now() + 3_600 * len(jumped)

    with monkeypatch.context() as patched:
        patched.setattr(time, "time", clock)
        with pytest.raises(UserError, match="or the clock was set meanwhile"):
            train(program, run)
    train(program, run)
    assert figures(run) == undisturbed


@pytest.mark.slow
def test_a_slow_disk_changes_nothing(program, undisturbed, tmp_path, monkeypatch):
    run, write = tmp_path / "run", disk.Appender.append

    def slowly(self, record):
        time.sleep(0.05)
        write(self, record)

    monkeypatch.setattr(disk.Appender, "append", slowly)
    train(program, run)
    assert figures(run) == undisturbed


@pytest.mark.slow
def test_a_disk_that_may_only_be_read(capfd, tmp_path):
    with small_disk.mounted(tmp_path, "ro,size=9m") as (folder, again):
        files = small.write_files(tmp_path)
        run = folder / "run"
        told = ("train", files[0], "--on", files[1], "--workdir", run)
        message = command.refused(capfd, *told)
        assert f"cannot write the run folder {run}: Read-only file system" in message
        # A run that was there before is not touched.
        again("rw")
        run.mkdir()
        (run / "result.json").write_text(json.dumps({"settings": [], "results": {}}))
        again("ro")
        message = command.refused(capfd, *told)
        assert "Read-only file system; free space or choose another" in message
        assert [path.name for path in run.iterdir()] == ["result.json"]
