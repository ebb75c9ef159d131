"""Views of images: drawn once, kept whole, shared by runs."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import small
import tiny_images

from recjax.data.images.source import Images, ImagesData
from recjax.data.images.views import Wanted
from recjax.errors import UserError
from recjax.images.augment import Augment
from recjax.models import Multiscale
from recjax.nn.backbones import SmallNet
from recjax.nn.lite import EfficientNetLite
from recjax.train import image_views as views

COUNT, SIZE = 3, 16


@dataclass(frozen=True)
class Halved:
    """Maps of half the side: every other pixel, as a stand-in for a network."""

    trunk: str = "halved"

    def maps(self, images):
        """Every other pixel."""
        return images[:, ::2, ::2].astype(np.float16)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("RECJAX_CACHE", str(tmp_path))
    return tmp_path / "views"


def opened(seed=0, trunk=None, **changes):
    settings = Images("memory", (0.1, 0.5, 1.0), batch_size=8, size=SIZE, views=COUNT)
    data = ImagesData(replace(settings, **changes), seed, tiny_images.table())
    return replace(data, keep=views.keeper(trunk or Halved()))


def batch(data, step=0):
    return data.batch(step)


def test_a_step_shows_the_same_few_views_of_an_image(cache):
    data = opened()
    seen = {}
    for step in range(30):
        made = batch(data, step)
        halved = made["image"][:, :, ::2, ::2]
        np.testing.assert_array_equal(made["maps"], halved.astype(np.float16))
        for image, pixels in zip(
            made["image_id"].flat, made["image"].reshape(-1, SIZE, SIZE, 3), strict=True
        ):
            seen.setdefault(int(image), set()).add(pixels.tobytes())
    counts = [len(shown) for shown in seen.values()]
    assert max(counts) == COUNT and np.mean(counts) > COUNT - 0.5
    assert sum(counts) == len(set.union(*seen.values()))


def test_triplets_are_those_of_a_run_without_views(cache):
    with_views, without = batch(opened(), 4), batch(opened(views=0), 4)
    for name in ("image_id", "label", "relevance", "weight"):
        np.testing.assert_array_equal(with_views[name], without[name])
    assert "maps" not in without


def test_a_batch_is_a_function_of_seed_and_step(cache):
    one, again, other = batch(opened(), 5), batch(opened(), 5), batch(opened(1), 5)
    assert all((one[name] == again[name]).all() for name in one)
    assert (one["image_id"] != other["image_id"]).any()
    parts = [opened().batch(5, (host, 2)) for host in (0, 1)]
    for name in one:
        np.testing.assert_array_equal(
            np.concatenate([p[name] for p in parts]), one[name]
        )


def test_views_are_those_of_their_image_where_classes_are_held_out(cache):
    def shown_of(data):
        seen = {}
        for step in range(30):
            made = batch(data, step)
            shown = made["image"].reshape(-1, SIZE, SIZE, 3)
            for image, pixels in zip(made["image_id"].flat, shown, strict=True):
                seen.setdefault(int(image), set()).add(pixels.tobytes())
        return seen

    whole, less = shown_of(opened()), shown_of(opened(held_out=("coarse1",)))
    assert 0 < len(less) < len(whole)
    assert all(shown <= whole[image] for image, shown in less.items())
    assert len(list(cache.iterdir())) == 1


def test_other_runs_share_what_other_variations_do_not(cache):
    batch(opened(0))
    batch(opened(1, batch_size=4))
    assert len(list(cache.iterdir())) == 1
    batch(opened(augment=Augment(flip=0.0)))
    batch(opened(views=2))
    batch(opened(trunk=Halved("other weights")))
    assert len(list(cache.iterdir())) == 4


WANTED = Wanted(("some",), 200, lambda i: np.full((4, 4, 3), i, np.uint8))


def whole(kept):
    """Whether these are the views of `WANTED`, each with its maps."""
    numbers = np.arange(200)
    return (kept.pixels[numbers][:, 1, 2, 0] == numbers).all() and (
        kept.maps[numbers][:, 1, 1, 2] == numbers.astype(np.float16)
    ).all()


class Counting(Halved):
    """Counts blocks, and does something else at one of them."""

    def __init__(self, at=99, act=None):
        """Takes the number of the block."""
        super().__init__()
        self.__dict__.update(blocks=0, at=at, act=act)

    def maps(self, images):
        """Every other pixel."""
        self.__dict__["blocks"] += 1
        if self.blocks == self.at:
            self.act()
        return super().maps(images)


def interrupt():
    raise KeyboardInterrupt


def ask(number):
    return lambda: os.kill(os.getpid(), number)


@pytest.mark.parametrize(
    ("act", "left"),
    [(interrupt, 2), (ask(signal.SIGTERM), 1), (ask(signal.SIGINT), 1)],
    ids=["exception", "SIGTERM", "SIGINT"],
)
def test_what_was_interrupted_goes_on(cache, caplog, act, left):
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        views.keeper(Counting(3, act))(WANTED)
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before
    assert [path.suffix for path in cache.iterdir()] == [".partial"]
    if act is not interrupt:
        assert "192 of 200 are kept, run the same command to go on" in caplog.text
    again = Counting()
    assert whole(views.keeper(again)(WANTED))
    assert again.blocks == left
    assert len(list(cache.iterdir())) == 1


KILLED = """
import sys
from test_image_views import WANTED, Counting, ask
from recjax.train import image_views as views
views.SAVE_SECONDS = 0
views.keeper(Counting(3, ask(int(sys.argv[1]))))(WANTED)
"""


def test_a_killed_process_leaves_what_it_has_saved(cache):
    paths = [str(Path(__file__).parent), str(small.ROOT / "tests" / "support")]
    path = os.pathsep.join([str(small.ROOT), *paths])
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(int(signal.SIGKILL))],
        env=small.environment(PYTHONPATH=path),
    )
    assert done.returncode == -signal.SIGKILL
    again = Counting()
    assert whole(views.keeper(again)(WANTED))
    assert again.blocks == 2


@pytest.mark.parametrize("name", ["done", "pixels.npy", "maps.npy"])
@pytest.mark.parametrize("content", [b"", b"no number", b"99999"])
def test_damage_to_what_is_begun_starts_anew(cache, name, content):
    with pytest.raises(KeyboardInterrupt):
        views.keeper(Counting(2, interrupt))(WANTED)
    (part,) = cache.iterdir()
    (part / name).write_bytes(content)
    again = Counting()
    assert whole(views.keeper(again)(WANTED))
    assert again.blocks == 4


SLOW = """
import time
from test_image_views import WANTED, Halved, whole
from recjax.train import image_views as views

