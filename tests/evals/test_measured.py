"""What a training measured is kept where nothing can change it unseen."""

from dataclasses import dataclass, replace

from recjax.evals.baselines.popularity import Popularity
from recjax.evals.measured import key_of
from recjax.evals.ranking import Ranking
from recjax.experiment import load_experiment

MADE = "experiments/two_tower_movielens.py"


@dataclass(frozen=True)
class Mine(Popularity):
    """A user's own scorer."""


def test_a_key_needs_a_checkpoint_prepared_data_and_code_of_recjax_alone(tmp_path):
    made = load_experiment(MADE)
    assert key_of(tmp_path, made, 3, (1, 2)) is None
    (tmp_path / "checkpoints").mkdir()
    listing = tmp_path / "checkpoints" / "3.files.json"
    listing.write_text("{}")
    key = key_of(tmp_path, made, 3, (1, 2))
    assert key and key == key_of(tmp_path, load_experiment(MADE), 3, (1, 2))
    assert key_of(tmp_path, made, 3, ()) is None
    others = [key_of(tmp_path, made, 3, (1, 3))]
    others.append(key_of(tmp_path, replace(made, seed=9), 3, (1, 2)))
    listing.write_text('{"a": 1}')
    others.append(key_of(tmp_path, made, 3, (1, 2)))
    assert None not in others and len({key, *others}) == 4
    own = replace(made, evals={"mine": Ranking("test", Mine())})
    assert key_of(tmp_path, own, 3, (1, 2)) is None
