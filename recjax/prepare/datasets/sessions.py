"""Sessions as a TFDS builder: records hold blocks of users, column by column."""

from __future__ import annotations

import abc
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from recjax.data.sessions.read import COLUMNS, Sessions
from recjax.prepare.datasets.base import Builder
from recjax.text.column import encode_texts

USERS = 1_024
ITEMS = 65_536


class SessionsBuilder(Builder):
    """Config `users` has a record for each 1,024 users, `items` for 65,536 items.

    Columns of a record of users: the users' ids and numbers of sessions, the sessions'
    lengths, and the events' items, timestamps and impressions.
    """

    KIND = "sessions"
    BUILDER_CONFIGS = [tfds.core.BuilderConfig(name=n) for n in ("users", "items")]

    @abc.abstractmethod
    def tables(self) -> Sessions:
        """Returns the data to write, from raw files."""

    def features(self) -> dict[str, dict[str, Any]]:
        """Returns the features of a record for each config."""
        ids = {"data": _array(np.uint8), "lengths": _array(np.int32)}
        columns = {name: _array(dtype) for name, dtype in COLUMNS.items()}
        return {"users": {"ids": ids, **columns}, "items": {"ids": ids}}

    def records(self) -> Iterator[dict[str, Any]]:
        """Yields the records of this builder's config."""
        data = self.tables()
        if self.builder_config.name == "items":
            for start in range(0, len(data.item_ids), ITEMS):
                yield {"ids": _texts(data.item_ids[start : start + ITEMS])}
            return
        for start in range(0, data.users, USERS):
            yield _block(data, start, min(start + USERS, data.users))


class OwnSessions(SessionsBuilder):
    """Sessions that are already in memory."""

    name = "own_sessions"

    def __init__(self, *, data: Sessions, **kwargs: Any) -> None:
        """Takes the data; `kwargs` are those of a TFDS builder."""
        self._data = data
        super().__init__(**kwargs)

    def tables(self) -> Sessions:
        """Returns the data."""
        return self._data


def _block(data: Sessions, start: int, stop: int) -> dict[str, Any]:
    sessions = slice(data.user_start[start], data.user_start[stop])
    first, last = (data.session_start[s] for s in (sessions.start, sessions.stop))
    shown = shown_counts = np.zeros(0, np.int32)
    if data.shown is not None:
        bounds = data.shown_start[first : last + 1]
        shown, shown_counts = data.shown[bounds[0] : bounds[-1]], np.diff(bounds)
    return {
        "ids": _texts([data.user_ids[u] for u in range(start, stop)]),
        "sessions": np.diff(data.user_start[start : stop + 1]).astype(np.int32),
        "lengths": np.diff(
            data.session_start[sessions.start : sessions.stop + 1]
        ).astype(np.int32),
        "items": data.item[first:last],
        "timestamps": data.timestamp[first:last],
        "shown": shown,
        "shown_counts": shown_counts.astype(np.int32),
    }


def _texts(texts: Any) -> dict[str, np.ndarray]:
    return dict(zip(("data", "lengths"), encode_texts(texts), strict=True))


def _array(dtype: type) -> tfds.features.Tensor:
    encoding = tfds.features.Encoding.BYTES
    return tfds.features.Tensor(shape=(None,), dtype=dtype, encoding=encoding)
