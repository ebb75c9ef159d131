"""The manifest: what it lists, and every way a bundle can break."""

import hashlib
import json
import platform

import pytest

from recjax.bundle import manifest
from recjax.errors import UserError


@pytest.fixture
def bundle(tmp_path):
    (tmp_path / "index").mkdir()
    (tmp_path / "index" / "plan.json").write_bytes(b"{}")
    (tmp_path / "vectors.npy").write_bytes(b"0123456789")
    manifest.write(tmp_path, {"items": 10})
    return tmp_path


def test_content_and_round_trip(bundle):
    content = manifest.verify(bundle)
    assert content == json.loads((bundle / "manifest.json").read_text())
    assert content["info"] == {"items": 10}
    assert content["versions"]["python"] == platform.python_version()
    assert content["versions"]["jax"]
    assert content["files"] == {
        "index/plan.json": {"sha256": hashlib.sha256(b"{}").hexdigest(), "bytes": 2},
        "vectors.npy": {
            "sha256": hashlib.sha256(b"0123456789").hexdigest(),
            "bytes": 10,
        },
    }


def test_written_twice_is_the_same(bundle):
    first = manifest.verify(bundle)
    assert manifest.write(bundle, {"items": 10}) == first
    assert sorted(p.name for p in bundle.iterdir()) == [
        "index",
        "manifest.json",
        "vectors.npy",
    ]


def test_unlisted_files_are_ignored(bundle):
    (bundle / "notes.txt").write_text("mine")
    manifest.verify(bundle)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("vectors.npy", None, "vectors.npy: missing"),
        ("index/plan.json", None, "index/plan.json: missing"),
        ("vectors.npy", b"01234", "vectors.npy: truncated, 5 of 10 bytes"),
        ("vectors.npy", b"0123456780", "vectors.npy: changed"),
        ("vectors.npy", b"0123456789+", "vectors.npy: changed"),
        ("manifest.json", None, "manifest.json: no such file"),
        ("manifest.json", b'{"format": "rec', "manifest.json: not a readable"),
        ("manifest.json", b"[]", "manifest.json: not a readable"),
        ("manifest.json", b'{"format": "x"}', "format 'x'"),
        ("manifest.json", b"\xff", "manifest.json: not a readable"),
        (
            "manifest.json",
            b'{"format": "recjax bundle 2", "files": {"a": 3}}',
            "manifest.json: not a readable",
        ),
    ],
)
def test_broken_bundle(bundle, name, content, message):
    if content is None:
        (bundle / name).unlink()
    else:
        (bundle / name).write_bytes(content)
    with pytest.raises(UserError, match=message):
        manifest.verify(bundle)
