"""A new version takes over while the old one answers; a damaged one is refused."""

import asyncio
import gc
import importlib.util
import shutil
import subprocess
import threading
import time
import weakref

import pytest
import serving
from serving import PATH, ROW, hammer

from recjax.bundle.open import open_bundle
from recjax.errors import UserError
from recjax.index import scann
from recjax.serve.http import models as served
from recjax.serve.http import swap
from recjax.serve.http.batcher import Batcher, Work
from recjax.serve.http.models import AVAILABLE, END, Models, Source
from recjax.serve.http.swap import Swapper
from recjax.serve.http.trial import Trials


@pytest.fixture
def damaged(bundles, tmp_path):
    """Returns a folder of a good version and a newer one whose vectors are cut off."""
    for version in "12":
        shutil.copytree(bundles / "films", tmp_path / "films" / version)
    vectors = tmp_path / "films" / "2" / "vectors.npy"
    vectors.write_bytes(vectors.read_bytes()[:-9])
    return tmp_path / "films"


def started(folder, **labels):
    models = Models({"films": Source("films", folder)}, labels)
    swapper = Swapper(models, lambda name, version: None, Trials(folder.parent))
    asyncio.run(swapper.start("films"))
    return models


def test_an_older_version_starts_where_the_newest_is_damaged(damaged, caplog):
    models = started(damaged)
    assert [*models.available["films"]] == [1]
    states = models.states["films"]
    assert states[1] == (AVAILABLE, "") and states[2][0] == END
    (said,) = [one for one in caplog.records if one.message == "refused"]
    assert said.fields["version"] == 2
    assert said.fields["error"].startswith("films/2/vectors.npy: truncated")


def test_nothing_starts_where_all_or_a_labelled_version_is_damaged(damaged):
    with pytest.raises(UserError, match="2/vectors.npy: truncated"):
        started(damaged, films={"stable": 2})
    shutil.rmtree(damaged / "1")
    with pytest.raises(UserError, match="2/vectors.npy: truncated"):
        started(damaged)


def test_an_index_of_scann_needs_it(bundles, tmp_path, monkeypatch):
    shutil.copytree(bundles / "films", tmp_path / "films")
    (tmp_path / "films" / scann.FOLDER).mkdir()
    opened = open_bundle(bundles / "films")
    monkeypatch.setattr(served, "open_bundle", lambda folder: opened)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="serve its index needs.*recjax.scann"):
        served.load("films", 1, tmp_path / "films")


def test_workers_share_what_one_of_them_tried(damaged, tmp_path, monkeypatch):
    """Counts the children that two workers start."""
    started = []
    real = subprocess.Popen

    def counted(words, **options):
        started.append(words)
        return real(words, **options)

    monkeypatch.setattr(subprocess, "Popen", counted)
    workers = [Trials(tmp_path), Trials(tmp_path)]

    def faults(version):
        found = []

        def ask(worker):
            try:
                worker.check("films", version, damaged / str(version))
                found.append("")
            except UserError as error:
                found.append(str(error))

        threads = [threading.Thread(target=ask, args=(one,)) for one in workers]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        return found

    assert faults(1) == ["", ""] and len(started) == 1
    for fault in faults(2):
        assert "vectors.npy: truncated" in fault
    assert len(started) == 2
    # Another bundle at the same place is tried anew.
    shutil.rmtree(damaged / "2")
    shutil.copytree(damaged / "1", damaged / "2")
    assert faults(2) == ["", ""] and len(started) == 3


def test_the_end_of_a_server_does_not_wait_for_a_trial(damaged, tmp_path):
    trials, found = Trials(tmp_path), []

    def ask():
        try:
            trials.check("films", 1, damaged / "1")
        except UserError as error:
            found.append(str(error))

    asking = threading.Thread(target=ask)
    asking.start()
    time.sleep(0.3)
    trials.stop()
    asking.join(5)
    assert not asking.is_alive() and found
    assert "status -9" in found[0] or "the server ends" in found[0]


def test_a_version_that_ended_is_freed(bundles, tmp_path, monkeypatch):
    """What is frozen out of the search for garbage would stay for ever."""
    for version in "12":
        shutil.copytree(bundles / "films", tmp_path / "new" / version)
    folder = tmp_path / "films"
    folder.mkdir()
    (tmp_path / "new" / "1").rename(folder / "1")
    opened = []

    def load(*given):
        model = served.load(*given)
        opened.append(weakref.ref(model.bundle))
        return model

    monkeypatch.setattr(swap, "load", load)
    monkeypatch.setattr(swap, "SETTLE", 0.1)
    models = Models({"films": Source("films", folder)})
    swapper = Swapper(models, lambda name, version: None, Trials(tmp_path))
    batcher = Batcher()

    async def ask():
        signature = models.find("films").signatures["serving_default"]
        columns = {name: list(value) for name, value in signature.blank.items()}
        done = asyncio.get_running_loop().create_future()
        late = time.monotonic() + 60
        given = signature, (1, 8), columns, 1, late, done.set_result
        batcher.submit(Work(*given, asyncio.get_running_loop()))
        return (await done).columns

    async def change():
        await swapper.start("films")
        swap.settle()
        first = await ask()
        (tmp_path / "new" / "2").rename(folder / "2")
        await swapper.look("films")
        await asyncio.sleep(0.5)
        return first

    try:
        assert asyncio.run(change())["ids"]
        assert [*models.available["films"]] == [2]
        assert opened[0]() is None and opened[1]() is not None
    finally:
        gc.unfreeze()
        batcher.stop()


@pytest.mark.slow
def test_versions_take_over_and_a_damaged_one_does_not(bundles, tmp_path):
    """Starts a server and two children of it."""
    models = tmp_path / "films"
    models.mkdir()
    shutil.copytree(bundles / "films", models / "1")
    options = "--poll-s", "0.5", "--deadline-ms", "20000", "--cache-s", "60"
    with serving.Server(models, *options) as server:

        def states():
            said = server.ask("/v1/models/films")[1]["model_version_status"]
            return {one["version"]: one["state"] for one in said}

        def wait(version, state):
            until = time.monotonic() + 120
            while states().get(version) != state:
                assert time.monotonic() < until, (states(), server.lines[-3:])
                time.sleep(0.1)

        def answer():
            return server.predict("films", instances=[{**ROW, "k": 8}])["predictions"][
                0
            ]

        first, found = answer(), []
        asking = threading.Thread(
            target=lambda: found.extend(hammer(server.port, 15.0, 3, 2))
        )
        asking.start()
        serving.films(tmp_path / "made", seed=1)
        shutil.copytree(tmp_path / "made", tmp_path / "bad")
        (tmp_path / "made").rename(models / "2")
        wait("2", "AVAILABLE")
        wait("1", "END")
        second = answer()
        assert first["ids"] != second["ids"]
        vectors = tmp_path / "bad" / "vectors.npy"
        vectors.write_bytes(vectors.read_bytes()[:-9])
        (tmp_path / "bad").rename(models / "3")
        wait("3", "END")
        said = server.ask("/v1/models/films/versions/3")
        assert said[0] == 200
        (three,) = said[1]["model_version_status"]
        error = three["status"]["error_message"]
        assert "films/3/vectors.npy: truncated" in error and str(tmp_path) not in error
        assert answer() == second
        asking.join()
        assert {status for status, _, _ in found} == {200}
        for _, number, said in found:
            for row in said["predictions"]:
                ids = [one["ids"][: number + 1] for one in (first, second)]
                assert row["ids"] in ids, "an answer of neither version"
        assert server.ask(PATH.replace("films:", "films/versions/1:"), {})[0] == 404
