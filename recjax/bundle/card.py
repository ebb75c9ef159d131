"""A bundle's model card: what its manifest tells, for people."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recjax.bundle import manifest

_PARTS = {
    "vectors.npy": "item vectors",
    "index": "index",
    "functions.jaxexport.npz": "jax.export artefact",
    "saved_model": "SavedModel",
    "inputs": "reader of raw inputs",
    "session": "states of sessions",
}


def model_card(bundle: str | Path) -> str:
    """Returns the card of a bundle as markdown.

    It says what was trained to which step on which data, what the check at the export
    found, what the folder holds and the versions that wrote it. All files are compared
    with the manifest first.

    Example:
      `print(model_card("bundles/shop"))`

    Raises:
      UserError: the folder is no bundle, or a file is missing or changed.
    """
    folder = Path(bundle)
    told = manifest.verify(folder)
    info, files = told["info"], told["files"]
    data = info.get("data") or {}
    size = sum(entry["bytes"] for entry in files.values())
    inside = dict.fromkeys(name.split("/")[0] for name in files)
    about = {
        "experiment": info.get("experiment"),
        "steps": info.get("step"),
        "parameters, SHA-256": info.get("parameters"),
        "data": data.get("name"),
        "data, digest": data.get("digest"),
        "prepared by": f"`{data['command']}`" if data.get("command") else None,
        "holds": ", ".join(_PARTS[name] for name in inside if name in _PARTS),
        "size": f"{size / 2**20:,.1f} MiB in {len(files)} files",
    }
    return "\n".join(
        [
            f"# {manifest.model_name(folder)}",
            *_table("model", about),
            "",
            "## Checked when it was exported",
            *_table("check", info.get("check", {})),
            "",
            "## Versions",
            *_table("package", told["versions"]),
            "",
        ]
    )


def _table(head: str, values: Mapping[str, Any]) -> list[str]:
    known = {name: value for name, value in values.items() if value is not None}
    rows = [f"| {name.replace('_', ' ')} | {_shown(v)} |" for name, v in known.items()]
    return ["", f"| {head} | |", "|---|---|", *rows]


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value).replace("|", "\\|")
