"""A disk that is full: what is told, and that nothing is lost or half-written."""

import contextlib
import errno
import os
import resource
import signal

import pytest

from recjax import disk
from recjax.errors import UserError


@contextlib.contextmanager
def no_file_over_1_kb():
    # Fails in the same calls as a full disk, and needs no rights. It must end within
    # the test: pytest itself may be writing its dots to a larger file.
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)


def test_a_text_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "result.json"
    with no_file_over_1_kb():
        disk.write_text(path, "first\n")
        with pytest.raises(OSError, match="File too large"):
            disk.write_text(path, "x" * 1_001)
        assert path.read_bytes() == b"first\n"
        assert list(tmp_path.iterdir()) == [path]
        disk.write_text(path, "y" * 1_000)
    assert path.read_bytes() == b"y" * 1_000


def test_a_record_is_appended_whole_or_not_at_all(tmp_path):
    with no_file_over_1_kb():
        file = disk.Appender(tmp_path / "log")
        file.append(b"a" * 600)
        with pytest.raises(OSError):
            file.append(b"b" * 600)
        assert (tmp_path / "log").read_bytes() == b"a" * 600
        file.append(b"c" * 400)
        file.close()
    assert (tmp_path / "log").read_bytes() == b"a" * 600 + b"c" * 400


def test_a_device_that_is_always_full():
    file = disk.Appender(disk.Path("/dev/full"))
    with pytest.raises(OSError, match="No space left"):
        # A device cannot be cut to its former length; that must not hide the reason.
        file.append(b"a")
    file.close()


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "the disk is full (No"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "your quota is used up (Disk"),
        (OSError(errno.EROFS, "Read-only file system"), "Read-only file system"),
        (PermissionError(errno.EACCES, "Permission denied", "/a/runs"), "Permission"),
        (PermissionError(errno.EACCES, "denied", "/a/runs/x/best/10"), "denied"),
        (PermissionError(errno.EACCES, "denied", "/a/runs/x.partial/f"), "denied"),
        (ValueError("RESOURCE: Error [os_error_code='28'] [spec]"), "the disk is full"),
        (
            RuntimeError("Write() failed: No space left on device; id"),
            "the disk is full",
        ),
    ],
)
def test_what_is_told(error, says):
    with (
        pytest.raises(UserError) as caught,
        disk.writing("the run folder", disk.Path("/a/runs/x"), "do so"),
    ):
        raise error
    message = str(caught.value)
    assert message.startswith(f"cannot write the run folder /a/runs/x: {says}")
    assert message.endswith("; do so")


@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError(errno.ENOENT, "No such file", "/a/data/events.csv"),
        FileNotFoundError(errno.ENOENT, "No such file", "/a/runs/y/file"),
        ConnectionResetError(errno.ECONNRESET, "reset"),
        BrokenPipeError(errno.EPIPE, "Broken pipe"),
        ValueError("some other mistake"),
        UserError("No space left on device"),
    ],
)
def test_what_has_other_causes_passes(error):
    with (
        pytest.raises(type(error)) as caught,
        disk.writing("the run folder", disk.Path("/a/runs/x"), "do so"),
    ):
        raise error
    assert caught.value is error


def test_the_temporary_file_is_never_taken_for_the_place_itself(tmp_path):
    disk.write_text(tmp_path / "a", "1")
    assert os.listdir(tmp_path) == ["a"]
