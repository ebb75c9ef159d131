"""What a training measured is kept where nothing can change it unseen."""

from dataclasses import dataclass, replace

from recjax.evals import measured
from recjax.evals.measured import key_of as key_at
from recjax.evals.ranking import Ranking
from recjax.experiment import Runtime, load_experiment
from recjax.pretrained.warm_start import Bert

MADE = "experiments/two_tower_movielens.py"


@dataclass(frozen=True)
class Mine:
    """A user's own scorer."""


def test_a_key_needs_a_checkpoint_prepared_data_and_code_of_recjax_alone(tmp_path):
    def key_of(*args):
        return key_at(*args[:2], Runtime(), *args[2:])

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
    inside = replace(made, evals={"mine": Ranking("test", (1, [Mine()]))})
    assert key_of(tmp_path, inside, 3, (1, 2)) is None


def test_files_beside_the_data_code_and_precision_change_a_key(tmp_path, monkeypatch):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "3.files.json").write_text("{}")
    folder = tmp_path / "encoder"
    folder.mkdir()
    (folder / "vocab.txt").write_text("a b")
    starts = {"query/text": Bert(str(folder))}
    made = replace(load_experiment(MADE), warm_start=starts)

    def key(runtime=Runtime()):  # noqa: B008
        return key_at(tmp_path, made, runtime, 3, (1, 2))

    keys = [key(), key(Runtime(matmul_precision="highest"))]
    assert keys[0] == key() == key(Runtime(log_every=7))
    (folder / "vocab.txt").write_text("a c d")
    keys.append(key())
    (folder / "vocab.txt").unlink()
    keys.append(key())
    monkeypatch.setattr(measured, "CODE", "edited")
    keys.append(key())
    assert None not in keys and len({*keys}) == 5
