"""What does not fit in an experiment of one's own is named, with the fix."""

from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import pytest
import small

from recjax.cli.main import main
from recjax.errors import UserError
from recjax.losses import LossValue, SampledSoftmax, TripletHinge
from recjax.models import Table
from recjax.nn.decayed_sum import DecayedSum, RecencyBag
from recjax.nn.inputs import EmbeddingBag
from recjax.train.program import open_program

MODEL = small.experiment().model


def with_inputs(**inputs):
    """The small model, inputs of its query tower replaced."""
    return replace(MODEL, query=MODEL.query.clone(inputs=inputs))


def with_tables(**tables):
    return replace(MODEL, tables={**MODEL.tables, **tables})


def frozen():
    """A counted part that is wider on one side than on the other."""
    query = {"history": DecayedSum("follows", "history_age", 1.0)}
    candidate = {"item": EmbeddingBag("followed", norm=0.0)}
    made = replace(
        MODEL,
        query=MODEL.query.clone(frozen_inputs=query),
        candidate=MODEL.candidate.clone(frozen_inputs=candidate),
    )
    return replace(made, tables={**MODEL.tables, "follows": Table(5)})


HISTORY, TEXT = MODEL.query.inputs["history"], MODEL.query.inputs["text"]
WIDE = replace(
    with_inputs(history=HISTORY, text=EmbeddingBag("words")),
    tables={**MODEL.tables, "words": Table(6)},
)
DOES_NOT_FIT = {
    "table of another width": (
        WIDE,
        r"the query tower: inputs of other widths .*'history' 8 of tables \['film'\], "
        r"'text' 6 of tables \['words'\]; give their tables one width",
    ),
    "history of another width": (
        with_tables(film=Table(6)),
        "the query tower: table 'film' is 6 wide, RecencyBag has width 8: give both",
    ),
    "importance that is no number": (
        with_tables(importance=Table(2)),
        r"the query tower: table 'importance' is 2 wide, .* needs Table\(1\)",
    ),
    "towers of other widths": (
        replace(MODEL, query=MODEL.query.clone(width=5)),
        r"other widths: {'query': 5, 'candidate': 8}; make the towers' width alike",
    ),
    "frozen parts of other widths": (
        replace(frozen(), tables={**frozen().tables, "followed": Table(4)}),
        r"{'query': 13, 'candidate': 12}; make the towers' width alike, and .*frozen",
    ),
    "no such table": (
        with_inputs(history=HISTORY, text=EmbeddingBag("tokens", "importance")),
        "the query tower's input 'text' names no table 'tokens' of model.tables: "
        r"\['film', 'importance', 'token'\]. Did you mean 'token'",
    ),
    "no such feature": (
        with_inputs(histori=HISTORY, text=TEXT),
        "the query tower wants feature 'histori', the data has .*mean 'history'",
    ),
    "no such age": (
        with_inputs(history=RecencyBag("film", small.WIDTH, age="ages"), text=TEXT),
        "the query tower wants feature 'ages', the data has .*'history_age'",
    ),
    "no ids": (
        with_inputs(history_age=EmbeddingBag("film"), text=TEXT),
        r"input 'history_age' looks up rows of \['film'\]; the feature holds no ids",
    ),
    "too few rows": (
        with_tables(film=Table(small.WIDTH, rows=7)),
        "table 'film' has rows=7, its inputs need 41: leave rows out",
    ),
}


@pytest.mark.parametrize("name", DOES_NOT_FIT)
def test_a_model_that_does_not_fit(name):
    model, told = DOES_NOT_FIT[name]
    program = open_program(small.experiment(model=model), small.runtime())
    with pytest.raises(
        UserError, match=rf"(?s)the model does not fit the data: .*{told}"
    ):
        _ = program.like


@dataclass(frozen=True)
class Own:
    """A loss of one's own."""

    returned: str
    weight: float = 1.0

    def __call__(self, outputs):
        """Returns what some would."""
        value = jnp.sum((outputs.query - outputs.positive) ** 2, -1)
        return {
            "array": value,
            "mean": jnp.mean(value),
            "tuple": (value, outputs.weight),
            "mean as value": LossValue(jnp.mean(value), outputs.weight),
            "all means": LossValue(jnp.mean(value), jnp.float32(1)),
            "monitor": LossValue(value, outputs.weight, {"far": jnp.max(value)}),
            "right": LossValue(value, outputs.weight, {"far": value}),
        }[self.returned]


def step_of(loss):
    program = open_program(small.experiment(losses={"mine": loss}), small.runtime())
    return jax.eval_shape(program.step(), program.like, program.example_batch)


@pytest.mark.parametrize(
    ("loss", "told"),
    [
        (
            Own("array"),
            r"Own returned an array \[16\]: return LossValue\(value, weight\)",
        ),
        (Own("mean"), r"Own returned an array \[\]: return LossValue\(value, weight\)"),
        (Own("tuple"), "Own returned a tuple: return LossValue"),
        (
            Own("mean as value"),
            r"'value': \(\), 'weight': \(16,\)}: each must be \[B\]",
        ),
        (Own("all means"), r"'value': \(\), 'weight': \(\)}: each must be \[B\]"),
        (Own("monitor"), r"'far': \(\)}: each must be \[B\]"),
        (TripletHinge(), "which are a Retrieval without 'vector': take a loss for"),
        (SampledSoftmax(of="pin"), "of = 'pin': the model has None"),
    ],
)
def test_a_loss_that_does_not_fit(loss, told):
    with pytest.raises(UserError, match=rf"losses\.mine: .*{told}"):
        step_of(loss)


def test_a_loss_of_ones_own_that_fits():
    _, report = step_of(Own("right"))
    assert {"mine/loss", "mine/far"} <= set(report.means)


def test_a_fault_inside_a_loss_is_not_hidden():
    class Broken(Own):
        def __call__(self, outputs):
            return outputs.query.no_such_thing

    with pytest.raises(AttributeError, match="no_such_thing"):
        step_of(Broken("array"))


def test_the_command_line_says_it_in_one_line(tmp_path, capsys):
    file, config = small.write_files(tmp_path)
    told = ["show", str(file), "--on", str(config)]
    with pytest.raises(SystemExit) as left:
        main([*told, "--set", "model.tables.film.width=6"])
    assert left.value.code == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1 and "table 'film' is 6 wide" in said[0]
