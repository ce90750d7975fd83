"""TDIGEST.*: quantiles of many numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from emulator.commands.arguments import double, integer, wrong_arity
from emulator.modules.bloom.tdigest import MOST_NODES, TDigest, merged
from emulator.modules.keys import changed, opened
from emulator.protocol.errors import CommandError
from emulator.protocol.numbers import parse_double
from emulator.protocol.replies import OK, Status
from emulator.table.modules import command

if TYPE_CHECKING:
    from emulator.clients.session import Session

_PREFIX: Final = "ERR T-Digest: "
_COMPRESSION: Final = 100
_KEYWORD: Final = "wrong keyword"
_CERTAINLY_FINITE: Final = 300
"""A number of fewer characters without an exponent is neither too large nor too small for a double."""


def _error(text: str) -> CommandError:
    return CommandError(_PREFIX + text)


def _number(text: bytes, name: str) -> float:
    return double(text, f"{_PREFIX}error parsing {name}")


def _compression(text: bytes) -> int:
    number = integer(text, f"{_PREFIX}error parsing compression parameter")
    if number < 1:
        raise _error("compression parameter needs to be a positive integer")
    if number > MOST_NODES:
        raise _error("allocation failed")
    return number


def _present(digest: TDigest | None) -> TDigest:
    if digest is None:
        raise _error("key does not exist")
    return digest


def _found(client: Session, key: bytes) -> TDigest:
    return _present(client.db.lookup_read(key, TDigest))


def _opened(client: Session, key: bytes) -> TDigest:
    digest = opened(client, key, TDigest)
    if digest is None:
        raise _error("key does not exist")
    return digest


@command
def tdigest_create(client: Session, key: bytes, *options: bytes) -> Status:
    """Create an empty digest."""
    if len(options) not in (0, 2):
        raise wrong_arity("tdigest.create")
    if opened(client, key, TDigest) is not None:
        raise _error("key already exists")
    compression = _COMPRESSION
    if options:
        if options[0].upper() != b"COMPRESSION":
            raise _error(_KEYWORD)
        compression = _compression(options[1])
    client.db.insert(key, TDigest(compression))
    changed(client, key)
    return OK


@command
def tdigest_add(client: Session, key: bytes, value: bytes, *more: bytes) -> Status:
    """Add numbers."""
    digest = _opened(client, key)
    if more:
        digest.add_all(_finite_numbers((value, *more)))
    else:
        digest.add(_finite(value))
    changed(client, key)
    return OK


def _finite_numbers(texts: Sequence[bytes]) -> list[float]:
    """The numbers of texts.  Those of digits, points and signs alone are read at once, which is four times as quick."""
    if not b"".join(texts).translate(None, b"0123456789.-") and max(map(len, texts)) < _CERTAINLY_FINITE:
        try:
            return list(map(float, texts))
        except ValueError:
            pass  # which text is wrong is told below
    return [_finite(text) for text in texts]


def _finite(text: bytes) -> float:
    number = parse_double(text)
    if number is None:
        raise _error("error parsing val parameter")
    if math.isinf(number):
        raise _error("val parameter needs to be a finite number")
    return number


@command
def tdigest_reset(client: Session, key: bytes) -> Status:
    """Empty a digest."""
    _opened(client, key).reset()
    changed(client, key)
    return OK


@command
def tdigest_merge(client: Session, destination: bytes, numkeys: bytes, source: bytes, *more: bytes) -> Status:
    """Add the numbers of digests to another one, or to an empty one in its place."""
    words = (source, *more)
    target = client.db.lookup_read(destination, TDigest)
    number = integer(numkeys, f"{_PREFIX}error parsing numkeys")
    if number < 1:
        raise _error("numkeys needs to be a positive integer")
    if len(words) < number:
        raise wrong_arity("tdigest.merge")
    compression, override = _merge_options(words[number:])
    sources = [_present(target) if key == destination else _found(client, key) for key in words[:number]]
    if target is not None and not override:
        compression = compression or target.compression
        sources.insert(0, target)
    result = merged(sources, compression or max(digest.compression for digest in sources))
    if client.db.peek_entry(destination) is not None:
        client.db.discard(destination)
    client.db.insert(destination, result)
    changed(client, destination)
    return OK


def _merge_options(words: Sequence[bytes]) -> tuple[int, bool]:
    """The compression, 0 where none is given, and whether what was there is to go; beside them any word may stand."""
    names = [word.upper() for word in words]
    override = b"OVERRIDE" in names
    if b"COMPRESSION" in names:
        place = names.index(b"COMPRESSION") + 1
        if place == len(words):
            raise wrong_arity("tdigest.merge")
        return _compression(words[place]), override
    if words and not override:
        raise _error(_KEYWORD)
    return 0, override


# Asking


@command
def tdigest_min(client: Session, key: bytes) -> float:
    """The smallest number."""
    digest = _found(client, key)
    return digest.min if digest.size else math.nan


@command
def tdigest_max(client: Session, key: bytes) -> float:
    """The largest number."""
    digest = _found(client, key)
    return digest.max if digest.size else math.nan


@command
def tdigest_quantile(client: Session, key: bytes, quantile: bytes, *more: bytes) -> list[float]:
    """The numbers below which some fractions lie."""
    digest = _found(client, key)
    return [digest.quantile(fraction) for fraction in [_fraction(text) for text in (quantile, *more)]]


def _fraction(text: bytes) -> float:
    number = _number(text, "quantile")
    if not 0 <= number <= 1:
        raise _error("quantile should be in [0,1]")
    return number


@command
def tdigest_cdf(client: Session, key: bytes, value: bytes, *more: bytes) -> list[float]:
    """Which fractions lie below some numbers."""
    digest = _found(client, key)
    return [digest.cdf(number) for number in [_number(text, "cdf") for text in (value, *more)]]


@command
def tdigest_trimmed_mean(client: Session, key: bytes, low_cut: bytes, high_cut: bytes) -> float:
    """The mean without the lowest and the highest."""
    digest = _found(client, key)
    low = _number(low_cut, "low_cut_percentile")
    high = _number(high_cut, "high_cut_percentile")
    if not (0 <= low <= 1 and 0 <= high <= 1):
        raise _error("low_cut_percentile and high_cut_percentile should be in [0,1]")
    if low >= high:
        raise _error("low_cut_percentile should be lower than high_cut_percentile")
    return digest.trimmed_mean(low, high)


@command
def tdigest_rank(client: Session, key: bytes, value: bytes, *more: bytes) -> list[int]:
    """How many numbers are less than each of some."""
    digest = _found(client, key)
    return [digest.rank(number) for number in [_number(text, "value") for text in (value, *more)]]


@command
def tdigest_revrank(client: Session, key: bytes, value: bytes, *more: bytes) -> list[int]:
    """How many numbers are greater than each of some."""
    digest = _found(client, key)
    return [digest.reverse_rank(number) for number in [_number(text, "value") for text in (value, *more)]]


def _rank(text: bytes) -> int:
    rank = integer(text, f"{_PREFIX}error parsing rank")
    if rank < 0:
        raise _error("rank needs to be non negative")
    return rank


@command
def tdigest_byrank(client: Session, key: bytes, rank: bytes, *more: bytes) -> list[float]:
    """The numbers of some ranks, counted from the smallest."""
    digest = _found(client, key)
    return [digest.by_rank(one) for one in [_rank(text) for text in (rank, *more)]]


@command
def tdigest_byrevrank(client: Session, key: bytes, rank: bytes, *more: bytes) -> list[float]:
    """The numbers of some ranks, counted from the largest."""
    digest = _found(client, key)
    return [digest.by_reverse_rank(one) for one in [_rank(text) for text in (rank, *more)]]


@command
def tdigest_info(client: Session, key: bytes) -> dict[bytes, int]:
    """What a digest is made of."""
    digest = _found(client, key)
    return {
        Status(b"Compression"): digest.compression,
        Status(b"Capacity"): digest.capacity,
        Status(b"Merged nodes"): digest.merged,
        Status(b"Unmerged nodes"): len(digest.means) - digest.merged,
        Status(b"Merged weight"): digest.merged_weight,
        Status(b"Unmerged weight"): digest.unmerged_weight,
        Status(b"Observations"): digest.size,
        Status(b"Total compressions"): digest.compressions,
        Status(b"Memory usage"): digest.footprint,
    }
