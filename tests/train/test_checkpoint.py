"""Checkpoints: what is kept, what is believed, what is said of damage."""

import gc
import logging

import jax.numpy as jnp
import numpy as np
import pytest

from recjax.errors import UserError
from recjax.train.checkpoint import Checkpoints, read_state


def state(step):
    return {"step": jnp.int32(step), "w": jnp.arange(5_000.0) * step}


LIKE = state(0)
# Orbax leaves coroutines behind where restoring fails.
pytestmark = pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)


@pytest.fixture(autouse=True)
def leftovers():
    yield
    gc.collect()


@pytest.fixture
def folder(tmp_path):
    checkpoints = Checkpoints(tmp_path / "checkpoints", keep=2)
    for step in (10, 20, 30):
        checkpoints.save(step, state(step))
        # While it is being written, as the loop does.
        checkpoints.settle()
    checkpoints.close()
    return tmp_path / "checkpoints"


def largest(folder, step):
    files = [path for path in (folder / str(step)).rglob("*") if path.is_file()]
    return max(files, key=lambda path: path.stat().st_size)


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def test_the_newest_are_kept_with_their_lists_of_files(folder):
    names = {path.name for path in folder.iterdir()}
    assert names == {"20", "30", "20.files.json", "30.files.json"}


def test_the_newest_is_restored(folder):
    got = Checkpoints(folder, 2).restore(LIKE)
    assert int(got["step"]) == 30
    np.testing.assert_array_equal(got["w"], state(30)["w"])


def test_nothing_is_restored_from_nothing(tmp_path):
    assert Checkpoints(tmp_path / "new", 2).restore(LIKE) is None
    with pytest.raises(UserError, match="holds no checkpoint: train the run first"):
        read_state(tmp_path / "new", LIKE)
    with pytest.raises(UserError, match="holds no checkpoint"):
        read_state(tmp_path / "absent", LIKE)
    assert not (tmp_path / "absent").exists()


@pytest.mark.parametrize(
    ("damage", "says"),
    [(truncate, "bytes"), (flip, "has changed"), (lambda p: p.unlink(), "is missing")],
)
def test_of_a_damaged_newest_the_one_before_is_used(folder, damage, says, caplog):
    path = largest(folder, 30)
    damage(path)
    with caplog.at_level(logging.WARNING):
        got = Checkpoints(folder, 2).restore(LIKE)
    assert int(got["step"]) == 20
    (message,) = [r.getMessage() for r in caplog.records if "damaged" in r.message]
    assert "checkpoint 30 is damaged" in message
    assert str(path) in message and says in message


def test_a_damaged_one_is_set_aside_and_its_step_saved_again(folder):
    truncate(largest(folder, 30))
    checkpoints = Checkpoints(folder, 2)
    checkpoints.restore(LIKE)
    assert checkpoints.steps() == [20]
    (aside,) = (folder.parent / "checkpoints_damaged").iterdir()
    assert aside.name.startswith("30-")
    checkpoints.save(30, state(31))
    checkpoints.close()
    assert int(Checkpoints(folder, 2).restore(LIKE)["step"]) == 31


def test_reading_alone_changes_nothing(folder):
    truncate(largest(folder, 30))
    before = sorted(folder.rglob("*"))
    assert int(read_state(folder, LIKE)["step"]) == 20
    assert sorted(folder.rglob("*")) == before
    assert not (folder.parent / "checkpoints_damaged").exists()


def test_a_cut_one_without_a_list_of_files_is_told_too(folder):
    # The process was killed between writing and listing, the file cut later.
    path = largest(folder, 30)
    (folder / "30.files.json").unlink()
    path.write_bytes(b"")
    assert int(read_state(folder, LIKE)["step"]) == 20


def test_where_all_are_damaged_each_is_named(folder):
    paths = [largest(folder, step) for step in (20, 30)]
    for path in paths:
        truncate(path)
    with pytest.raises(UserError) as error:
        read_state(folder, LIKE)
    assert all(str(path) in str(error.value) for path in paths)
    assert f"remove {folder} to start the run anew" in str(error.value)


def test_a_state_of_other_shapes_is_no_damage(folder):
    other = {"step": jnp.int32(0), "w": jnp.zeros(7)}
    with pytest.raises(UserError, match=r"whole but does not fit: .*30: .*shape"):
        Checkpoints(folder, 2).restore(other)
    assert int(Checkpoints(folder, 2).restore(LIKE)["step"]) == 30


def test_half_written_folders_are_not_seen(folder):
    (folder / "40.orbax-checkpoint-tmp-0").mkdir()
    assert Checkpoints(folder, 2).steps() == [20, 30]
    assert int(read_state(folder, LIKE)["step"]) == 30


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write checkpoints"):
        Checkpoints(tmp_path / "file" / "checkpoints", 2)


@pytest.mark.parametrize(
    "error",
    [
        OSError(28, "No space left on device"),
        # As TensorStore's threads tell it.
        ValueError("RESOURCE_EXHAUSTED: Error opening: x [os_error_code='28'] [spec]"),
    ],
)
def test_a_full_disk(folder, monkeypatch, error):
    checkpoints = Checkpoints(folder, 2)

    def full(*args, **kwargs):
        raise error

    monkeypatch.setattr(checkpoints._manager, "save", full)
    with pytest.raises(UserError, match=r"disk is full \(No space left on device\)"):
        checkpoints.save(40, state(40))


def test_other_errors_than_the_disk_are_not_hidden(folder, monkeypatch):
    checkpoints = Checkpoints(folder, 2)

    def wrong(*args, **kwargs):
        raise ValueError("something else")

    monkeypatch.setattr(checkpoints._manager, "wait_until_finished", wrong)
    with pytest.raises(ValueError, match="something else"):
        checkpoints.settle(wait=True)
