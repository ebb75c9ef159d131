"""A disk of its own, in memory: it can be full, or only be read."""

import subprocess
from contextlib import contextmanager

import pytest


@contextmanager
def mounted(parent, options):
    """Mounts a small disk below a folder; skips the test where that may not be.

    Yields its folder, and a function that mounts it anew with other options.
    """
    folder = parent / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", options, "none", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no command `mount` to make a small disk with")
    if done.returncode:
        pytest.skip(f"may not mount a small disk: {done.stderr.strip()}")

    def again(other):
        told = ["mount", "-o", f"remount,{other}", str(folder)]
        subprocess.run(told, check=True)

    try:
        yield folder, again
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
