"""Start, overload, and end of the server's processes."""

import json
import os
import shutil
import signal
import socket
import threading
import time

import command
import pytest
import serving
from serving import BEARER, PATH, ROW, hammer

from recjax.serve.http.limits import Limits


@pytest.fixture(scope="module")
def guarded(bundles, tmp_path_factory):
    """A server with a token and narrow limits, which a test may end."""
    token = tmp_path_factory.mktemp("token") / "token"
    token.write_text("secret\n")
    limits = (
        "--queue",
        "24",
        "--deadline-ms",
        "20000",
        "--read-s",
        "1",
        "--cache-mb",
        "0",
    )
    others = "--host", "0.0.0.0", "--token-file", token
    with serving.Server(bundles / "films", *limits, *others) as server:
        yield server


def test_overload_is_refused_and_answers_stay_right(guarded):
    asked = {"instances": [{**ROW, "k": 8}]}
    (wanted,) = guarded.ask(PATH, asked, headers=BEARER)[1]["predictions"]
    found = hammer(guarded.port, 3.0)
    assert {status for status, _, _ in found} == {200, 429}
    for status, number, said in found:
        if status == 429:
            assert "the server is full" in said["error"]
            continue
        for row in said["predictions"]:
            assert row["ids"] == wanted["ids"][: number + 1]
            scores = wanted["scores"][: number + 1]
            assert row["scores"] == pytest.approx(scores, abs=1e-6)
    assert guarded.ask(PATH, asked, headers=BEARER)[0] == 200
    text = guarded.ask("/metrics", headers=BEARER)[1]
    assert "recjax_queue_examples 0.0" in text


def test_a_token_is_asked_for(guarded):
    body = {"instances": [ROW]}
    for path, content in (
        (PATH, body),
        ("/metrics", None),
        ("/v1/models/films", None),
    ):
        assert guarded.ask(path, content)[0] == 401
        wrong = {"Authorization": "Bearer secre"}
        assert guarded.ask(path, content, headers=wrong)[0] == 401
        assert guarded.ask(path, content, headers=BEARER)[0] == 200
    assert guarded.ask("/healthz")[0] == 200


def test_slow_requests_are_given_up(guarded):
    head = f"POST {PATH} HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\n{{".encode()
    for begun in (b"", b"POST / HTTP/1.1\r\nHost:", head):
        with socket.create_connection(("127.0.0.1", guarded.port), timeout=9) as raw:
            raw.sendall(begun)
            start = time.monotonic()
            said = raw.recv(4_096)
            if not begun.endswith(b"{"):
                assert said.startswith(b"HTTP/1.1 408") and b"within 1 s" in said
                assert 0.5 < time.monotonic() - start < 5
    assert guarded.ask("/healthz")[0] == 200


def test_a_signal_lets_what_is_under_way_end(guarded):
    body = json.dumps({"instances": [ROW]}).encode()
    head = f"POST {PATH} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer secret\r\n"
    head += f"Content-Length: {len(body)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", guarded.port), timeout=20) as begun:
        begun.sendall(head.encode() + body[:10])
        time.sleep(0.1)
        guarded.process.send_signal(signal.SIGTERM)
        time.sleep(0.4)
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.1", guarded.port), timeout=5)
        begun.sendall(body[10:])
        said = b""
        while part := begun.recv(65_536):
            said += part
    assert b" 200 OK" in said and b"predictions" in said
    assert guarded.process.wait(20) == 0


@pytest.mark.slow
def test_a_worker_that_dies_is_replaced(bundles):
    with serving.Server(bundles / "films", "--workers", "2") as server:
        first = server.ready(2)[0]["process"]
        found: list = []
        asking = threading.Thread(target=lambda: found.extend(hammer(server.port, 3.0)))
        asking.start()
        time.sleep(1.0)
        os.kill(first, signal.SIGKILL)
        asking.join()
        lost = [one for one in found if one[0] == 0]
        assert {status for status, _, _ in found} <= {0, 200, 429, 503}
        assert len(found) > 20 and len(lost) <= 16, lost[:3]
        server.ready(3)
        assert "recjax_requests_total" in server.ask("/metrics")[1]
    assert server.process.returncode == 0


def test_what_cannot_be_served_ends_the_start(bundles, tmp_path, capfd):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = command.fails(capfd, "serve", bundles / "films", "--port", port)
        assert f"port {port}" in said and "choose another --port" in said
    assert "no bundle" in command.fails(capfd, "serve", tmp_path)
    assert "at least one bundle" in command.fails(capfd, "serve")
    films = str(bundles / "films")
    assert "two models" in command.fails(capfd, "serve", films, films)
    said = command.fails(capfd, "serve", films, "--host", "0.0.0.0")
    assert "--token-file" in said
    said = command.fails(capfd, "serve", films, "--label", "films=3")
    assert "NAME/LABEL=VERSION" in said
    shutil.copytree(films, tmp_path / "damaged")
    (tmp_path / "damaged" / "vectors.npy").write_bytes(b"abc")
    server = serving.Server(tmp_path / "damaged")
    with pytest.raises(AssertionError, match="vectors.npy: truncated"):
        server.__enter__()
    assert server.process.wait(30) == 2


def test_limits_are_positive():
    with pytest.raises(Exception, match="queue = 0"):
        Limits(queue=0)
