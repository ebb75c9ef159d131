"""Texts as word-piece ids, for encoders of the BERT family."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from recjax.errors import UserError
from recjax.text.learn_pieces import learn_pieces

FILES = ("tokenizer.json", "vocab.txt")
PADDING, START, END, UNKNOWN = "[PAD]", "[CLS]", "[SEP]", "[UNK]"
_SURROGATES = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class WordPiece:
    """A text per example, as [CLS], the ids of its word pieces, [SEP].

    A text that itself says "[SEP]" or "[PAD]" means those characters, so no text holds
    the padding id 0. Lone surrogates become U+FFFD.

    Attributes:
      definition: the tokenizer, as the text of a `tokenizer.json`.
      length: most ids of one text, [CLS] and [SEP] among them.
      column: whose texts they are; "" for that of the feature's name.
    """

    definition: str = field(repr=False)
    length: int = 64
    column: str = ""

    def __post_init__(self) -> None:
        """Checks the tokenizer.

        Raises:
          UserError: it is no WordPiece tokenizer, lacks a special token, its padding is
            not 0, `length` is below 3, or the package `tokenizers` is missing.
        """
        if self.length < 3:
            raise UserError(f"a text of {self.length} ids has no room for a word")
        try:
            kind = json.loads(self.definition)["model"]["type"]
        except (ValueError, LookupError, TypeError) as error:
            raise UserError(f"not a tokenizer.json: {error!r}") from error
        if kind != "WordPiece":
            raise UserError(f"a tokenizer of kind {kind!r}; WordPiece is what is known")
        found = {t: self._tokenizer.token_to_id(t) for t in (PADDING, START, END)}
        if found[PADDING] != 0 or None in found.values():
            raise UserError(f"the tokenizer has {found}; {PADDING} must be 0")
        expected = [found[START], found[END]]
        if (got := self._tokenizer.encode("").ids) != expected:
            raise UserError(
                f"the tokenizer makes {got} of an empty text, not {START} {END}, "
                f"{expected}: its post_processor is not BERT's"
            )

    @classmethod
    def read(cls, folder: str | Path, length: int = 64) -> WordPiece:
        """Reads a model's folder: `tokenizer.json`, or else `vocab.txt`.

        Args:
          folder: the folder. Beside `vocab.txt`, `tokenizer_config.json` may say that
            case or accents matter.
          length: most ids of one text.

        Raises:
          UserError: neither is there, or it is broken.
        """
        whole, words = (Path(folder) / name for name in FILES)
        if whole.is_file():
            return cls.load(whole, length)
        if words.is_file():
            return _checked(words, _from_words(words), length)
        raise UserError(f"{folder}: holds no tokenizer ({' or '.join(FILES)})")

    @classmethod
    def load(cls, path: str | Path, length: int = 64) -> WordPiece:
        """Reads what `save` wrote, or any `tokenizer.json`.

        Raises:
          UserError: it cannot be read or is no WordPiece tokenizer.
        """
        return _checked(Path(path), _read(Path(path)), length)

    @classmethod
    def learn(cls, texts: Iterable[str], size: int, length: int = 64) -> WordPiece:
        """Learns word pieces from texts, lower-cased and without accents.

        Args:
          texts: what they shall spell.
          size: most ids, the special tokens among them.
          length: most ids of one text.
        """
        package = _package()
        reader = package.Tokenizer(package.models.WordPiece(unk_token=UNKNOWN))
        _read_as_bert(reader, {})
        words: Counter[str] = Counter()
        for text in texts:
            clean = reader.normalizer.normalize_str(text)
            split = reader.pre_tokenizer.pre_tokenize_str(clean)
            words.update(word for word, _ in split)
        special = [PADDING, UNKNOWN, START, END]
        pieces = learn_pieces(words, size - len(special))
        places = {piece: i for i, piece in enumerate([*special, *pieces])}
        return cls(_definition(places, {}), length)

    def save(self, path: str | Path) -> None:
        """Writes the definition, byte for byte as it was read."""
        Path(path).write_bytes(self.definition.encode("utf-8"))

    @property
    def size(self) -> int:
        """V: number of ids, padding included."""
        return self._tokenizer.get_vocab_size(with_added_tokens=True)

    def names(self) -> list[str]:
        """Returns the piece of each id from 1 on."""
        ids = self._tokenizer.get_vocab(with_added_tokens=True)
        return sorted(ids, key=ids.__getitem__)[1:]

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Returns padded ids, i32[B, length]."""
        return self.encode_counted(texts)[0]

    def encode_counted(self, texts: Sequence[str]) -> tuple[np.ndarray, int]:
        """Returns padded ids, i32[B, length], and how many texts were cut short."""
        clean = [_SURROGATES.sub("\ufffd", text) for text in texts]
        padded = np.zeros((len(clean), self.length), np.int32)
        cut = 0
        for row, found in zip(padded, self._tokenizer.encode_batch(clean), strict=True):
            ids = found.ids
            row[: len(ids)] = ids
            cut += bool(found.overflowing)
        return padded, cut

    def normalized(self, text: str) -> str:
        """Returns a text as it is before it is split into words."""
        return self._tokenizer.normalizer.normalize_str(text)

    def words(self, text: str) -> list[tuple[int, int]]:
        """Returns start and end of each word of a normalised text."""
        found = self._tokenizer.pre_tokenizer.pre_tokenize_str(text)
        return [place for _, place in found]

    @cached_property
    def _tokenizer(self) -> Any:
        try:
            tokenizer = _package().Tokenizer.from_str(self.definition)
        # The package raises bare exceptions.
        except Exception as error:
            if isinstance(error, UserError):
                raise
            raise UserError(f"not a tokenizer.json: {error}") from error
        tokenizer.no_padding()
        tokenizer.enable_truncation(self.length)
        tokenizer.encode_special_tokens = True
        return tokenizer


