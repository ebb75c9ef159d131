"""The wheel, unpacked in an empty folder: no checkout, no config, no template."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import small

from recjax import __version__

SOURCES = ("recjax",)
FILES = ("pyproject.toml", "LICENSE", "README.md")
EXTRAS = [
    *("tensorflow", "scann", "apache_beam", "tokenizers", "safetensors", "sklearn"),
    *("skimage", "simplejpeg", "numba", "threadpoolctl", "onnx"),
]
"""What a plain install does not bring."""
EVENTS = ["user,item,timestamp"] + [
    f"u{u},i{(u + step) % 30},{1_600_000_000 + 60 * step}"
    for u in range(40)
    for step in range(12)
]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Returns the built wheel; the build leaves nothing in the checkout."""
    source = tmp_path_factory.mktemp("source")
    for name in SOURCES:
        skip = shutil.ignore_patterns("__pycache__")
        shutil.copytree(small.ROOT / name, source / name, ignore=skip)
    for name in FILES:
        shutil.copy(small.ROOT / name, source / name)
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation"]
    told = [*build, "--quiet", "--wheel-dir", source / "made", source]
    done = subprocess.run(told, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    (made,) = (source / "made").glob("*.whl")
    return made


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """Returns a function that runs recjax in an empty folder, and that folder."""
    site, here = tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("empty")
    with zipfile.ZipFile(wheel) as file:
        file.extractall(site)
    shutil.copy(Path(small.__file__).with_name("masked.py"), site)
    (site / "sitecustomize.py").write_text(f"import masked; masked.mask({EXTRAS})")
    own = {"PYTHONPATH": str(site), "RECJAX_CACHE": str(here.parent / "wheel_cache")}
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | own

    def run(*arguments):
        done = subprocess.run(
            [sys.executable, "-P", "-m", "recjax", *map(str, arguments)],
            capture_output=True,
            text=True,
            cwd=here,
            env={**environment, "JAX_PLATFORMS": "cpu"},
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    return run, here


def test_what_is_in_it(wheel):
    with zipfile.ZipFile(wheel) as file:
        names = set(file.namelist())
        (about,) = (n for n in names if n.endswith("dist-info/METADATA"))
        metadata = file.read(about).decode()
    tops = {name.split("/")[0] for name in names}
    assert tops == {"recjax", f"recjax-{__version__}.dist-info"}
    assert f"recjax-{__version__}.dist-info/licenses/LICENSE" in names
    assert "recjax/py.typed" in names
    own = (p.relative_to(small.ROOT) for p in (small.ROOT / "recjax").rglob("*.py"))
    assert {str(path) for path in own} <= names
    for line in (f"Version: {__version__}", "License-Expression: Apache-2.0"):
        assert line in metadata.splitlines()
    assert "Author: recjax authors" in metadata.splitlines()


@pytest.mark.slow
def test_from_an_empty_folder_to_answers(installed):
    run, here = installed
    assert run("--version") == f"recjax {__version__}\n"
    (here / "events.csv").write_text("\n".join(EVENTS) + "\n")
    run("data", "prepare", "--events", "events.csv", "--out", "mine")
    said = run("init", "--template", "two_tower", "--data", "mine")
    assert "recjax train two_tower.py --workdir" in said
    own = ("--set", "steps=20", "--set", "export.saved_model=false")
    assert "parameters" in run("show", "two_tower.py", *own)
    run("train", "two_tower.py", *own, "--workdir", "runs/mine")
    run("export", "runs/mine", "--to", "bundles/mine")
    answer = run("query", "bundles/mine", "--history", "i3", "-k", "3")
    assert len(answer.strip().splitlines()) >= 3
    assert sorted(p.name for p in here.glob("*")) == sorted(
        ["bundles", "events.csv", "runs", "two_tower.py"]
    )
