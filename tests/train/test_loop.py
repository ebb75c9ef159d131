"""The loop: what it writes, when it evaluates, what it keeps."""

import json
import math
import signal
from dataclasses import replace

import jax
import numpy as np
import pytest
import small

from recjax.train.checkpoint import Checkpoints, read_state
from recjax.train.loop import train
from recjax.train.program import open_program
from recjax.train.writer import Writer, read_metrics


def opened(**changes):
    return open_program(small.experiment(**changes), small.runtime())


def nothing(state, done):
    return {}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("run")
    seen = []

    def evaluate(state, done):
        seen.append((done, int(state.step)))
        # The best value is neither the first nor the last.
        return {"e/score": -abs(done - 20)} if done % 10 == 0 else {}

    program = opened(best="e/score")
    return workdir, program, seen, train(program, workdir, evaluate)


def test_every_step_is_offered_to_the_evaluations(trained):
    _, _, seen, ended = trained
    assert seen == [(step, step) for step in range(1, 31)]
    assert ended.finished and ended.start == 0 and int(ended.state.step) == 30


def test_metrics_are_means_over_the_steps_between_lines(trained):
    workdir, program, _, ended = trained
    lines = [line for line in read_metrics(workdir) if "loss" in line]
    assert [line["step"] for line in lines] == [5, 10, 15, 20, 25, 30]
    for line in lines:
        assert math.isfinite(line["loss"]) and line["examples_per_s"] > 0
        assert 0 <= line["input_wait_share"] <= 1
        assert 0 < line["softmax/negatives"] <= 15 + 24
        assert line["loss"] == pytest.approx(line["softmax/loss"], rel=1e-5)
    assert lines[-1]["loss"] < lines[0]["loss"]
    scores = [line for line in read_metrics(workdir) if "e/score" in line]
    assert [(s["step"], s["e/score"]) for s in scores] == [
        (10, -10),
        (20, 0),
        (30, -10),
    ]
    assert ended.figures["e/score"] == -10
    assert list((workdir / "tensorboard").iterdir())


def test_the_newest_and_the_best_states_are_kept(trained):
    workdir, program, _, ended = trained
    assert Checkpoints(workdir / "checkpoints", 9).steps() == [20, 30]
    newest = read_state(workdir / "checkpoints", program.like)
    for one, other in zip(
        jax.tree.leaves(newest), jax.tree.leaves(ended.state), strict=True
    ):
        np.testing.assert_array_equal(one, other)
    assert int(read_state(workdir / "best", program.like).step) == 20
    note = json.loads((workdir / "best.json").read_text())
    assert note == {"metric": "e/score", "step": 20, "value": 0}


def test_a_finished_run_has_nothing_left_to_do(trained):
    workdir, program, _, ended = trained
    again = train(program, workdir, nothing)
    assert again.finished and again.start == 30
    np.testing.assert_array_equal(
        again.state.tables["film"], ended.state.tables["film"]
    )


def test_two_attempts_are_one_run(trained, tmp_path):
    _, program, _, ended = trained
    # A run of 30 steps that stops after 10, as if its process had ended there.
    runtime = replace(small.runtime(), checkpoint_every=5)
    half = open_program(small.experiment(), runtime)

    class Ended(Exception):
        pass

    def end(state, done):
        if done == 13:
            raise Ended
        return {}

    with pytest.raises(Ended):
        train(half, tmp_path, end)
    again = train(half, tmp_path, nothing)
    assert again.start == 10
    for one, other in zip(
        jax.tree.leaves(again.state), jax.tree.leaves(ended.state), strict=True
    ):
        assert np.asarray(one).tobytes() == np.asarray(other).tobytes()
    steps = [line["step"] for line in read_metrics(tmp_path) if "loss" in line]
    assert steps == [5, 10, 15, 20, 25, 30]


def test_a_signal_in_the_middle_of_a_step_is_saved_after_the_next(trained, tmp_path):
    _, program, _, _ = trained

    def ask(state, done):
        if done == 7:
            signal.raise_signal(signal.SIGTERM)
        return {}

    ended = train(program, tmp_path, ask)
    assert not ended.finished and int(ended.state.step) == 8
    assert Checkpoints(tmp_path / "checkpoints", 9).steps() == [8]


def test_lines_of_steps_to_be_done_again_are_dropped(tmp_path):
    writer = Writer(tmp_path)
    for step in (1, 2, 3):
        writer.write(step, {"loss": float(step), "bad": math.inf})
    writer.close()
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 4, "lo')
    Writer(tmp_path, start=2).close()
    lines = read_metrics(tmp_path)
    assert [(line["step"], line["loss"], line["bad"]) for line in lines] == [
        (1, 1.0, None),
        (2, 2.0, None),
    ]