def _package() -> Any:
    try:
        import tokenizers
    except ImportError as error:
        raise UserError(
            f"word pieces need the package tokenizers ({error}): "
            "pip install 'recjax[text]'"
        ) from error
    return tokenizers


def _checked(path: Path, definition: str, length: int) -> WordPiece:
    try:
        return WordPiece(definition, length)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read: {error}") from error


def _from_words(path: Path) -> str:
    """Returns the tokenizer of a list of word pieces, one a line."""
    places: dict[str, int] = {}
    for number, line in enumerate(_read(path).removesuffix("\n").split("\n"), 1):
        token = line.removesuffix("\r")
        if token in places:
            raise UserError(
                f"{path} line {number}: {token!r} stands in line {places[token] + 1} "
                "already; list each word piece once"
            )
        places[token] = number - 1
    if missing := [t for t in (PADDING, START, END, UNKNOWN) if t not in places]:
        raise UserError(f"{path}: holds no {', '.join(missing)}")
    about: dict[str, Any] = {}
    beside = path.with_name("tokenizer_config.json")
    if beside.is_file():
        try:
            about = dict(json.loads(_read(beside)))
        except (ValueError, TypeError) as error:
            raise UserError(f"{beside}: cannot be read: {error}") from error
    return _definition(places, about)


def _definition(places: Mapping[str, int], about: Mapping[str, Any]) -> str:
    """Returns the tokenizer of word pieces; `about` as in `tokenizer_config.json`."""
    package = _package()
    from tokenizers import models, processors

    tokenizer = package.Tokenizer(models.WordPiece(dict(places), unk_token=UNKNOWN))
    _read_as_bert(tokenizer, about)
    tokenizer.post_processor = processors.BertProcessing(
        (END, places[END]), (START, places[START])
    )
    tokenizer.add_special_tokens([PADDING, UNKNOWN, START, END])
    return tokenizer.to_str()


def _read_as_bert(tokenizer: Any, about: Mapping[str, Any]) -> None:
    from tokenizers import normalizers, pre_tokenizers

    tokenizer.normalizer = normalizers.BertNormalizer(
        handle_chinese_chars=about.get("tokenize_chinese_chars", True),
        strip_accents=about.get("strip_accents"),
        lowercase=about.get("do_lower_case", True),
    )
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
