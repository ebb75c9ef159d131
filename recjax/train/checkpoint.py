"""Checkpoints: written in the background, verified before they are believed."""

from __future__ import annotations

import contextlib
import json
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import orbax.checkpoint as ocp

from recjax import disk, pytree
from recjax.errors import UserError
from recjax.launch import hosts

log = logging.getLogger(__name__)


class Checkpoints:
    """The newest states of a run, and on request a verified one to go on from.

    Orbax writes to a temporary folder and renames it, so a killed process leaves no
    half checkpoint under a final name; what happens to the files later (a full disk, a
    truncated copy) shows in the list of sizes and checksums kept beside them.
    """

    def __init__(self, folder: Path, keep: int) -> None:
        """Opens or creates the folder of checkpoints.

        Args:
          folder: where they lie.
          keep: how many of the newest stay.

        Raises:
          UserError: states saved there could not be read again, or it cannot be made.
        """
        check_folder(folder)
        self.folder = folder.absolute()
        self._manager = _manager(self.folder, keep)

    def save(self, step: int, state: Any) -> None:
        """Starts writing the state of `step`; returns once the arrays are copied.

        Raises:
          UserError: the disk is full or not writable.
        """
        with _disk_errors(self.folder):
            self._manager.save(step, args=ocp.args.StandardSave(state))

    def settle(self, wait: bool = False) -> None:
        """Lists the files of finished checkpoints, so that damage can be told later.

        Args:
          wait: first wait for the checkpoint that is being written.

        Raises:
          UserError: writing failed because the disk is full or not writable.
        """
        with _disk_errors(self.folder):
            if wait:
                self._manager.wait_until_finished()
            else:
                self._manager.check_for_errors()
            if hosts.first():
                self._list_files()

    def steps(self) -> list[int]:
        """Returns the steps that have a checkpoint, oldest first."""
        # Orbax's own list, read anew while it writes, forgets what it has to delete.
        return _steps(self.folder)

    def restore(self, like: Any, set_aside: bool = True) -> Any | None:
        """Returns the newest undamaged state, or None where there is none at all.

        Args:
          like: shapes, types and shardings wanted, which need not be those it was
            saved with.
          set_aside: move damaged checkpoints to `checkpoints_damaged/`, so that their
            steps can be saved again.

        Raises:
          UserError: there are checkpoints and all are damaged, or one is whole but of
            other shapes.
        """
        reasons, newest = [], json.dumps(self.steps()[::-1])
        for step in json.loads(hosts.from_first("checkpoints", newest)):
            reason = self._agreed_damage(step)
            if not reason:
                if listing(self.folder, step).exists():
                    self._check_shapes(step, like)
                try:
                    args = ocp.args.StandardRestore(like)
                    return self._manager.restore(step, args=args)
                except Exception as error:
                    reason = f"{self.folder / str(step)}: {_first_line(error)}"
            reasons.append(reason)
            log.warning(
                "checkpoint %d is damaged, trying an older one: %s", step, reason
            )
            if set_aside:
                self._set_aside(step)
        if reasons:
            raise UserError(
                "no checkpoint can be read:\n  "
                + "\n  ".join(reasons)
                + f"\nremove {self.folder} to start the run anew"
            )
        return None

    def delete(self, step: int) -> None:
        """Removes the checkpoint of a step."""
        self._manager.delete(step)
        if hosts.first():
            listing(self.folder, step).unlink(missing_ok=True)

    def close(self) -> None:
        """Waits for what is being written."""
        self.settle(wait=True)
        self._manager.close()

    def _list_files(self) -> None:
        kept = self.steps()
        for step in kept:
            told = listing(self.folder, step)
            if told.exists():
                continue
            try:
                files = _files(self.folder / str(step))
            except FileNotFoundError:
                # An old checkpoint, which Orbax deletes at this moment.
                continue
            disk.write_text(told, json.dumps(files))
        own = {listing(self.folder, step) for step in kept}
        for stale in set(self.folder.glob("*.files.json")) - own:
            stale.unlink(missing_ok=True)

    def _check_shapes(self, step: int, like: Any) -> None:
        """Raises UserError where a whole checkpoint holds other arrays than wanted."""
        path = self.folder / str(step)
        saved = saved_shapes(path)
        wanted = {name: leaf.shape for name, leaf in pytree.named_leaves(like)}
        wrong = [
            f"{name} has the shape {saved.get(name, 'nothing')}, "
            f"{wanted.get(name, 'nothing')} is wanted"
            for name in sorted(saved | wanted, key=lambda n: (n.startswith("opt/"), n))
            if saved.get(name) != wanted.get(name)
        ]
        if wrong:
            more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
            raise UserError(
                f"the checkpoint is whole but does not fit: {path}: {wrong[0]}{more}\n"
                "the data or the model has changed since; choose another --workdir"
            )

    def _set_aside(self, step: int) -> None:
        aside = self.folder.with_name(self.folder.name + "_damaged")
        if hosts.first():
            aside.mkdir(exist_ok=True)
            (self.folder / str(step)).replace(aside / f"{step}-{time.time_ns()}")
            listing(self.folder, step).unlink(missing_ok=True)
        hosts.barrier("set aside")
        self._manager.reload()

    def _agreed_damage(self, step: int) -> str:
        """Returns what the first process finds: "" for a checkpoint that is whole."""
        reason = self._damage(step) if hosts.first() else None
        return hosts.from_first(f"checkpoint {step}", reason or "")

    def _damage(self, step: int) -> str | None:
        told = listing(self.folder, step)
        if not told.exists():
            return None
        try:
            listed = disk.read_json(told, f"remove it to trust checkpoint {step}")
            facts = [
                (name, int(size), int(sum_)) for name, (size, sum_) in listed.items()
            ]
        except (UserError, ValueError, TypeError) as error:
            return str(error)
        for name, size, checksum in facts:
            path = self.folder / str(step) / name
            if not path.exists():
                return f"{path} is missing"
            if path.stat().st_size != size:
                return f"{path} has {path.stat().st_size} bytes, {size} were written"
            if disk.checksum(path) != checksum:
                return f"{path} has changed since it was written"
        return None


