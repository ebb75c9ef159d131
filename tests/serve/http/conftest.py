"""One server for all tests that change nothing in it."""

import pages
import pytest
import serving

from recjax.bundle.open import open_bundle


@pytest.fixture(scope="session")
def bundles(tmp_path_factory):
    """Returns the folder of two bundles: films, and numbered images."""
    folder = tmp_path_factory.mktemp("served")
    serving.films(folder / "films")
    (folder / "pictures").mkdir()
    serving.pictures(folder / "pictures" / "7")
    return folder


@pytest.fixture(scope="session")
def films(bundles):
    """Returns the bundle of films, opened."""
    return open_bundle(bundles / "films")


@pytest.fixture(scope="session")
def server(bundles):
    """Returns a server of both."""
    labels = "--label", "pictures/stable=7", "--deadline-ms", "20000"
    with serving.Server(bundles / "films", bundles / "pictures", *labels) as made:
        yield made


@pytest.fixture(scope="module")  # A loop runs for as long as it is open.
def browser():
    """Returns Chromium, where it is."""
    with pages.chromium() as made:
        yield made
