"""Files of torch.save: what is read, and what is refused."""

import os
import pickle
import zipfile

import ml_dtypes
import numpy as np
import pytest
import weight_files as wf

from recjax.errors import UserError
from recjax.pretrained import torch_file

NUMBERS = np.arange(24, dtype=np.float32)
F32 = wf.storage("Float", "0", 24)


def read(tmp_path, entries, storages=None, **options):
    path = tmp_path / "pytorch_model.bin"
    storages = {"0": NUMBERS.tobytes()} if storages is None else storages
    wf.write_zip(path, wf.state_dict(entries), storages, **options)
    return torch_file.read(path)


def test_views_of_one_storage(tmp_path):
    got = read(
        tmp_path,
        {
            "whole": wf.tensor(F32, 0, (4, 6), (6, 1)),
            "turned": wf.tensor(F32, 0, (6, 4), (1, 6)),
            "part": wf.tensor(F32, 7, (2, 3), (6, 1)),
            "one": wf.tensor(F32, 23, (), ()),
            "none": wf.tensor(F32, 0, (0, 3), (3, 1)),
        },
    )
    square = NUMBERS.reshape(4, 6)
    np.testing.assert_array_equal(got["whole"], square)
    np.testing.assert_array_equal(got["turned"], square.T)
    np.testing.assert_array_equal(got["part"], square[1:3, 1:4])
    assert got["one"] == 23 and got["none"].shape == (0, 3)


@pytest.mark.parametrize(
    ("kind", "dtype"),
    [
        *(("Float", "<f4"), ("Double", "<f8"), ("Half", "<f2"), ("Long", "<i8")),
        *(("Int", "<i4"), ("Short", "<i2"), ("Char", "i1"), ("Byte", "u1")),
        *(("Bool", "?"), ("BFloat16", ml_dtypes.bfloat16)),
    ],
)
def test_types(tmp_path, kind, dtype):
    values = np.array([0, 1, 1, 0]).astype(dtype)
    stored = wf.storage(kind, "7", 4)
    got = read(
        tmp_path, {"x": wf.tensor(stored, 0, (4,), (1,))}, {"7": values.tobytes()}
    )
    np.testing.assert_array_equal(got["x"], values)
    assert got["x"].dtype == np.dtype(dtype)


def test_big_endian_files(tmp_path):
    entries = {"x": wf.tensor(F32, 0, (24,), (1,))}
    got = read(tmp_path, entries, {"0": NUMBERS.astype(">f4").tobytes()}, order="big")
    np.testing.assert_array_equal(got["x"], NUMBERS)


def test_parameters_are_tensors_and_other_values_are_left_out(tmp_path):
    inner = wf.tensor(F32, 0, (24,), (1,))
    call = wf.function("torch._utils", "_rebuild_parameter")
    parameter = call + wf.tuple_of(inner, b"\x88", wf.ORDERED) + b"R"
    got = read(tmp_path, {"x": parameter, "epoch": wf.number(3)})
    assert list(got) == ["x"]
    np.testing.assert_array_equal(got["x"], NUMBERS)


class Evil:
    def __init__(self, function, *arguments):
        self._call = function, arguments

    def __reduce__(self):
        return self._call


@pytest.mark.parametrize(
    "call",
    [
        (os.system, "touch {}"),
        (eval, "open({!r}, 'w')"),
        (getattr, "", "join"),
        (__import__, "subprocess"),
    ],
    ids=lambda call: call[0].__name__,
)
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_pickle_that_calls_something_is_refused(tmp_path, call, protocol):
    mark = tmp_path / "was_here"
    function, *arguments = call
    evil = Evil(function, *(part.format(str(mark)) for part in arguments))
    path = tmp_path / "pytorch_model.bin"
    wf.write_zip(path, pickle.dumps({"x": evil}, protocol), {})
    with pytest.raises(UserError, match="pytorch_model.bin: refused, its pickle wants"):
        torch_file.read(path)
    assert not mark.exists()


@pytest.mark.parametrize(
    ("module", "name"),
    [
        *(("builtins", "exec"), ("posix", "system"), ("numpy", "load")),
        *(("torch", "load"), ("torch._utils", "__builtins__")),
        *(("torch", "FloatStorage.__class__"), ("collections", "namedtuple")),
        *(("collections", "OrderedDict.__init__"), ("torch.serialization", "eval")),
    ],
)
def test_nothing_but_tensors_can_be_named(tmp_path, module, name):
    # STACK_GLOBAL takes dotted names, which protocol 4 would follow.
    path = tmp_path / "pytorch_model.bin"
    pickled = b"\x80\x04" + wf.text(module) + wf.text(name) + b"\x93."
    wf.write_zip(path, pickled, {})
    with pytest.raises(UserError, match="refused, its pickle wants"):
        torch_file.read(path)


@pytest.mark.parametrize(
    "target",
    [
        wf.function("torch._utils", "_rebuild_tensor_v2"),
        wf.function("collections", "OrderedDict"),
        wf.function("torch", "FloatStorage"),
    ],
)
def test_what_may_be_named_cannot_be_changed(tmp_path, target):
    path = tmp_path / "pytorch_model.bin"
    state = b"}" + wf.text("__call__") + wf.number(1) + b"s"
    for given in (state, b"N" + state + b"\x86"):
        wf.write_zip(path, b"\x80\x02" + target + given + b"b.", {})
        with pytest.raises(UserError, match="cannot be read"):
            torch_file.read(path)
    test_views_of_one_storage(tmp_path)


