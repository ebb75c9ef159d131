"""The lines of a text file as UTF-8, with bounded memory and a count of lines."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from gzip import GzipFile
from io import BufferedReader

from recjax.errors import UserError
from recjax.tables.blocks import Unusable

Raw = BufferedReader | GzipFile
CHUNK = 1 << 22
"""Bytes read and checked at a time."""
LONGEST = 1 << 24
"""Bytes of a line, and of a field."""
LINE = re.compile(rb"[^\r\n]*(\r\n|\r|\n)")


class Lines:
    """Reads a file forward, by chunks of whole lines or line by line.

    Attributes:
      line: lines read so far.
      place: bytes read so far.
    """

    def __init__(self, raw: Raw, encoding: str) -> None:
        """Starts at the first byte after a byte order mark.

        Raises:
          UserError: an unknown encoding.
          Unusable: the file is empty or holds no text.
        """
        decoder = _decoder(encoding)
        self._raw, self._decoder, self._ended = raw, decoder, False
        self._buffer, self._at, self.line = b"", 0, 0
        self.place = 0
        head = raw.read(CHUNK)
        _check_text(head, encoding)
        self._take(head)
        if self._buffer.startswith(codecs.BOM_UTF8):
            self._at = len(codecs.BOM_UTF8)

    def chunk(self) -> bytes:
        """Returns the next lines, about `CHUNK` bytes, without moving on."""
        while not self._ended and len(self._buffer) - self._at < CHUNK:
            self._more()
        end = self._buffer.rfind(b"\n", self._at) + 1
        return self._buffer[self._at : end or None]

    def skip(self, length: int, lines: int) -> None:
        """Moves on by bytes that hold so many lines."""
        self._at += length
        self.place += length
        self.line += lines

    def lines(self) -> Iterator[bytes]:
        """Yields line after line, each with its end, and moves on by it."""
        while True:
            found = LINE.match(self._buffer, self._at)
            # The line feed of a carriage return may not have been read yet.
            if found and (found.end() < len(self._buffer) or self._ended):
                line = found.group()
            elif found and found.group(1) != b"\r":
                line = found.group()
            elif not self._ended:
                self._more()
                continue
            elif not (line := self._buffer[self._at :]):
                return
            self.skip(len(line), 1)
            yield line

    def _more(self) -> None:
        rest = self._buffer[self._at :]
        if len(rest) > LONGEST and b"\n" not in rest and b"\r" not in rest:
            fix = f"write lines of at most {LONGEST >> 20} MiB"
            raise Unusable("a line that is too long", fix, f"row {self.line + 1}")
        self._buffer, self._at = rest, 0
        self._take(self._raw.read(CHUNK))

    def _take(self, raw: bytes) -> None:
        self._ended = not raw
        if self._decoder is not None:
            try:
                text = self._decoder.decode(raw, final=not raw)
            except UnicodeError as error:
                fix = "pass the right --encoding"
                raise Unusable("cannot be decoded", fix, str(error)) from None
            # What was no text must not become text by chance.
            raw = text.encode("utf-8", "surrogatepass")
        self._buffer += raw


def _decoder(encoding: str) -> codecs.IncrementalDecoder | None:
    try:
        "a".encode(encoding).decode(encoding, "surrogateescape")
        if codecs.lookup(encoding).name in ("utf-8", "utf-8-sig"):
            return None
        return codecs.getincrementaldecoder(encoding)("surrogateescape")
    except (LookupError, ValueError):
        raise UserError(
            f"--encoding {encoding!r}: no such encoding; use utf-8, latin-1, cp1252 ..."
        ) from None


def _check_text(head: bytes, encoding: str) -> None:
    if not head.strip():
        raise Unusable("empty file", "give it a header and rows")
    if b"\0" in head[:65_536] and not encoding.lower().startswith(("utf-16", "utf-32")):
        utf16 = head[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
        fix = "save it as text in UTF-8" + (" or pass --encoding utf-16" * utf16)
        value = "UTF-16 text" if utf16 else repr(head[:8])
        raise Unusable("not a text file", fix, value)
