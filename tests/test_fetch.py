"""Downloads that break off, lie or grow; a server of our own sends them."""

import hashlib
import io
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from recjax import fetch
from recjax.errors import UserError


def archive():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr("data.txt", "whole" * 1_000)
    return out.getvalue()


WHOLE = archive()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_GET(self):
        self.send_response(200)
        getattr(self, self.path.strip("/"))()
        self.close_connection = True

    def _send(self, content, length=None):
        self.send_header("Content-Length", str(length or len(content)))
        self.end_headers()
        self.wfile.write(content)

    def whole(self):
        self._send(WHOLE)

    def cut(self):
        # What is there is a zip file all the same.
        self._send(WHOLE, len(WHOLE) + 1)

    def page(self):
        self._send(b"<html>Sign in to the network</html>")

    def _chunks(self, *parts):
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(WHOLE), WHOLE))
        self.wfile.write(b"".join(parts))

    def chunked(self):
        self._chunks(b"0\r\n\r\n")

    def cut_chunks(self):
        self._chunks(b"ff\r\nno more")

    def no_last_chunk(self):
        self._chunks()


@pytest.fixture(scope="module")
def address():
    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.mark.parametrize("how", ["whole", "chunked"])
def test_a_whole_file_arrives(address, how, tmp_path):
    sha256 = hashlib.sha256(WHOLE).hexdigest()
    got = fetch.zip_file(f"{address}/{how}", tmp_path / "a.zip", sha256)
    assert got.read_bytes() == WHOLE
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("cut", "broke off after .* of .* bytes"),
        ("cut_chunks", "broke off: IncompleteRead"),
        ("no_last_chunk", "broke off: IncompleteRead"),
        ("page", "no complete zip file"),
    ],
)
def test_what_is_not_whole_is_not_kept(address, how, why, tmp_path):
    with pytest.raises(OSError, match=why):
        fetch.zip_file(f"{address}/{how}", tmp_path / "a.zip")
    assert not list(tmp_path.iterdir())


def test_another_file_and_a_larger_one_are_refused(address, tmp_path, monkeypatch):
    with pytest.raises(OSError, match=f"a.zip has sha256 .* not {'0' * 64}"):
        fetch.zip_file(f"{address}/whole", tmp_path / "a.zip", "0" * 64)
    monkeypatch.setattr(fetch, "MOST_BYTES", 1_000)
    with pytest.raises(OSError, match="over 1,000 bytes"):
        fetch.zip_file(f"{address}/chunked", tmp_path / "a.zip")
    assert not list(tmp_path.iterdir())


def test_the_next_source_is_asked_and_all_are_told(address, tmp_path, monkeypatch):
    monkeypatch.setenv("RECJAX_CACHE", str(tmp_path))
    monkeypatch.delenv("RECJAX_DATA", raising=False)

    def source(how):
        at = f"{address}/{how}"
        return at, lambda folder: fetch.zip_file(at, folder / "a.zip")

    got = fetch.first_of(
        "some", [source("cut_chunks"), source("whole")], by_hand="a.zip"
    )
    assert got.read_bytes() == WHOLE
    with pytest.raises(UserError, match="(?s)IncompleteRead.*no complete.*put a.zip"):
        fetch.first_of("some", [source("cut_chunks"), source("page")], by_hand="a.zip")
