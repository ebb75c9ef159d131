"""Views of images: drawn once, kept whole, shared by runs."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import tiny_images

from recjax.data.images.source import Images, ImagesData
from recjax.data.images.views import Views
from recjax.errors import UserError
from recjax.images.augment import Augment

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


def opened(seed=0, **changes):
    settings = Images(
        "memory", (0.1, 0.5, 1.0), batch_size=8, size=SIZE, views=Views(Halved(), COUNT)
    )
    return ImagesData(replace(settings, **changes), seed, tiny_images.table())


def batch(data, step=0):
    return next(data.batches(step, (0, 1), 0, 0))


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
    counts = [len(views) for views in seen.values()]
    assert max(counts) == COUNT and np.mean(counts) > COUNT - 0.5
    assert sum(counts) == len(set.union(*seen.values()))


def test_triplets_are_those_of_a_run_without_views(cache):
    with_views, without = batch(opened(), 4), batch(opened(views=None), 4)
    for name in ("image_id", "label", "relevance", "weight"):
        np.testing.assert_array_equal(with_views[name], without[name])
    assert "maps" not in without


def test_a_batch_is_a_function_of_seed_and_step(cache):
    one, again, other = batch(opened(), 5), batch(opened(), 5), batch(opened(1), 5)
    assert all((one[name] == again[name]).all() for name in one)
    assert (one["image_id"] != other["image_id"]).any()
    parts = [next(opened().batches(5, (host, 2), 0, 0)) for host in (0, 1)]
    for name in one:
        np.testing.assert_array_equal(
            np.concatenate([p[name] for p in parts]), one[name]
        )


def test_views_are_those_of_their_image_where_classes_are_held_out(cache):
    def views(data):
        seen = {}
        for step in range(30):
            made = batch(data, step)
            shown = made["image"].reshape(-1, SIZE, SIZE, 3)
            for image, pixels in zip(made["image_id"].flat, shown, strict=True):
                seen.setdefault(int(image), set()).add(pixels.tobytes())
        return seen

    whole, less = views(opened()), views(opened(held_out=("coarse1",)))
    assert 0 < len(less) < len(whole)
    assert all(shown <= whole[image] for image, shown in less.items())
    assert len(list(cache.iterdir())) == 1


def test_other_runs_share_what_other_variations_do_not(cache):
    batch(opened(0))
    batch(opened(1, batch_size=4))
    assert len(list(cache.iterdir())) == 1
    batch(opened(augment=Augment(flip=0.0)))
    batch(opened(views=Views(Halved(), 2)))
    batch(opened(views=Views(Halved("other weights"), COUNT)))
    assert len(list(cache.iterdir())) == 4


def test_what_was_interrupted_is_made_anew(cache):
    class Interrupted(Halved):
        def maps(self, images):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        batch(opened(views=Views(Interrupted(), COUNT)))
    assert [path.suffix for path in cache.iterdir()] == [".partial"]
    batch(opened())
    assert len(list(cache.iterdir())) == 1


def test_a_disk_without_room(cache, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np.lib.format, "open_memmap", full)
    with pytest.raises(UserError, match="views of the images .* the disk is full"):
        batch(opened())
    with pytest.raises(ValueError, match="count = 0: keep at least one"):
        Views(Halved(), 0)


def test_evaluation_is_shown_the_same_pixels_with_their_maps(cache):
    kept, anew = opened(), opened(views=None)
    some = kept.table.of_split("test")[::-1]
    shown = kept.shown(some)
    np.testing.assert_array_equal(shown["image"], anew.shown(some)["image"])
    np.testing.assert_array_equal(shown["maps"], shown["image"][:, ::2, ::2])
    assert set(anew.shown(some)) == {"image"}
