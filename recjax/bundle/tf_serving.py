"""What TensorFlow Serving needs beside a SavedModel: warm-up requests, configurations.

saved_model/assets.extra/tf_serving_warmup_requests
                                              a request a signature and batch size
batching.config, models.config, compose.yaml  `docker compose up` in the bundle

A SavedModel compiles at each batch size that it has not met, so that a server must pad
to a few sizes, and ask for each before it answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np

from recjax.bundle.contract import ITEM
from recjax.bundle.saved_model import tensor
from recjax.bundle.serving import Serving
from recjax.extras import require_tensorflow
from recjax.index.scann import FOLDER as INDEX

WARMUP = Path("assets.extra") / "tf_serving_warmup_requests"
ENQUEUED = 16
"""Batches that wait before requests are refused."""

BATCHING = """max_batch_size {{ value: {largest} }}
{sizes}
batch_timeout_micros {{ value: 0 }}
max_enqueued_batches {{ value: {enqueued} }}
num_batch_threads {{ value: 2 }}
pad_variable_length_inputs: true
"""
MODELS = """model_config_list {{
  config {{
    name: "{name}"
    base_path: "/models/{name}"
    model_platform: "tensorflow"
  }}
}}
"""
COMPOSE = """services:
  {name}:
    image: {image}
    ports: ["8501:8501", "8500:8500"]
    volumes:
      - ./saved_model:/models/{name}/1:ro
      - ./batching.config:/config/batching.config:ro
      - ./models.config:/config/models.config:ro
    command:
      - --model_config_file=/config/models.config
      - --enable_batching=true
      - --batching_parameters_file=/config/batching.config
"""
IMAGE, SCANN_IMAGE = "tensorflow/serving:2.20.0", "google/tf-serving-scann:latest"
"""Plain, and with the operations of ScaNN."""


def write(
    bundle: Path,
    name: str,
    serving: Serving,
    signatures: Mapping[str, Mapping[str, Any]],
    asked: Mapping[str, Sequence[Any]],
) -> None:
    """Writes all of it into a bundle that holds its SavedModel.

    Args:
      bundle: the folder.
      name: of the model.
      serving: how it is served.
      signatures: name -> input -> its `TensorSpec`.
      asked: input -> values that users gave; warm-up requests repeat them.
    """
    tf = require_tensorflow()
    place = bundle / "saved_model"
    (place / WARMUP).parent.mkdir()
    with tf.io.TFRecordWriter(str(place / WARMUP)) as file:
        for record in _records(tf, serving, signatures, asked):
            file.write(record)
    sizes = "\n".join(f"allowed_batch_sizes: {size}" for size in serving.batch_sizes)
    image = SCANN_IMAGE if (bundle / INDEX).is_dir() else IMAGE
    largest = serving.batch_sizes[-1]
    texts = {
        "batching.config": BATCHING.format(
            largest=largest, sizes=sizes, enqueued=ENQUEUED
        ),
        "models.config": MODELS.format(name=name),
        "compose.yaml": COMPOSE.format(name=name, image=image),
    }
    for file_name, text in texts.items():
        (bundle / file_name).write_text(text)


def _records(
    tf: Any,
    serving: Serving,
    signatures: Mapping[str, Mapping[str, Any]],
    asked: Mapping[str, Sequence[Any]],
) -> Iterator[bytes]:
    for name, specs in signatures.items():
        for rows in serving.batch_sizes:
            # Features of items may have names of their own.
            given = {"k": [serving.k], **asked} if name != ITEM else {}
            inputs = {
                key: _values(tf, spec, rows, given.get(key, ()))
                for key, spec in specs.items()
            }
            yield prediction_log(name, inputs)


def _values(tf: Any, spec: Any, rows: int, given: Sequence[Any]) -> bytes:
    """Returns a TensorProto of some rows of an input."""
    if len(given):
        made = tensor(tf, list(islice(cycle(given), rows)), spec)
    else:
        shape = [rows, *(size or 0 for size in spec.shape[1:])]
        made = tf.zeros(shape, spec.dtype)
    return tf.make_tensor_proto(np.asarray(made), spec.dtype).SerializeToString()


def prediction_log(signature: str, inputs: Mapping[str, bytes]) -> bytes:
    """Returns a `PredictionLog` of a request, as TensorFlow Serving reads it.

    By hand, since its messages come with a package of their own: PredictionLog
    {predict_log = 6 {request = 1 {model_spec = 1 {signature_name = 3}, inputs = 2}}}.

    Args:
      signature: its name.
      inputs: name -> serialised TensorProto.
    """
    request = _field(1, _field(3, signature.encode()))
    for name, value in inputs.items():
        request += _field(2, _field(1, name.encode()) + _field(2, value))
    return _field(6, _field(1, request))


def _field(number: int, content: bytes) -> bytes:
    """Returns a field of a protocol buffer that holds bytes."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
