"""What this machine has, what fits together, and what to do about the rest."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from recjax.paths import cache_root, prepared_root, raw_root

CORE = (
    *("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy", "scipy"),
    *("tyro", "tqdm", "jaxtyping"),
)
DATA = ("grain", "array-record", "tensorflow-datasets", "polars", "pyarrow")
OPTIONAL = {
    "tensorflow-cpu": "pip install 'recjax[savedmodel]' to export SavedModels",
    "scann": "pip install 'recjax[scann]' for fast indexes of large corpora",
    "tokenizers": "pip install 'recjax[text]' to read texts as word pieces",
    "tensorboardX": "pip install tensorboardX to see runs in TensorBoard",
    "matplotlib": "pip install matplotlib to draw reports",
}
OTHER_NAMES = {"tensorflow-cpu": ("tensorflow", "tf-nightly")}
LITTLE_DISK = 2 * 10**9


@dataclass(frozen=True)
class Finding:
    """One line of a report.

    Attributes:
      level: "ok", "note" (something optional is missing) or "bad".
      name: what it is about.
      text: what was found.
      fix: what to do; empty if nothing.
    """

    level: str
    name: str
    text: str
    fix: str = ""

    def __str__(self) -> str:
        """The line, and the fix below it."""
        mark = {"ok": "  ", "note": "- ", "bad": "X "}[self.level]
        line = f"{mark}{self.name:<22}{self.text}"
        return line + (f"\n{'':24}-> {self.fix}" if self.fix else "")


def report() -> tuple[str, bool]:
    """Returns the whole report, and whether recjax can train here."""
    found = versions()
    findings = [
        *machine(),
        *packages(found),
        *known_pairs(found, platform.system(), platform.machine(), sys.version_info),
        *devices(),
        *data_sets(),
    ]
    healthy = all(finding.level != "bad" for finding in findings)
    end = "All is well." if healthy else "Lines with X must be mended before training."
    return "\n".join([*map(str, findings), "", end]), healthy


def versions() -> dict[str, str]:
    """Returns package -> installed version, of the packages that recjax uses."""
    found = {}
    for name in (*CORE, *DATA, *OPTIONAL):
        for known_as in (name, *OTHER_NAMES.get(name, ())):
            try:
                found.setdefault(name, version(known_as))
            except PackageNotFoundError:
                continue
    return found


def machine() -> Iterator[Finding]:
    """Yields Python, platform, memory and disk."""
    python = platform.python_version()
    old = sys.version_info < (3, 11)
    fix = "use Python 3.11 or newer" if old else ""
    yield Finding("bad" if old else "ok", "Python", f"{python}, {sys.executable}", fix)
    yield Finding("ok", "platform", f"{platform.platform()}, {_cpus()} CPUs")
    memory = _memory()
    if memory is not None:
        total, free = memory
        text = f"{total / 1e9:.1f} GB, {free / 1e9:.1f} GB available"
        yield Finding("ok", "memory", text)
    for name, folder in (
        ("disk here", Path.cwd()),
        ("disk of the cache", prepared_root()),
    ):
        free = shutil.disk_usage(_existing(folder)).free
        low = free < LITTLE_DISK
        fix = "checkpoints and bundles may not fit: free some space" if low else ""
        text = f"{free / 1e9:.1f} GB free at {folder}"
        yield Finding("note" if low else "ok", name, text, fix)


def packages(found: Mapping[str, str]) -> Iterator[Finding]:
    """Yields each package's version, or how to get it.

    Args:
      found: package -> version.
    """
    for name in (*CORE, *DATA):
        here = name in found
        fix = "" if here else "pip install -r requirements.txt"
        yield Finding(
            "ok" if here else "bad", name, found.get(name, "not installed"), fix
        )
    for name, how in OPTIONAL.items():
        here = name in found
        text = found.get(name, "not installed (optional)")
        yield Finding("ok" if here else "note", name, text, "" if here else how)


def known_pairs(
    found: Mapping[str, str], system: str, cpu: str, python: tuple
) -> Iterator[Finding]:
    """Yields the pairs of versions that are known not to work together.

    Args:
      found: package -> version.
      system: as `platform.system()` says.
      cpu: as `platform.machine()` says.
      python: version as numbers.
    """
    jax, tf, scann = (found.get(n) for n in ("jax", "tensorflow-cpu", "scann"))
    if (
        jax
        and found.get("jaxlib")
        and _numbers(jax)[:2] != _numbers(found["jaxlib"])[:2]
    ):
        yield Finding(
            "bad",
            "jax with jaxlib",
            f"jax {jax} beside jaxlib {found['jaxlib']}",
            f"pip install jaxlib=={jax}",
        )
    if tf and scann and _numbers(tf)[:2] != (2, 20):
        yield Finding(
            "bad",
            "scann with TensorFlow",
            f"scann {scann} crashes beside TensorFlow {tf}",
            "pip install tensorflow-cpu==2.20.0",
        )
    if tf and jax and _numbers(jax) >= (0, 11, 1):
        yield Finding(
            "note",
            "jax with TensorFlow",
            f"SavedModels that jax {jax} writes do not load in TensorFlow {tf}",
            "pip install 'jax<0.11.1', or export with --set export.saved_model=false",
        )
    wheels = system == "Linux" and cpu in ("x86_64", "AMD64") and python[:2] < (3, 14)
    if not scann and not wheels:
        place = f"{system} on {cpu}, Python {python[0]}.{python[1]}"
        yield Finding(
            "note",
            "scann",
            f"has no wheel for {place}: indexes search exactly, which is slower",
        )


def devices() -> Iterator[Finding]:
    """Yields the devices that JAX sees."""
    try:
        import jax

        seen = jax.devices()
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        fix = "set JAX_PLATFORMS=cpu, or reinstall jax for this accelerator"
        yield Finding("bad", "devices", f"JAX finds none: {reason}", fix)
        return
    kinds = {f"{one.platform} ({one.device_kind})" for one in seen}
    text = f"{len(seen)} x {', '.join(sorted(kinds))}"
    idle = seen[0].platform == "cpu" and shutil.which("nvidia-smi") is not None
    fix = "there is an NVIDIA driver: pip install 'jax[cuda13]'" if idle else ""
    yield Finding("note" if idle else "ok", "devices", text, fix)
    stats = seen[0].memory_stats() or {}
    if "bytes_limit" in stats:
        text = f"{stats['bytes_limit'] / 1e9:.1f} GB of each are for JAX"
        yield Finding("ok", "device memory", text)


def data_sets() -> Iterator[Finding]:
    """Yields the raw and prepared data sets that are found."""
    roots = {raw_root(), cache_root() / "raw"}
    raw = sorted({folder.name for root in roots for folder in _folders(root)})
    where = " and ".join(sorted(map(str, roots)))
    yield Finding("ok", "raw data", f"{', '.join(raw) or 'none'} in {where}")
    ready = [p for p in _folders(prepared_root()) if (p / "prepared.json").is_file()]
    where = prepared_root()
    if not ready:
        yield Finding(
            "note",
            "prepared data",
            f"none in {where}",
            "recjax data prepare movielens_100k, or your own files",
        )
    for path in sorted(ready):
        used = sum(f.stat().st_size for f in path.rglob("*") if f.is_file())
        yield Finding(
            "ok", "prepared data", f"{path.name}, {used / 1e6:.1f} MB, {path}"
        )


def _folders(root: Path) -> list[Path]:
    try:
        return [p for p in root.iterdir() if p.is_dir() and not p.name.startswith(".")]
    except OSError:
        return []


def _existing(folder: Path) -> Path:
    while not folder.exists():
        folder = folder.parent
    return folder


def _numbers(text: str) -> tuple[int, ...]:
    """Returns (0, 11, 2) of "0.11.2.dev3"."""
    parts = []
    for part in text.split("."):
        if not part.isdigit():
            break
        parts.append(int(part))
    return tuple(parts)


def _cpus() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory() -> tuple[int, int] | None:
    """Returns bytes of memory, all and available, where the system tells."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        known = {k: int(v.split()[0]) * 1024 for k, v in (s.split(":") for s in lines)}
        return known["MemTotal"], known["MemAvailable"]
    except (OSError, ValueError, LookupError):
        return None
