"""What a run keeps, who may be in its folder, and what damage to it says."""

import logging
import shutil
import subprocess
import sys
import threading

import command
import pytest
import small

from recjax.cli.main import main
from recjax.errors import UserError
from recjax.train import lock
from recjax.train.lock import locked
from recjax.train.run_folder import request_of

BASE = '''"""A small experiment with a best state and a bundle."""

import small
from evaluations import every

from recjax.bundle.two_tower import Bundle


def experiment():
    """Returns the experiment."""
    return small.experiment(
        steps=4,
        evals={"validation": every(2)},
        best="validation/ndcg@10",
        export=Bundle(saved_model=False, min_recall=0.0),
    )
'''
EVALUATIONS = '''"""An evaluation that experiments share."""

from recjax.evals.ranking import Ranking


def every(steps):
    """Returns it."""
    return Ranking("validation", every=steps)
'''
MINE = '''"""The same with another seed."""

from dataclasses import replace

from base import experiment as base


def experiment():
    """Returns the experiment."""
    return replace(base(), seed=7)
'''
CONFIG = '''"""A runtime that takes its numbers from a file beside it."""

from numbers_of_mine import EVERY

from recjax.experiment import Runtime


def runtime():
    """Returns the runtime."""
    return Runtime({"data": 1}, log_every=1, checkpoint_every=EVERY)
'''


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Returns a run whose files are gone, and its command."""
    folder = tmp_path_factory.mktemp("files")
    files = {"base": BASE, "evaluations": EVALUATIONS, "mine": MINE, "config": CONFIG}
    for name, text in {**files, "numbers_of_mine": "EVERY = 2\n"}.items():
        (folder / f"{name}.py").write_text(text)
    run = folder / "run"
    train(run, folder / "mine.py", folder / "config.py")
    for path in folder.glob("*.py"):
        path.unlink()
    return run


def train(run, experiment, on, *more):
    main([*map(str, ("train", experiment, "--on", on, "--workdir", run, *more))])


@pytest.fixture
def run(made, tmp_path):
    """Returns a copy of the run to change."""
    return shutil.copytree(made, tmp_path / "run")


def test_a_run_keeps_all_files_that_it_needs(capfd, run, tmp_path):
    kept = {p.relative_to(run).as_posix() for p in run.rglob("*.py")}
    experiment = {f"experiment/{n}.py" for n in ("mine", "base", "evaluations")}
    assert kept == experiment | {"runtime/config.py", "runtime/numbers_of_mine.py"}
    main(["eval", str(run)])
    assert capfd.readouterr().out.startswith("step 4\n")
    main(["export", str(run), "--to", str(tmp_path / "bundle")])
    assert (tmp_path / "bundle" / "manifest.json").is_file()
    # Its own copies train it, too: nothing is left to do, and nothing is lost.
    train(run, run / "experiment" / "mine.py", run / "runtime" / "config.py")
    assert {p.relative_to(run).as_posix() for p in run.rglob("*.py")} == kept


def test_another_attempt_replaces_the_files(run, tmp_path):
    text = MINE.replace("from base", "from other").replace("with", "with no")
    (tmp_path / "mine.py").write_text(text)
    (tmp_path / "other.py").write_text(BASE)
    (tmp_path / "evaluations.py").write_text(EVALUATIONS)
    main(["train", str(tmp_path / "mine.py"), "--workdir", str(run)])
    kept = sorted(p.relative_to(run).as_posix() for p in run.rglob("*.py"))
    assert kept == [f"experiment/{n}.py" for n in ("evaluations", "mine", "other")]
    request = request_of(run)
    assert request.runtime == ""
    experiment, runtime = request.resolve()
    assert experiment.seed == 7 and runtime.mesh == {"data": -1}


GARBAGE = (b"", b"\xff\xfe\x00", b"[]", b"3", b"{}", b"[" * 100_000, b'{"metric": 3}')


@pytest.mark.parametrize("content", GARBAGE, ids=range(len(GARBAGE)))
@pytest.mark.parametrize("name", ["run.json", "best.json", "result.json"])
def test_a_damaged_file_is_named(capfd, run, name, content):
    (run / name).write_bytes(content)
    if name == "run.json":
        message = command.fails(capfd, "eval", run)
    else:
        files = (run / "experiment" / "mine.py", "--on", run / "runtime" / "config.py")
        message = command.refused(capfd, "train", *files, "--workdir", run)
    assert message.startswith(f"{run / name} is damaged: ") and "; " in message


def test_a_damaged_record_of_settings_is_named(capfd, run):
    told = ("train", run / "experiment" / "mine.py", "--workdir", run)
    (run / "experiment.txt").write_bytes(b"\xff\xfe\x00")
    assert "experiment.txt is damaged: " in command.fails(capfd, *told)
    for text in ("", "garbage"):
        (run / "experiment.txt").write_text(text)
        assert f"{run} holds a run with other settings" in command.fails(capfd, *told)


def test_a_run_of_before_says_so(capfd, run):
    (run / "run.json").write_text(
        '{"tiny": false, "set": [], "set_runtime": [], "variant": ""}'
    )
    message = command.fails(capfd, "eval", run)
    assert "is a run of recjax 0.1, which 0.2 cannot open: train it again" in message


@pytest.mark.parametrize("content", GARBAGE[1:], ids=range(1, len(GARBAGE)))
def test_a_damaged_list_of_files_leads_to_an_older_state(caplog, run, content):
    assert sorted(p.name for p in (run / "checkpoints").glob("[0-9]")) == ["2", "4"]
    (run / "checkpoints" / "4.files.json").write_bytes(content)
    caplog.set_level(logging.INFO)
    train(run, run / "experiment" / "mine.py", run / "runtime" / "config.py")
    if content != b"{}":  # An empty list is one that nothing contradicts.
        assert "checkpoint 4 is damaged, trying an older one" in caplog.text
        assert "going on from step 2 of 4" in caplog.text
    assert (run / "checkpoints" / "4").is_dir()


def test_half_written_and_damaged_figures_are_left_out(run):
    path = run / "metrics.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole + b'3\n{"loss": 1}\n\xff\xfe\n[[[\n{"step": 4, "lo')
    train(run, run / "experiment" / "mine.py", run / "runtime" / "config.py")
    assert path.read_bytes() == whole


@pytest.mark.parametrize("name", ["lr=[0.1]", "a[", "a]b", "a\\b"])
def test_a_folder_whose_states_could_not_be_read_is_refused(capfd, run, tmp_path, name):
    told = ("train", run / "experiment" / "mine.py", "--workdir", tmp_path / name)
    message = command.fails(capfd, *told)
    assert "checkpoints cannot be read from a path that holds" in message
    assert not (tmp_path / name).exists()
    moved = run.rename(tmp_path / name)
    assert "or rename the folder" in command.fails(capfd, "eval", moved)


@pytest.mark.parametrize("name", ["a b", "a*?", "ä%20#{}", "a:b,c=1'\"$~"])
def test_other_names_can_be_read(capfd, run, tmp_path, name):
    moved = run.rename(tmp_path / name)
    main(["eval", str(moved)])
    assert capfd.readouterr().out.startswith("step 4\n")


def test_one_training_at_a_time(tmp_path, run, capfd):
    told = ("train", run / "experiment" / "mine.py", "--workdir", run)
    with locked(run):
        before = (run / "experiment.txt").read_text()
        message = command.fails(capfd, *told)
        owner = (run / "lock").read_text().splitlines()[0]
        assert f"{run} is being trained by {owner}: wait for its end" in message
        assert "process " in owner and " on " in owner and " since " in owner
        assert (run / "experiment.txt").read_text() == before
        # Others may be read and trained.
        main(["eval", str(run)])
        with locked(tmp_path):
            pass
    with locked(run), pytest.raises(UserError, match="is being trained"), locked(run):
        pass


def test_the_lock_of_one_that_was_killed_is_taken_over(tmp_path, caplog):
    script = (
        "import os, signal, sys; from pathlib import Path\n"
        "from recjax.train.lock import locked\n"
        "with locked(Path(sys.argv[1])): os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    told = [sys.executable, "-c", script, str(tmp_path)]
    done = subprocess.run(told, env=small.environment())
    assert done.returncode == -9
    killed = (tmp_path / "lock").read_text().split(" on ")[0]
    with locked(tmp_path):
        assert (tmp_path / "lock").read_text().split(" on ")[0] != killed
    assert f"taken over from {killed}" in caplog.text


def test_a_name_of_another_host_is_taken_over_where_no_sign_comes(
    tmp_path, caplog, monkeypatch
):
    other, (file, who) = (
        threading.Event(),
        (tmp_path / "lock", "process 7 on far since"),
    )
    file.write_text(f"{who} long ago\none\n")
    monkeypatch.setattr(lock, "WAIT_SECONDS", 0.5)
    with locked(tmp_path):
        assert who not in file.read_text()
    assert f"taken over from {who} long ago" in caplog.text
    assert file.read_text() == ""
    file.write_text(f"{who} now\none\n")
    (tmp_path / "new").write_text(f"{who} now\ntwo\n")
    sign = threading.Timer(0.2, lambda: (tmp_path / "new").replace(file))
    sign.start()
    with pytest.raises(UserError, match=f"is being trained by {who} now"):
        with locked(tmp_path):
            other.set()
    assert not other.is_set()
