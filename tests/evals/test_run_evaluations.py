"""Which evaluation runs when, and their table."""

from types import SimpleNamespace

import pytest

from recjax.evals import run_evaluations as schedule
from recjax.evals.evaluation import Evaluated


class Fake:
    def __init__(self, every, trained, figures):
        self.every, self.trained, self.figures, self.calls = every, trained, figures, 0

    def run(self, program, state):
        self.calls += 1
        return Evaluated(self.figures)


def program(evals, steps=10):
    return SimpleNamespace(experiment=SimpleNamespace(evals=evals, steps=steps))


def test_only_due_evaluations_of_the_trained_state_run_in_training():
    evals = {
        "often": Fake(4, True, {"mrr": 0.5}),
        "end": Fake(0, True, {}),
        "cheap": Fake(4, False, {}),
    }
    evaluate = schedule.during_training(program(evals))
    seen = {done: dict(evaluate(None, done)) for done in range(1, 11)}
    assert [done for done, figures in seen.items() if figures] == [4, 8, 10]
    assert seen[8] == {"often/mrr": 0.5}
    assert evals["end"].calls == evals["cheap"].calls == 0


def test_what_the_last_step_found_is_not_evaluated_again():
    evals = {"a": Fake(1, True, {"mrr": 0.1}), "b": Fake(0, False, {"mrr": 0.2})}
    found = schedule.run_all(program(evals), None, {"a/mrr": 0.9, "loss": 1.0})
    assert found["a"].figures == {"mrr": 0.9} and evals["a"].calls == 0
    assert found["b"].figures["mrr"] == 0.2 and found["b"].figures["seconds"] >= 0


def test_an_evaluation_whose_name_begins_that_of_another():
    evals = {"pin": Fake(0, True, {"mrr": 0.1}), "pin/old": Fake(1, True, {"mrr": 0.2})}
    found = schedule.run_all(program(evals), None, {"pin/old/mrr": 0.9})
    assert found["pin"].figures["mrr"] == 0.1 and evals["pin"].calls == 1
    assert found["pin/old"].figures == {"mrr": 0.9} and evals["pin/old"].calls == 0


def test_the_table_shows_main_metrics_and_all_of_an_evaluation_without_any():
    text = schedule.table(
        {
            "model": {"recall@10": 0.25, "recall@7": 0.2, "mrp": 0.1, "seconds": 12.34},
            "other": {"accuracy": 0.75, "seconds": 0.1},
        }
    )
    head, model, other = (line.split() for line in text.splitlines())
    assert head == ["evaluation", "recall@10", "accuracy", "seconds"]
    assert model == ["model", "0.2500", "-", "12.3"]
    assert other == ["other", "-", "0.7500", "0.1"]


@pytest.mark.parametrize("width", [40, 80, 200])
def test_the_table_fits_the_terminal_and_names_the_model(width, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    levels = {f"fine/recall@{k}": 0.1 for k in range(1, 20)}
    results = {
        "deep": {**levels, "seconds": 1.0},
        "lda": levels,
        "logistic": {"fine/accuracy": 0.5},
    }
    head, deep, lda, logistic = schedule.table(results, ["deep"]).splitlines()
    assert len({len(line) for line in (head, deep, lda, logistic)}) == 1
    assert len(head) <= max(width, 46)
    # The first figure of each is there, whatever the width.
    assert {"fine/recall@1", "fine/accuracy"} <= set(head.split())
    assert deep.startswith("deep (model) ") and "0.5000" in logistic
    assert ("fine/recall@6" in head.split()) == (width == 200)


def test_the_model_is_compared_with_baselines_of_its_queries():
    def one(trained, split="test"):
        return SimpleNamespace(trained=trained, split=split)

    evals = {"model": one(True), "early": one(True, "validation")}
    evals |= {"low": one(False), "high": one(False)}
    results = {
        "model": {"recall@10": 0.25, "mrr": 0.2, "coverage@10": 0.1},
        "early": {"recall@10": 0.1},
        "low": {"recall@10": 0.2, "mrr": 0.1, "coverage@10": 0.5},
        "high": {"recall@10": 0.22, "mrr": 0.2, "coverage@10": 0.6},
    }
    assert schedule.against_baselines(results, evals) == [
        "recall@10: model (0.2500) beats the best baseline high (0.2200)",
        "mrr: model (0.2000) does not beat high (0.2000)",
    ]
