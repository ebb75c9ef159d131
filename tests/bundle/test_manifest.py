"""The manifest: what it lists, and every way a bundle can break."""

import hashlib
import json
import platform

import pytest

from recjax.bundle import manifest
from recjax.bundle.card import model_card
from recjax.errors import UserError

INF, NAN = float("inf"), float("nan")


def listing(entry, name="a"):
    """Returns a manifest of one file."""
    return json.dumps({"format": "recjax bundle 2", "files": {name: entry}}).encode()


@pytest.fixture
def bundle(tmp_path):
    (tmp_path / "index").mkdir()
    (tmp_path / "index" / "plan.json").write_bytes(b"{}")
    (tmp_path / "vectors.npy").write_bytes(b"0123456789")
    manifest.write(tmp_path, {"items": 10})
    return tmp_path


def test_card_tells_what_the_manifest_knows(tmp_path):
    (tmp_path / "vectors.npy").write_bytes(b"0123456789")
    data = {"name": "shop", "digest": "ab12", "command": "recjax data prepare a|b"}
    check = {"items": 10, "score_difference": 1.25e-7}
    about = {"experiment": "mine", "step": 3, "data": data, "check": check}
    manifest.write(tmp_path, about)
    card = model_card(str(tmp_path))
    assert card.startswith(f"# {tmp_path.name}\n")
    for row in (
        "| experiment | mine |",
        "| data, digest | ab12 |",
        "| prepared by | `recjax data prepare a\\|b` |",
        "| holds | item vectors |",
        "| score difference | 1.25e-07 |",
        f"| python | {platform.python_version()} |",
    ):
        assert row in card.splitlines(), row
    assert "parameters" not in card  # Not in this manifest.
    (tmp_path / "vectors.npy").write_bytes(b"012345678X")
    with pytest.raises(UserError, match="changed since the export"):
        model_card(tmp_path)


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
        ("manifest.json", listing(3), "manifest.json: not a readable"),
        ("manifest.json", listing({"bytes": "4", "sha256": ""}), "not a readable"),
        ("manifest.json", listing({"bytes": INF, "sha256": ""}), "Infinity is no JSON"),
        ("manifest.json", listing({"bytes": NAN, "sha256": ""}), "NaN is no JSON"),
        ("manifest.json", listing({"bytes": 1e999, "sha256": ""}), "not a readable"),
        ("manifest.json", b"[" * 100_000, "not a readable"),
        ("manifest.json", listing({}, "a\0b"), "not a readable"),
        ("manifest.json", b'{"format": "recjax bundle 1"}', "of recjax 0.1 must be"),
    ],
)
def test_broken_bundle(bundle, name, content, message):
    if content is None:
        (bundle / name).unlink()
    else:
        (bundle / name).write_bytes(content)
    with pytest.raises(UserError, match=message):
        manifest.verify(bundle)


@pytest.mark.parametrize(
    "name", ["../secret", "/etc/passwd", "index/../../secret", "in"]
)
def test_what_lies_outside_is_never_opened(bundle, monkeypatch, name):
    (bundle.parent / "secret").write_bytes(b"0123")
    (bundle / "in").symlink_to(bundle.parent / "secret")
    opened = []
    monkeypatch.setattr(manifest, "_sha256", opened.append)
    entry = {"bytes": 4, "sha256": hashlib.sha256(b"0123").hexdigest()}
    (bundle / "manifest.json").write_bytes(listing(entry, name))
    with pytest.raises(UserError, match=f"{name}' *, which lies outside"):
        manifest.verify(bundle)
    assert not opened
