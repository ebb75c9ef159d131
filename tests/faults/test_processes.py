"""Runs that are told to stop, go wrong, or find damage; signals need processes."""

import ctypes
import logging
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

import pytest
import small
from command import refused

from recjax.cli.main import main
from recjax.train.writer import read_metrics


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return small.write_files(tmp_path_factory.mktemp("files"))


def command(files, workdir, *more):
    experiment, config = files
    told = ["train", experiment, "--on", config, "--workdir", workdir, *more]
    return [str(one) for one in told]


@pytest.fixture(scope="module")
def ended(files, tmp_path_factory):
    """Returns a run that has ended."""
    run = tmp_path_factory.mktemp("runs") / "run"
    main(command(files, run))
    return run


@pytest.fixture
def run(ended, tmp_path):
    """Returns a copy of it to change."""
    return shutil.copytree(ended, tmp_path / "run")


def checkpoints(workdir):
    folder = workdir / "checkpoints"
    names = [p.name for p in folder.iterdir()] if folder.exists() else []
    return sorted(int(name) for name in names if name.isdigit())


def cut_largest(folder):
    files = [path for path in folder.rglob("*") if path.is_file()]
    path = max(files, key=lambda path: path.stat().st_size)
    path.write_bytes(path.read_bytes()[:-20])
    return path


def run_until(told, workdir, lines, ending=signal.SIGTERM):
    """Runs until so many lines of figures are there, ends it, returns its log."""
    process = subprocess.Popen(
        [sys.executable, "-m", "recjax", *told],
        cwd=small.ROOT,
        env=small.environment(),
        stderr=subprocess.PIPE,
        text=True,
    )
    figures = workdir / "metrics.jsonl"
    try:
        began = time.monotonic()
        while not (figures.exists() and figures.read_text().count("\n") >= lines):
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() - began < 120
            time.sleep(0.05)
        process.send_signal(ending)
        _, errors = process.communicate(timeout=120)
    finally:
        process.kill()
    killed = ending == signal.SIGKILL
    assert process.returncode == (-ending if killed else 0), errors[-2000:]
    return errors


@pytest.mark.slow
def test_a_signal_saves_and_the_same_command_goes_on(files, tmp_path):
    run = tmp_path / "run"
    told = command(files, run, "--set", "steps=100000")
    saved = 0
    for lines, ending in ((3, signal.SIGTERM), (30, signal.SIGHUP)):
        errors = run_until(told, run, lines, ending)
        if saved:
            assert f"going on from step {saved} of 100000" in errors
        before = saved
        found = re.search(rf"{ending.name}: saved step (\d+), run the same", errors)
        saved = int(found[1])
        assert checkpoints(run)[-1] == saved > before
    assert not (run / "result.json").exists()
    # One that was killed leaves the folder to the next.
    run_until(told, run, 60, signal.SIGKILL)
    assert "going on from step" in run_until(told, run, 90)


@pytest.mark.slow
def test_a_second_training_in_the_same_folder_is_refused(files, tmp_path):
    run = tmp_path / "run"
    told = command(files, run, "--set", "steps=100000")
    first = subprocess.Popen(
        [sys.executable, "-m", "recjax", *told],
        cwd=small.ROOT,
        env=small.environment(),
        stderr=subprocess.DEVNULL,
    )
    try:
        while not (run / "metrics.jsonl").exists():
            assert first.poll() is None
            time.sleep(0.05)
        second = small.recjax(*told)
        assert second.returncode == 2 and "Traceback" not in second.stderr
        owner = f"process {first.pid} on {socket.gethostname()} since "
        assert f"{run} is being trained by {owner}" in second.stderr
        first.send_signal(signal.SIGTERM)
        assert first.wait(120) == 0
    finally:
        first.kill()
    steps = [line["step"] for line in read_metrics(run)]
    assert steps and steps == sorted(set(steps))


def no_rights():
    """Leaves a process of root what others have: what is read-only stays so."""
    PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1
    ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0)


@pytest.mark.slow
def test_a_run_that_may_only_be_read_is_evaluated(run):
    for path in [run, *run.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "recjax", "eval", str(run)],
            cwd=small.ROOT,
            env=small.environment(),
            capture_output=True,
            text=True,
            preexec_fn=no_rights,
        )
    finally:
        for path in [run, *run.rglob("*")]:
            path.chmod(0o755 if path.is_dir() else 0o644)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.startswith("step 30\n")
    assert "nothing was written: cannot write the run folder" in done.stderr
    assert "Permission denied" in done.stderr and "Traceback" not in done.stderr
    assert not (run / "eval.json").exists()


@pytest.mark.slow
def test_damage_is_found_named_and_gone_around(caplog, files, run):
    assert checkpoints(run)[-2:] == [20, 30]
    cut = cut_largest(run / "checkpoints" / "30")
    with caplog.at_level(logging.INFO):
        main(command(files, run))
    said = caplog.text
    assert "checkpoint 30 is damaged, trying an older one" in said
    assert str(cut) in said
    assert "going on from step 20 of 30" in said
    assert checkpoints(run)[-1] == 30
    cuts = [cut_largest(run / "checkpoints" / str(step)) for step in checkpoints(run)]
    last = small.recjax("eval", run)
    assert last.returncode == 2
    assert "recjax: error: no checkpoint can be read" in last.stderr
    assert all(str(cut) in last.stderr for cut in cuts)
    assert "Traceback" not in last.stderr


@pytest.mark.slow
def test_bad_numbers_stop_the_run_and_leave_the_last_good_state(capfd, files, tmp_path):
    run, config = tmp_path / "run", files[1]
    (tmp_path / "explodes.py").write_text(small.EXPLODES)
    error = refused(capfd, *command((tmp_path / "explodes.py", config), run))
    # Step 15 is the first with the infinite rate; its state is bad, nothing else.
    assert error.startswith("step 15: NaN or infinity in params/")
    assert "tables/film/rows" in error and "grad/" not in error
    assert checkpoints(run) == [10]
    main(["eval", str(run)])
    assert capfd.readouterr().out.startswith("step 10\n")


@pytest.mark.slow
def test_too_small_a_room_for_distinct_rows_names_the_setting(capfd, files, tmp_path):
    small_room = "model.tables.film.distinct=5"
    error = refused(capfd, *command(files, tmp_path / "run", "--set", small_room))
    assert "table 'film' has no room for" in error
    assert "raise model.tables.film.distinct" in error


@pytest.mark.slow
def test_watch_waits_for_the_first_checkpoint_and_ends_with_the_run(run, tmp_path):
    (run / "checkpoints").rename(tmp_path / "not_yet")
    process = subprocess.Popen(
        [sys.executable, "-m", "recjax", "eval", str(run), "--watch"],
        cwd=small.ROOT,
        env=small.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        lines = iter(process.stderr.readline, "")
        assert any("waiting for a newer checkpoint" in line for line in lines)
        (tmp_path / "not_yet").rename(run / "checkpoints")
        said, errors = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 0, errors[-2000:]
    assert said.count("evaluation") == 1 and said.startswith("step 30\n")


@pytest.mark.slow
def test_there_is_no_best_checkpoint_without_a_best_metric(capfd, ended):
    assert "names no best metric" in refused(capfd, "eval", ended, "--best", "--watch")
