"""The bundles that a server answers from: names, versions, labels, states."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from recjax.bundle import manifest
from recjax.bundle.contract import Signature
from recjax.bundle.narrowed import known_columns
from recjax.bundle.open import OpenBundle, open_bundle
from recjax.bundle.served import signatures
from recjax.errors import UserError, nearest
from recjax.extras import require
from recjax.index import scann
from recjax.serve import whole_sessions
from recjax.serve.http.batcher import Work, answered
from recjax.serve.http.limits import RefusedError

LOADING, AVAILABLE, UNLOADING, END = "LOADING", "AVAILABLE", "UNLOADING", "END"


@dataclass(frozen=True)
class Source:
    """A model, and the folder of its bundle or of numbered ones."""

    name: str
    folder: Path

    @classmethod
    def of(cls, text: str) -> Source:
        """Reads "FOLDER" or "NAME=FOLDER".

        Raises:
          UserError: there is no bundle, or the name does not suit a path.
        """
        name, _, place = text.rpartition("=")
        folder = Path(place).resolve()
        name = name or manifest.model_name(folder)
        if not name or set(name) & set("/:?#%"):
            raise UserError(f"model name {name!r}: leave out / : ? # %, or NAME=FOLDER")
        source = cls(name, folder)
        if not source.versions():
            raise UserError(
                f"{place}: no bundle, nor a folder of numbered ones; "
                "`recjax export RUN --to FOLDER` writes one"
            )
        return source

    def versions(self) -> dict[int, Path]:
        """Returns version -> bundle, as they lie there now."""
        if (self.folder / manifest.NAME).is_file():
            name = self.folder.name
            return {int(name) if name.isdecimal() else 1: self.folder}
        try:
            found = list(self.folder.iterdir())
        except OSError:
            return {}
        return {
            int(path.name): path
            for path in found
            if path.name.isdecimal() and (path / manifest.NAME).is_file()
        }


@dataclass(frozen=True)
class Model:
    """A version of a model that answers."""

    name: str
    version: int
    bundle: OpenBundle
    signatures: Mapping[str, Signature]
    serial: int = field(default_factory=itertools.count().__next__)
    """Tells it from all others of this process, also from one of its version before."""

    @property
    def sizes(self) -> Sequence[int]:
        """Numbers of rows that it was compiled for."""
        return self.bundle.serving.batch_sizes

    @property
    def key(self) -> str:
        """`serial`, with what a person reads."""
        return f"{self.name} {self.version} {self.serial}"


def load(name: str, version: int, folder: Path) -> Model:
    """Opens a bundle, and asks it once at each of its sizes: then all is compiled.

    Raises:
      UserError: it is missing or damaged, does not answer, or needs ScaNN, which is not
        installed: a server does not fall back to a slower search.
    """
    bundle = open_bundle(folder)
    if (folder / scann.FOLDER).is_dir():
        require("scann", "scann", f"{name}: to serve its index")
    made = signatures(bundle)
    if "step" in bundle.functions:
        made |= whole_sessions.signatures(bundle)
    model = Model(name, version, bundle, made)
    known_columns(bundle.finder)  # They are read once, and not by the first to ask.
    for signature in model.signatures.values():
        if signature.asked:
            signature.encode(signature.read(signature.asked), 1)
        for size in model.sizes:
            columns = {n: list(v) * size for n, v in signature.blank.items()}
            answered([Work(signature, (size,), columns, size, 0.0)])
    return model


@dataclass
class Models:
    """All models of a server; read and changed in one thread.

    Attributes:
      sources: name -> where its versions lie.
      labels: name -> label -> version.
    """

    sources: Mapping[str, Source]
    labels: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Starts without any that answers."""
        self.available: dict[str, dict[int, Model]] = {n: {} for n in self.sources}
        self.states: dict[str, dict[int, tuple[str, str]]] = {
            name: {} for name in self.sources
        }

    @property
    def ready(self) -> bool:
        """Whether every model answers."""
        return all(self.available.values())

    def wanted(self, name: str) -> dict[int, Path]:
        """Returns the versions that should answer: the newest, and the labelled."""
        there = self.sources[name].versions()
        labelled = self.labels.get(name, {}).values()
        missing = sorted(set(labelled) - set(there))
        if missing:
            raise UserError(
                f"{name}: a label is of version {missing[0]}, of {set(there)}"
            )
        newest = max(there, default=None)
        return {v: f for v, f in there.items() if v == newest or v in labelled}

    def add(self, model: Model) -> None:
        """Has a model answer."""
        self.available[model.name][model.version] = model
        self.states[model.name][model.version] = (AVAILABLE, "")

    def set_state(self, name: str, version: int, state: str, error: str = "") -> None:
        """Says how it is with a version that does not answer."""
        if state in (UNLOADING, END):
            self.available[name].pop(version, None)
        self.states[name][version] = (state, error)

    def find(self, name: str, version: str = "", label: str = "") -> Model:
        """Returns the model of a request.

        Raises:
          RefusedError: there is none (404), or not yet (503).
        """
        if name not in self.sources:
            close = nearest(name[:80], self.sources)
            raise RefusedError(
                404, f"Servable not found for request: {name[:80]}.{close}"
            )
        there = self.available[name]
        if label:
            known = self.labels.get(name, {})
            if label not in known:
                raise RefusedError(
                    404,
                    f"Unrecognized servable version label: {label[:80]}; "
                    f"{name} has {sorted(known)}",
                )
            version = str(known[label])
        if not there:
            raise RefusedError(503, f"{name} is not ready yet")
        if not version:
            return there[max(there)]
        known = {str(number): model for number, model in there.items()}
        if version not in known:
            raise RefusedError(
                404,
                f"Servable not found for request: Specific({name}, {version[:20]}); "
                f"{name} has {', '.join(known)}",
            )
        return known[version]


def status(models: Models, name: str, version: str = "") -> dict[str, Any]:
    """Returns TensorFlow Serving's status of a model's versions."""
    states = models.states[name]
    chosen = {v: s for v, s in states.items() if not version or v == int(version)}
    return {
        "model_version_status": [
            {
                "version": str(number),
                "state": state,
                "status": {
                    "error_code": "INVALID_ARGUMENT" if error else "OK",
                    "error_message": error,
                },
            }
            for number, (state, error) in sorted(chosen.items(), reverse=True)
        ]
    }


def metadata(model: Model) -> dict[str, Any]:
    """Returns TensorFlow Serving's description of a model's signatures."""
    made = {
        name: {
            "inputs": {n: _tensor(n, spec) for n, spec in signature.inputs.items()},
            "outputs": {n: _tensor(n, spec) for n, spec in signature.outputs.items()},
            "method_name": "tensorflow/serving/predict",
        }
        for name, signature in model.signatures.items()
    }
    return {
        "model_spec": {
            "name": model.name,
            "signature_name": "",
            "version": str(model.version),
        },
        "metadata": {"signature_def": {"signature_def": made}},
    }


def _tensor(name: str, spec: Any) -> dict[str, Any]:
    dims = [{"size": str(size), "name": ""} for size in spec.shape]
    return {
        "dtype": spec.dtype,
        "tensor_shape": {"dim": dims, "unknown_rank": False},
        "name": name,
    }
