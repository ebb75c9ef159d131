"""What is told of the steps while they run."""

import logging
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest

from recjax.train.hooks import Meter
from recjax.train.progress import Progress


def batch(*weights):
    """A batch of several kinds; something longer stands before the weights."""
    return {
        f"kind{place}": {"negative": {"text": np.zeros((64, 3))}, "weight": weight}
        for place, weight in enumerate(weights)
    }


@pytest.mark.parametrize(
    ("counted", "examples"),
    [
        (batch(np.ones(8), np.ones(4)), 12),
        (batch(np.array([[0.5, 0], [2, 1]])), 3),
        ({"image": np.zeros((5, 2, 2))}, 5),
    ],
    ids=["of every kind", "not padding", "rows without weights"],
)
def test_examples_a_second_are_those_that_a_step_learns_from(counted, examples):
    meter, began = Meter(), time.perf_counter()
    for _ in range(10):
        meter.count(counted, 0.01)
    time.sleep(0.2)
    read, took = meter.read(), time.perf_counter() - began
    assert 10 * examples / took <= read["examples_per_s"] <= 10 * examples / 0.2
    assert 0.1 / took <= read["input_wait_share"] <= 0.5
    assert meter.read()["examples_per_s"] == 0


def test_negatives_are_told_at_first_and_when_they_change(caplog):
    caplog.set_level(logging.INFO)
    progress = Progress(0, 5)
    for step, count in enumerate([127.0, 126.9, 90.0], 1):
        progress.show(
            step,
            {
                "loss": 1.5,
                "examples_per_s": 10.0,
                "pin/negatives": count,
                "pin/loss": 1.5,
            },
        )
    progress.close()
    told = [m for m in caplog.messages if "negatives" in m]
    assert told == [
        "negatives of an example: pin 127",
        "negatives of an example: pin 90",
    ]
    lines = [m for m in caplog.messages if m.startswith("step ")]
    assert len(lines) == 3 and "loss 1.5000, 10 examples/s" in lines[0]


def test_lines_tell_the_validation_at_its_step_alone(caplog):
    caplog.set_level(logging.INFO)
    progress = Progress(0, 40, "validation/mrr")
    for step in (10, 20, 30):
        progress.show(step, {"loss": 1.5, "examples_per_s": 10.0})
        progress.evaluated(step, {"validation/mrr": 0.25} if step == 20 else {})
    progress.close()
    (line,) = [m for m in caplog.messages if "mrr" in m]
    assert line == "step 20/40: validation/mrr 0.2500"


def test_a_notebook_sees_one_line_that_is_rewritten(monkeypatch):
    lines = []
    line = SimpleNamespace(update=lines.append)
    monkeypatch.setitem(
        sys.modules,
        "IPython",
        SimpleNamespace(
            get_ipython=lambda: SimpleNamespace(kernel=1),
            display=SimpleNamespace(display=lambda *_, display_id: line),
        ),
    )
    progress = Progress(0, 40, "validation/mrr")
    told = {"loss": 1.5, "examples_per_s": 10.0, "softmax/negatives": 63.0}
    progress.show(20, told)
    progress.evaluated(20, {"validation/mrr": 0.25, "validation/recall@10": 0.5})
    progress.show(30, told)
    progress.close()
    first, second, last = map(str, lines)
    assert first == "step 0/40: compiling the step"
    assert second.startswith("step 20/40: loss 1.5000, 10 examples/s, ")
    assert "softmax 63 negatives" in second
    assert "validation/mrr 0.2500 at step 20" in last and last.count("\n") == 0
    assert "<pre>" in lines[-1]._repr_html_()
