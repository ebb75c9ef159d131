"""Real processes, four pretended devices each, that train as one run."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import small

from recjax.train.writer import read_metrics

pytestmark = pytest.mark.slow
EVALUATED = '''"""A small experiment that is evaluated."""

import small
from recjax.bundle.two_tower import Bundle
from recjax.evals.ranking import Ranking


def experiment():
    """Returns the experiment."""
    evals = {"val": Ranking("validation", every=6)}
    changes = {"evals": evals, "best": "val/mrr", "export": Bundle(saved_model=False)}
    return small.replace(small.experiment(), steps=12, **changes)
'''


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    _, config = small.write_files(folder)
    (folder / "evaluated.py").write_text(EVALUATED)
    return folder, config


def launch(experiment, config, workdir, *more, hosts=2, devices=4, **kwargs):
    """Starts `recjax launch` as a shell does."""
    told = ["launch", experiment, "--on", config, "--workdir", workdir, "-n", hosts]
    told += ["--devices", devices, "--set-runtime", f"mesh.data={hosts * devices}"]
    return subprocess.Popen(
        [sys.executable, "-m", "recjax", *map(str, (*told, *more))],
        cwd=small.ROOT,
        env=small.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **kwargs,
    )


def ended(process, status=0):
    said, _ = process.communicate(timeout=300)
    assert process.returncode == status, said[-4000:]
    return said


def children(process):
    """Returns the process ids of host 0 and host 1."""
    found = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parent = re.search(r"^PPid:\t(\d+)", (path / "status").read_text(), re.M)
            variables = (path / "environ").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if parent and int(parent[1]) == process.pid:
            number = re.search(r"RECJAX_PROCESS=(\d+)", variables)
            found[int(number[1])] = int(path.name)
    return found


def until_lines(process, workdir, lines):
    began = time.monotonic()
    while len(read_metrics(workdir)) < lines:
        assert process.poll() is None, process.communicate()[0][-4000:]
        assert time.monotonic() - began < 200
        time.sleep(0.05)


@pytest.fixture(scope="module")
def runs(files, tmp_path_factory):
    """The same run by two processes, and by one."""
    folder, config = files
    out = tmp_path_factory.mktemp("runs")
    said = ended(launch(folder / "evaluated.py", config, out / "two"))
    ended(launch(folder / "evaluated.py", config, out / "one", hosts=1, devices=8))
    return out, said


def test_two_processes_learn_what_one_learns(runs):
    out, _ = runs
    two, one = (read_metrics(out / name) for name in ("two", "one"))
    assert [line["step"] for line in two] == [line["step"] for line in one]
    for key in ("loss", "val/mrr", "val/ndcg@10"):
        found = [[line[key] for line in lines if key in line] for lines in (two, one)]
        assert found[0] == pytest.approx(found[1], abs=2e-5) and found[0]


def test_one_of_them_writes_and_speaks(runs):
    out, said = runs
    assert len(list((out / "two" / "tensorboard").iterdir())) == 1
    lines = (out / "two" / "metrics.jsonl").read_text().splitlines()
    assert len(lines) == len(set(lines)) == len(read_metrics(out / "one"))
    result = json.loads((out / "two" / "result.json").read_text())
    assert result["results"]["val"]["mrr"] > 0
    assert "[0] " in said and "step 5/12" in said
    assert not [line for line in said.splitlines() if "step 5/12" in line][1:]


def test_one_process_evaluates_what_two_trained(runs):
    out, _ = runs
    done = small.recjax("eval", out / "two", XLA_FLAGS=small.devices(8))
    assert done.returncode == 0, done.stderr[-2000:]
    got = json.loads((out / "two" / "eval.json").read_text())["results"]["val"]
    wanted = json.loads((out / "two" / "result.json").read_text())["results"]["val"]
    assert got["mrr"] == pytest.approx(wanted["mrr"], abs=1e-6)


def test_one_process_exports_what_two_trained(runs, tmp_path):
    """Answers of the bundle against those of the run of one process."""
    out, _ = runs
    vectors = {}
    for name in ("two", "one"):
        given = "export", out / name, "--to", tmp_path / name
        done = small.recjax(*given, XLA_FLAGS=small.devices(8))
        assert done.returncode == 0, done.stderr[-2000:]
        vectors[name] = np.load(tmp_path / name / "vectors.npy")
    np.testing.assert_allclose(vectors["two"], vectors["one"], atol=1e-4)
    ids = [(tmp_path / name / "items.jsonl").read_text() for name in vectors]
    assert ids[0] == ids[1]


def flipped(shard):
    """Changes one bit of a file."""
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)


def truncated(shard):
    """Cuts off the second half of a file."""
    with shard.open("r+b") as file:
        file.truncate(shard.stat().st_size // 2)


@pytest.mark.slow
@pytest.mark.parametrize("damage", [flipped, truncated])
def test_a_damaged_shard_of_one_host_leads_to_an_older_state(
    runs, files, tmp_path, damage
):
    folder, config = files
    run = shutil.copytree(runs[0] / "two", tmp_path / "run")
    (run / "result.json").unlink()
    shards = (run / "checkpoints" / "12" / "default").glob("ocdbt.process_1/d/*")
    shard = max(shards, key=lambda path: path.stat().st_size)
    damage(shard)
    said = ended(launch(folder / "evaluated.py", config, run))
    assert f"checkpoint 12 is damaged, trying an older one: {shard}" in said
    assert "going on from step 10 of 12" in said
    two, again = (read_metrics(one) for one in (runs[0] / "two", run))
    assert again[-1]["val/mrr"] == two[-1]["val/mrr"]
    found = json.loads((run / "result.json").read_text())["goodput"]
    assert found["attempts"] == 2 and found["lost_to_restart_s"] > 0


def test_a_signal_to_one_stops_both_at_the_same_step_and_one_goes_on(files, tmp_path):
    folder, config = files
    run = tmp_path / "run"
    long = ("--set", "steps=100000")
    process = launch(folder / "experiment.py", config, run, *long)
    until_lines(process, run, 2)
    os.kill(children(process)[1], signal.SIGTERM)
    said = ended(process, 75)
    saved = re.findall(r"SIGTERM: saved step (\d+)", said)
    assert len(saved) == 2 and len(set(saved)) == 1, said
    assert (run / "checkpoints" / saved[0]).is_dir()
    again = launch(folder / "experiment.py", config, run, *long, hosts=1, devices=4)
    until_lines(again, run, len(read_metrics(run)) + 1)
    again.send_signal(signal.SIGTERM)
    assert f"going on from step {saved[0]} of" in ended(again, 75)


@pytest.mark.parametrize("host", [0, 1])
def test_a_killed_process_takes_the_other_with_it_and_is_named(host, files, tmp_path):
    folder, config = files
    run = tmp_path / "run"
    told = ("--set", "steps=100000", "--set-runtime", "heartbeat_s=5")
    process = launch(folder / "experiment.py", config, run, *told)
    until_lines(process, run, 1)
    pids = children(process)
    os.kill(pids[host], signal.SIGKILL)
    began = time.monotonic()
    said = ended(process, 128 + signal.SIGKILL)
    assert time.monotonic() - began < 5 + 10
    assert said.splitlines()[-1] == f"recjax: host {host}: killed by SIGKILL"
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids.values())


def test_a_process_that_is_stuck_is_named_with_its_stack(files, tmp_path):
    _, config = files
    experiment = Path(small.__file__).with_name("hosts_stall.py")
    told = ("--set-runtime", "stall_s=8")
    process = launch(experiment, config, tmp_path / "run", *told)
    said = ended(process, 76)
    assert "sleep_for_ever" in said
    assert "waiting for host 1 at data of step 9 for" in said, said[-3000:]
    # The step that one of them cannot begin is begun by none.
    where = "host 0 at wait of step 9, host 1 at data of step 9"
    assert said.splitlines()[-1].endswith(where), said[-3000:]


def test_processes_that_differ_are_refused(files, tmp_path):
    folder, config = files
    other = folder / "other.py"
    other.write_text(
        '"""Differs by process."""\nimport os\nimport small\n\n\ndef experiment():\n'
        "    steps = 3 + int(os.environ['RECJAX_PROCESS'])\n"
        "    return small.experiment(steps=steps)\n"
    )
    began = time.monotonic()
    said = ended(launch(other, config, tmp_path / "run"), 2)
    assert "host 1 and host 0 differ in their settings" in said
    assert "Traceback" not in said
    assert time.monotonic() - began < 120
