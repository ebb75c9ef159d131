"""The search page, and what it asks beside predictions."""

import re
import shutil
import subprocess

import pytest
import serving

from recjax.serve.http import page
from recjax.serve.http.models import Model


def test_it_runs_its_own_script_alone(server):
    status, text, headers = server.ask("/")
    assert status == 200 and headers["content-type"].startswith("text/html")
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    assert policy.count("'sha256-") == 2
    # Nothing that the policy would stop, and nothing from elsewhere.
    assert not re.search(r"\son\w+=|style=|https?://|src=\"", text)
    assert "innerHTML" not in text and "eval(" not in text


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_its_script_is_javascript(tmp_path):
    (script,) = re.findall("<script>(.*?)</script>", page.page()[0], re.S)
    (tmp_path / "page.js").write_text(script)
    subprocess.run(["node", "--check", str(tmp_path / "page.js")], check=True)


def test_models_and_items(server):
    assert server.ask("/v1/models")[1] == {"models": ["films", "pictures"]}
    status, said, _ = server.ask("/v1/models/films/items?id=i3&id=i0")
    assert status == 200
    assert said["items"][0] == {"id": "i3", "title": serving.TITLES[3]}
    assert server.ask("/v1/models/films/items?id=none")[0] == 400
    assert server.ask("/v1/models/none/items?id=i3")[0] == 404
    assert server.ask("/v1/models/films/items/3/picture")[0] == 404
    assert server.ask("/v1/models/films/items/x/picture")[0] == 404


class Items:
    ids = ("a.png", "../secret.png", "b.txt", "link.png", "none.png")
    titles = ids


def test_pictures_lie_in_their_folder(tmp_path):
    folder = tmp_path / "shown"
    folder.mkdir()
    for name in ("shown/a.png", "secret.png", "shown/b.txt"):
        (tmp_path / name).write_bytes(b"x")
    (folder / "link.png").symlink_to(tmp_path / "secret.png")
    bundle = type("Bundle", (), {"items": Items})
    model = Model("m", 1, bundle, {})
    found = [page.picture(model, row, {"m": folder}) for row in range(-1, 6)]
    assert found == [None, folder / "a.png", *[None] * 5]