def listing(folder: Path, step: int) -> Path:
    """Returns the file of sizes and checksums, which tells a checkpoint from others."""
    return folder / f"{step}.files.json"


def check_folder(folder: Path) -> None:
    """Finds before training that its states could not be read again.

    Raises:
      UserError: the path holds what TensorStore takes for something else.
    """
    for sign in ("[", "]", "\\"):
        if sign in str(folder.absolute()):
            raise UserError(
                f"{folder.absolute()}: checkpoints cannot be read from a path that "
                f"holds {sign!r}; choose another --workdir, or rename the folder"
            )


def newest_step(folder: Path) -> int:
    """Returns the step of the newest checkpoint in a folder, -1 where there is none."""
    return max(_steps(folder), default=-1) if folder.is_dir() else -1


def saved_shapes(step: Path) -> dict[str, tuple[int, ...]]:
    """Returns the shapes of the arrays of one checkpoint, by name."""
    place: Any = step.absolute() / "default"  # Orbax wants a kind of its own.
    found = ocp.StandardCheckpointHandler().metadata(place).tree
    return {name: leaf.shape for name, leaf in pytree.named_leaves(found)}


def read_state(folder: Path, like: Any) -> Any:
    """Returns the newest undamaged state of a run folder, without changing the folder.

    Args:
      folder: a folder of checkpoints.
      like: shapes, types and shardings wanted.

    Raises:
      UserError: there is none.
    """
    state = None
    if folder.is_dir():
        state = Checkpoints(folder, keep=1_000_000).restore(like, set_aside=False)
    if state is None:
        raise UserError(f"{folder} holds no checkpoint: train the run first")
    return state


def _steps(folder: Path) -> list[int]:
    names = [path.name for path in folder.iterdir() if path.is_dir()]
    return sorted(int(name) for name in names if name.isdigit())


def _manager(folder: Path, keep: int) -> ocp.CheckpointManager:
    options = ocp.CheckpointManagerOptions(
        max_to_keep=keep, create=True, enable_async_checkpointing=True
    )
    with disk.writing("checkpoints to", folder, disk.GO_ON):
        return ocp.CheckpointManager(folder, options=options)


def _files(root: Path) -> dict[str, tuple[int, int]]:
    return {
        str(path.relative_to(root)): (path.stat().st_size, disk.checksum(path))
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


@contextlib.contextmanager
def _disk_errors(folder: Path) -> Iterator[None]:
    try:
        with disk.writing("checkpoints to", folder, disk.GO_ON):
            yield
    except (OSError, ValueError) as error:  # A UserError is neither.
        text = str(error)  # Orbax may have made the folder anew, and empty.
        if isinstance(error, TimeoutError):
            raise UserError(_LATE.format(folder) + disk.GO_ON) from error
        if folder.is_dir() and not any(part in text for part in _GONE):
            raise
        told = f"cannot write checkpoints to {folder}: it was removed; "
        raise UserError(told + disk.GO_ON) from error


_GONE = "NOT_FOUND", "are missing", "No ArrayMetadata found"
"""What Orbax says of files that it has written and that are gone."""
_LATE = (
    "no checkpoint could be written to {} within 20 minutes: the disk stands still, "
)
_LATE += "or the clock was set meanwhile; "


def _first_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"


def like(state: Any, shardings: Any) -> Any:
    """Returns the shapes of a state with the shardings it should be restored to."""
    return jax.tree.map(
        lambda leaf, where: jax.ShapeDtypeStruct(
            leaf.shape, leaf.dtype, sharding=where
        ),
        state,
        shardings,
    )
