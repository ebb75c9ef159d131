"""Which evaluation runs when."""

from dataclasses import replace
from types import SimpleNamespace

from recjax.evals import run_evaluations as schedule
from recjax.evals.evaluation import Evaluated


class Fake:
    def __init__(self, every, trained, figures):
        self.every, self.trained, self.figures, self.calls = every, trained, figures, 0

    def run(self, program, state):
        self.calls += 1
        return Evaluated(self.figures)


def program(evals, steps=10):
    experiment = SimpleNamespace(evals=evals, steps=steps)
    return SimpleNamespace(experiment=experiment, kept={})


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


def test_what_the_last_step_showed_is_shown_in_the_report():
    made = program({"a": Fake(4, True, {"mrr": 0.5})})
    shown = made.experiment.evals["a"]
    figures = schedule.during_training(made)(None, 10)
    made.kept[schedule.FOUND, "a"] = replace(
        made.kept[schedule.FOUND, "a"], answers=("an answer",)
    )
    found = schedule.run_all(made, None, figures)
    assert found["a"].answers == ("an answer",) and shown.calls == 1
    again = schedule.run_all(made, None, done=schedule.untrained(made, found))
    assert again["a"].answers == () and shown.calls == 2
