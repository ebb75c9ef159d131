"""Every experiment can be written as the Python that builds it."""

from pathlib import Path

import pytest

from recjax import written
from recjax.experiment import load_experiment

ROOT = Path(__file__).resolve().parents[1]
FILES = [
    path
    for path in sorted((ROOT / "experiments").glob("*.py"))
    if not path.stem.startswith("pinnersage_")
]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_written_experiment_is_the_same(path, tmp_path):
    made = load_experiment(str(path))
    copy = tmp_path / "experiment.py"
    copy.write_text(written.file(made, "experiment", "A copy."))
    assert load_experiment(str(copy)) == made