class Slow(Halved):
    def maps(self, images):
        print("made", flush=True)
        time.sleep(0.3)
        return super().maps(images)

assert whole(views.keeper(Slow())(WANTED))
"""


def test_of_several_processes_one_makes_the_views(cache):
    paths = [str(Path(__file__).parent), str(small.ROOT / "tests" / "support")]
    path = os.pathsep.join([str(small.ROOT), *paths])
    running = [
        subprocess.Popen(
            [sys.executable, "-c", SLOW],
            env=small.environment(PYTHONPATH=path),
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    said = [one.communicate(timeout=120)[0] for one in running]
    assert [one.returncode for one in running] == [0, 0, 0]
    assert sorted(text.count("made") for text in said) == [0, 0, 4]
    assert len(list(cache.iterdir())) == 1


def test_who_waits_can_be_stopped(cache, monkeypatch):
    folder = cache / "x.partial"
    with views._lock(folder) as ours:
        assert ours
        with views._lock(folder) as another:
            assert not another

    @views.contextlib.contextmanager
    def busy(part):
        part.mkdir(parents=True, exist_ok=True)
        yield False

    monkeypatch.setattr(views, "_lock", busy)
    monkeypatch.setattr(time, "sleep", lambda _: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(KeyboardInterrupt):
        views.keeper(Halved())(WANTED)


def test_a_disk_without_room(cache, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(UserError, match="views of the images .* the disk is full"):
        batch(opened())
    monkeypatch.undo()
    with pytest.raises(UserError, match="data.views = -1: keep at least one"):
        Images("memory", views=-1).open(0)


def test_views_are_of_the_models_own_parts():
    class Weights:
        variant, name = 0, "none"

        def load(self):
            raise AssertionError("not before they are needed")

    data = ImagesData(
        Images("memory", (0.25, 0.5, 1.0), views=8), 0, tiny_images.table()
    )
    front = EfficientNetLite(0, Weights(), frozen=3, pixels=SIZE)
    assert views.with_views(data, Multiscale(front)).keep is not None
    plain = replace(data, settings=replace(data.settings, views=0))
    assert views.with_views(plain, Multiscale(SmallNet())) is plain
    for branch in (
        SmallNet(),
        replace(front, frozen=0),
        replace(front, weights=None),
    ):
        with pytest.raises(UserError, match="data.views = 8 keeps maps of the frozen"):
            views.with_views(data, Multiscale(branch))
    with pytest.raises(UserError, match="open it by open_program"):
        batch(data)


def test_evaluation_is_shown_the_same_pixels_with_their_maps(cache):
    kept, anew = opened(), opened(views=0)
    some = kept.table.of_split("test")[::-1]
    shown = kept.shown(some)
    np.testing.assert_array_equal(shown["image"], anew.shown(some)["image"])
    np.testing.assert_array_equal(shown["maps"], shown["image"][:, ::2, ::2])
    assert set(anew.shown(some)) == {"image"}
