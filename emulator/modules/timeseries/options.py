"""The options by which series are created and altered."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from emulator.commands.arguments import integer, wrong_arity
from emulator.modules.timeseries.series import POLICIES, Series
from emulator.protocol.errors import CommandError
from emulator.protocol.numbers import parse_double

if TYPE_CHECKING:
    from emulator.clients.session import Session

_UNFIT: Final = re.compile(rb"[(),]")
_ENCODINGS: Final = {b"COMPRESSED": True, b"UNCOMPRESSED": False}


class Options(NamedTuple):
    """What the options say; None where nothing is said."""

    retention: int | None
    chunk_size: int | None
    compressed: bool | None
    policy: bytes | None
    ignored: tuple[int, float] | None
    labels: tuple[tuple[bytes, bytes], ...] | None


def _error(text: str) -> CommandError:
    return CommandError(f"ERR TSDB: {text}")


def read(words: Sequence[bytes], command: str) -> Options:
    """The options in some words, the key among them: each stands before its value anywhere, labels go on to the end."""
    names = [word.upper() for word in words]
    labels = _labels(words[names.index(b"LABELS") + 1 :]) if b"LABELS" in names else None
    return Options(
        _retention(words, names),
        _chunk_size(words, names),
        _encoding(names, command),
        read_policy(words, names, b"DUPLICATE_POLICY"),
        _ignored(words, names),
        labels,
    )


def _value(words: Sequence[bytes], names: Sequence[bytes], name: bytes, behind: int = 1) -> bytes | None:
    """The word behind a name, empty where there is none; None without the name."""
    if name not in names:
        return None
    place = names.index(name) + behind
    return words[place] if place < len(words) else b""


def _retention(words: Sequence[bytes], names: Sequence[bytes]) -> int | None:
    text = _value(words, names, b"RETENTION")
    if text is None:
        return None
    span = integer(text, "ERR TSDB: Couldn't parse RETENTION")
    if span < 0:
        raise CommandError("TSDB: Couldn't parse RETENTION")
    return span


def _chunk_size(words: Sequence[bytes], names: Sequence[bytes]) -> int | None:
    text = _value(words, names, b"CHUNK_SIZE")
    if text is None:
        return None
    size = integer(text, "ERR TSDB: Couldn't parse CHUNK_SIZE")
    if size % 8 or not 48 <= size <= 1 << 20:
        raise _error("CHUNK_SIZE value must be a multiple of 8 in the range [48 .. 1048576]")
    return size


def _encoding(names: Sequence[bytes], command: str) -> bool | None:
    if b"ENCODING" not in names:
        return False if b"UNCOMPRESSED" in names else None
    name = _value(names, names, b"ENCODING")
    if not name:
        raise wrong_arity(command)
    if name not in _ENCODINGS:
        raise _error("unknown ENCODING parameter")
    return _ENCODINGS[name]


def read_policy(words: Sequence[bytes], names: Sequence[bytes], name: bytes) -> bytes | None:
    """The policy behind a name, None without it."""
    text = _value(words, names, name)
    if text is None:
        return None
    if not text:
        raise _error("Couldn't parse DUPLICATE_POLICY")
    if text.lower() not in POLICIES:
        raise _error("Unknown DUPLICATE_POLICY")
    return text.lower()


def _ignored(words: Sequence[bytes], names: Sequence[bytes]) -> tuple[int, float] | None:
    text = _value(words, names, b"IGNORE")
    if text is None:
        return None
    bad = "ERR TSDB: Couldn't parse IGNORE"
    span, difference = integer(text, bad), parse_double(_value(words, names, b"IGNORE", 2) or b"")
    if difference is None:
        raise CommandError(bad)
    if span < 0 or difference < 0:
        raise _error("IGNORE arguments cannot be negative")
    return span, difference


def _labels(words: Sequence[bytes]) -> tuple[tuple[bytes, bytes], ...]:
    pairs = tuple(zip(words[::2], words[1::2], strict=False))
    if any(not name or not value or _UNFIT.search(value) for name, value in pairs):
        raise _error("Couldn't parse LABELS")
    return pairs


def created(client: Session, key: bytes, options: Options) -> Series:
    """A new series as the options say, and the settings where they say nothing."""
    config = client.engine.config
    compressed = config.ts_encoding == "compressed" if options.compressed is None else options.compressed
    series = Series(key, options.chunk_size or config.ts_chunk_size_bytes, compressed)
    series.retention = config.ts_retention_policy if options.retention is None else options.retention
    series.policy = options.policy
    series.ignored = options.ignored or (config.ts_ignore_max_time_diff, config.ts_ignore_max_val_diff)
    series.labels = options.labels or ()
    return series


def alter(series: Series, options: Options) -> None:
    """Change what the options name."""
    if options.retention is not None:
        series.retention = options.retention
    if options.chunk_size is not None:
        series.layout.size = options.chunk_size
    if options.policy is not None:
        series.policy = options.policy
    if options.ignored is not None:
        series.ignored = options.ignored
    if options.labels is not None:
        series.labels = options.labels
