"""Weight files written byte by byte, without the packages that usually write them."""

import json
import struct
import zipfile

import numpy as np

TYPES = {"float32": "F32", "int64": "I64", "float16": "F16", "float64": "F64"}
STORAGES = {"float32": "Float", "int64": "Long", "float16": "Half", "float64": "Double"}


def write_safetensors(path, tensors):
    """Writes named arrays in the safetensors format."""
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, value in tensors.items():
        raw = np.ascontiguousarray(value).tobytes()
        header[name] = {
            "dtype": TYPES[str(value.dtype)],
            "shape": list(value.shape),
            "data_offsets": [len(data), len(data) + len(raw)],
        }
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def text(value):
    """Returns the opcode of a text."""
    raw = value.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


def number(value):
    """Returns the opcode of a whole number."""
    return b"J" + struct.pack("<i", value)


def tuple_of(*parts):
    """Returns the opcodes of a tuple."""
    return b"(" + b"".join(parts) + b"t"


def function(module, name):
    """Returns the opcode that finds a function or class."""
    return f"c{module}\n{name}\n".encode()


ORDERED = function("collections", "OrderedDict") + b")R"


def storage(kind, key, count):
    """Returns the opcodes of a storage."""
    named = (text("storage"), function("torch", f"{kind}Storage"), text(key))
    return tuple_of(*named, text("cpu"), number(count)) + b"Q"


def tensor(stored, offset, size, stride):
    """Returns the opcodes of a tensor in a storage."""
    shape = (tuple_of(*map(number, size)), tuple_of(*map(number, stride)))
    given = tuple_of(stored, number(offset), *shape, b"\x89", ORDERED)
    return function("torch._utils", "_rebuild_tensor_v2") + given + b"R"


def state_dict(entries):
    """Returns the pickle of a state dict: name -> opcodes of its value."""
    body = b"".join(text(name) + value for name, value in entries.items())
    attributes = b"}" + text("_metadata") + ORDERED + b"s"
    return b"\x80\x02" + ORDERED + b"(" + body + b"u" + attributes + b"b."


def write_zip(path, pickled, storages, order=None):
    """Writes a pickle and raw storages (key -> bytes) as torch.save does."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickled)
        if order is not None:
            archive.writestr("archive/byteorder", order)
        for key, raw in storages.items():
            archive.writestr(f"archive/data/{key}", raw)
        archive.writestr("archive/version", "3\n")


def write_torch(path, tensors):
    """Writes named arrays as `torch.save(model.state_dict(), path)` does."""
    entries, storages = {}, {}
    for key, (name, value) in enumerate(tensors.items()):
        key, value = str(key), np.ascontiguousarray(value)
        stored = storage(STORAGES[str(value.dtype)], key, value.size)
        stride = [step // value.itemsize for step in value.strides]
        entries[name] = tensor(stored, 0, value.shape, stride)
        storages[key] = value.tobytes()
    write_zip(path, state_dict(entries), storages)
