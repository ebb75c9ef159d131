"""Results as text: tables that fit the terminal, and who wins."""

import re
from types import SimpleNamespace

import numpy as np
import pytest

from recjax.evals import results
from recjax.metrics.sample import Sample


def test_evaluations_of_other_metrics_have_a_table_of_their_own():
    text = results.text(
        {
            "model": {"recall@10": 0.25, "recall@7": 0.2, "mrp": 0.1, "seconds": 12.34},
            "other": {"accuracy": 0.75, "seconds": 0.1},
        },
        (),
        {},
        "report.html",
    )
    first, second = text.split("\n\n")
    assert [line.split() for line in first.splitlines()] == [
        ["evaluation", "recall@10", "seconds"],
        ["model", "0.2500", "12.3"],
    ]
    assert [line.split() for line in second.splitlines()] == [
        ["evaluation", "accuracy", "seconds"],
        ["other", "0.7500", "0.1"],
    ]


@pytest.mark.parametrize("width", [40, 80, 100, 400])
def test_tables_fit_the_terminal_and_name_the_model(width, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    levels = {f"fine/recall@{k}": 0.1 for k in range(1, 20)}
    found = {
        "deep": {**levels, "seconds": 1.0},
        "lda": levels,
        "logistic": {"fine/accuracy": 0.5},
        "a name that is much longer than any terminal is wide": {"fine/accuracy": 1.0},
    }
    text = results.text(found, ["deep"], {}, "report.html")
    assert max(map(len, text.splitlines())) <= max(width, 56)
    # The first figure of each is there, whatever the width.
    assert re.search(r"fine/recall@1\b", text) and "fine/accuracy" in text
    assert "\ndeep (model) " in text and "0.5000" in text
    assert ("fine/recall@15" in text) == (width == 400)
    assert ("more metrics are in" in text) == (width != 400)


@pytest.mark.parametrize(("count", "told"), [(1, "1 more metric is"), (2, "2 more m")])
def test_metrics_without_room_are_counted(count, told, monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    found = {"m": dict.fromkeys(results.MAIN[: 1 + count], 0.1)}
    text = results.text(found, (), {}, "runs/m/report.html")
    assert text.splitlines()[-1].startswith(told)
    assert text.endswith("in runs/m/report.html")


def sample(seed, share, size=400):
    return Sample.of(np.random.default_rng(seed).random(size) < share)


def test_half_of_the_interval_stands_beside_the_first_metric():
    one = sample(0, 0.5)
    low, high = one.interval
    text = results.text({"m": {"mrr": one.mean}}, ["m"], {"m": {"mrr": one}}, "")
    assert f"{one.mean:.4f} ±{(high - low) / 2:.4f}" in text


def test_the_model_is_compared_with_baselines_of_its_queries():
    def one(trained, split="test"):
        return SimpleNamespace(trained=trained, split=split)

    evals = {"model": one(True), "early": one(True, "validation")}
    evals |= {"low": one(False), "high": one(False)}
    found = {
        "model": {"recall@10": 0.25, "mrr": 0.2, "coverage@10": 0.1},
        "early": {"recall@10": 0.1},
        "low": {"recall@10": 0.2, "mrr": 0.1, "coverage@10": 0.5},
        "high": {"recall@10": 0.22, "mrr": 0.2, "coverage@10": 0.6},
    }
    assert results.said(results.compared(found, evals, {})) == [
        "recall@10: model (0.2500) beats the best baseline, high (0.2200).",
        "model is not ahead in mrr.",
    ]


def test_a_difference_that_chance_explains_is_none():
    evals = {
        "model": SimpleNamespace(trained=True),
        "low": SimpleNamespace(trained=False),
    }

    def told(own, other):
        samples = {"model": {"mrr": own}, "low": {"mrr": other}}
        figures = {name: {"mrr": one["mrr"].mean} for name, one in samples.items()}
        ((one,),) = results.compared(figures, evals, samples)
        return one, str(one)

    one, text = told(sample(1, 0.5), sample(2, 0.2))
    assert one.wins and "beats the best baseline, low" in text
    low, high = one.interval
    assert 0 < low < one.own - one.other < high and f"{low:.4f} to {high:.4f}" in text
    one, text = told(sample(1, 0.2), sample(2, 0.5))
    assert not one.wins and "loses to the best baseline" in text
    one, text = told(*(Sample.of((np.arange(50) + i) % 2) for i in range(2)))
    assert not one.wins and "cannot be told apart" in text