@pytest.mark.parametrize(
    ("offset", "size", "stride"),
    [
        *((0, (25,), (1,)), (1, (24,), (1,)), (0, (4, 6), (7, 1))),
        *((-1, (2,), (1,)), (0, (2,), (-1,)), (0, (2, 2), (1,))),
        (0, (100_000, 100_000), (0, 0)),
    ],
)
def test_a_tensor_stays_inside_its_storage(tmp_path, offset, size, stride):
    with pytest.raises(UserError, match="cannot be read"):
        read(tmp_path, {"x": wf.tensor(F32, offset, size, stride)})


def test_a_storage_of_another_size_is_damage(tmp_path):
    with pytest.raises(UserError, match="storage 0 has 8 bytes, not 24"):
        read(tmp_path, {"x": wf.tensor(F32, 0, (2,), (1,))}, {"0": b"12345678"})


def test_other_files(tmp_path):
    path = tmp_path / "pytorch_model.bin"
    with pytest.raises(UserError, match="cannot be read"):
        torch_file.read(path)
    path.write_bytes(pickle.dumps({"x": 1}))
    with pytest.raises(UserError, match=r"not saved by torch.save"):
        torch_file.read(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "")
    with pytest.raises(UserError, match=r"holds no data\.pkl"):
        torch_file.read(path)
    wf.write_zip(path, pickle.dumps([1, 2]), {})
    with pytest.raises(UserError, match="holds a list, no named tensors"):
        torch_file.read(path)


def test_every_cut_or_flipped_byte_is_an_error_or_the_truth(tmp_path):
    path = tmp_path / "pytorch_model.bin"
    wf.write_torch(path, {"x": NUMBERS.reshape(4, 6)})
    whole = path.read_bytes()
    random = np.random.default_rng(0)
    for at in random.integers(0, len(whole), 200):
        broken = bytearray(whole)
        broken[at] ^= 1 << random.integers(8)
        for content in (bytes(broken), whole[:at]):
            path.write_bytes(content)
            try:
                got = torch_file.read(path)
            except UserError:
                continue
            assert all(isinstance(value, np.ndarray) for value in got.values())


def old_file(storages, order="<"):
    """A file as torch before 1.6 wrote it: pickles, then raw numbers."""
    little = order == "<"
    head = pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2)
    head += pickle.dumps({"protocol_version": 1001, "little_endian": little}, 2)
    entries, raw = {}, b""
    for key, value in storages.items():
        # A sixth field tells of views; None where there is none.
        named = (wf.text("storage"), wf.function("torch", "FloatStorage"), wf.text(key))
        stored = (*named, wf.text("cpu"), wf.number(value.size), b"N")
        pid = wf.tuple_of(*stored) + b"Q"
        entries[f"t{key}"] = wf.tensor(pid, 0, value.shape, (value.shape[1], 1))
        raw += np.array(value.size, f"{order}i8").tobytes()
        raw += value.astype(f"{order}f4").tobytes()
    return head + wf.state_dict(entries) + pickle.dumps(list(storages), 2) + raw


@pytest.mark.parametrize("order", ["<", ">"])
def test_files_of_torch_before_1_6(tmp_path, order):
    values = {"5": NUMBERS.reshape(4, 6), "2": -NUMBERS.reshape(8, 3)}
    path = tmp_path / "old.pth"
    path.write_bytes(old_file(values, order))
    got = torch_file.read(path)
    assert list(got) == ["t5", "t2"]
    for key, value in values.items():
        np.testing.assert_array_equal(got[f"t{key}"], value)


def test_old_files_that_are_cut_or_ask_for_more(tmp_path):
    path, whole = tmp_path / "old.pth", old_file({"1": NUMBERS.reshape(4, 6)})
    for end in (len(whole) - 1, len(whole) - 97, 60, 20):
        path.write_bytes(whole[:end])
        with pytest.raises(UserError, match="old.pth: cannot be read"):
            torch_file.read(path)
    mark = tmp_path / "was_here"
    evil = pickle.dumps({"x": Evil(os.system, f"touch {mark}")}, 2)
    start = whole.index(wf.ORDERED)
    path.write_bytes(whole[: start - 2] + evil)
    with pytest.raises(UserError, match="refused, its pickle wants"):
        torch_file.read(path)
    assert not mark.exists()


def test_an_old_file_cannot_ask_for_more_memory_than_it_has(tmp_path):
    path, whole = tmp_path / "old.pth", old_file({"1": NUMBERS.reshape(4, 6)})
    path.write_bytes(whole.replace(wf.number(24) + b"N", wf.number(2**31 - 1) + b"N"))
    with pytest.raises(UserError, match="exceeds the file"):
        torch_file.read(path)


def test_a_zip_bomb_is_refused_before_it_is_read(tmp_path, monkeypatch):
    count = 50_000_000
    entries = {"x": wf.tensor(wf.storage("Float", "0", count), 0, (count,), (1,))}
    path = tmp_path / "bomb.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", wf.state_dict(entries))
        archive.writestr("archive/data/0", bytes(4 * count))
    assert path.stat().st_size < 1_000_000

    def never(self, entry):
        raise AssertionError(f"read {entry}")

    monkeypatch.setattr(zipfile.ZipFile, "read", never)
    with pytest.raises(UserError, match=r"bomb.pth: refused, .* 200,000,\d* in memory"):
        torch_file.read(path)


def test_a_pickle_cannot_ask_for_a_large_memo(tmp_path):
    # LONG_BINPUT of place 2 ** 31 - 1 makes the unpickler in C take 32 GiB.
    pickled = wf.state_dict({"x": wf.tensor(F32, 0, (24,), (1,))})
    large = pickled.replace(b"b.", b"br" + (2**31 - 1).to_bytes(4, "little") + b".")
    path = tmp_path / "pytorch_model.bin"
    wf.write_zip(path, large, {"0": NUMBERS.tobytes()})
    np.testing.assert_array_equal(torch_file.read(path)["x"], NUMBERS)
