"""The safetensors format, against files written byte by byte."""

import json
import struct

import ml_dtypes
import numpy as np
import pytest
import weight_files as wf

from recjax.errors import UserError
from recjax.pretrained import safetensors


def raw(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def about(dtype="F32", shape=(2,), offsets=(0, 8)):
    return {"x": {"dtype": dtype, "shape": shape, "data_offsets": offsets}}


def test_what_is_written_is_read(tmp_path):
    random = np.random.default_rng(0)
    tensors = {
        "a": random.normal(size=(3, 4)).astype(np.float32),
        "none": np.zeros((0, 4), np.float32),
        "half": random.normal(size=5).astype(np.float16),
        "one": np.float64(3.5).reshape(()),
        "ids": np.arange(7),
    }
    path = tmp_path / "model.safetensors"
    wf.write_safetensors(path, tensors)
    got = safetensors.read(path)
    assert list(got) == list(tensors)
    for name, value in tensors.items():
        np.testing.assert_array_equal(got[name], value)
        assert got[name].dtype == value.dtype


def test_bfloat16(tmp_path):
    path = tmp_path / "model.safetensors"
    values = np.array([1.5, -2], ml_dtypes.bfloat16)
    path.write_bytes(raw(about("BF16", (2,), (0, 4)), values.tobytes()))
    np.testing.assert_array_equal(safetensors.read(path)["x"], values)


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"12345", struct.pack("<Q", 1 << 60) + b"{}", raw(b"{")),
        *(raw([1]), raw({"x": 1}), raw({"x": {"dtype": "F32"}})),
        raw(about(), bytes(7)),
        raw(about(offsets=(0, 4)), bytes(8)),
        raw(about(offsets=(-8, 0)), bytes(8)),
        raw(about(shape=(-1, -2)), bytes(8)),
        raw(about(offsets=("0", 8)), bytes(8)),
        raw(about(shape=("2",)), bytes(8)),
        raw(about("F4"), bytes(8)),
        raw(about(), bytes(16)),
        raw(about(shape=(1 << 40, 1 << 40)), bytes(8)),
        *(raw(b"[" * 1_000_000), raw(b'{"x":' * 100_000)),
    ],
)
def test_damaged_files(tmp_path, content):
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(UserError, match="model.safetensors: not a whole safetensors"):
        safetensors.read(path)


def test_no_file(tmp_path):
    with pytest.raises(UserError, match="FileNotFoundError"):
        safetensors.read(tmp_path / "model.safetensors")


def test_what_is_written_is_as_the_format_says(tmp_path):
    tensors = {
        "turned": np.arange(6, dtype=np.float32).reshape(2, 3).T,
        "half": np.array([1.5, -2], ml_dtypes.bfloat16),
    }
    path = tmp_path / "model.safetensors"
    safetensors.write(path, tensors)
    content = path.read_bytes()
    start = 8 + struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8:start])
    for name, kind in (("turned", "F32"), ("half", "BF16")):
        first, last = (start + at for at in header[name]["data_offsets"])
        assert header[name]["dtype"] == kind
        assert header[name]["shape"] == list(tensors[name].shape)
        assert content[first:last] == tensors[name].tobytes()
    for name, value in safetensors.read(path).items():
        np.testing.assert_array_equal(value, tensors[name])
    with pytest.raises(OSError):
        safetensors.write(tmp_path / "none" / "model.safetensors", tensors)
