"""Time series to bytes and back: what the module keeps of them in payloads and RDB files.

Rules and sources are in files only: whoever restores a payload may not have the other series.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from emulator.modules.timeseries import context
from emulator.modules.timeseries.aggregation import NUMBERS, aggregation
from emulator.modules.timeseries.chunks import Writer, as_bits, from_bits, samples_of
from emulator.modules.timeseries.series import POLICIES, Rule, Series
from emulator.rdb.errors import BadData
from emulator.rdb.module import (
    double,
    read_double,
    read_string,
    read_unsigned,
    string,
    unsigned,
)

if TYPE_CHECKING:
    from emulator.datatypes.types import Text
    from emulator.rdb.payload import Reader

VERSION: Final = 8

_PLAIN, _COMPRESSED = 1, 2
_SAMPLE: Final = struct.Struct("<Qd")
_SAMPLES_A_STEP: Final = 500
_LARGEST: Final = (1 << 63) - 1
_NO_BUCKET: Final = (1 << 64) - 1


def save(series: Series, text: Text) -> Iterator[bytes]:
    """What the module keeps of a series in a payload."""
    return _saved(series, text, in_file=False)


def save_in_file(series: Series, text: Text) -> Iterator[bytes]:
    """What it keeps in a file."""
    return _saved(series, text, in_file=True)


def _saved(series: Series, text: Text, in_file: bool) -> Iterator[bytes]:
    source, rules = (series.source, series.rules) if in_file else (None, [])
    layout, last = series.layout, series.last or (0, 0.0)
    yield string(series.key, text)
    yield from map(unsigned, (series.retention, layout.size, _COMPRESSED if layout.compressed else _PLAIN, last[0]))
    yield double(last[1])
    policy = POLICIES.index(series.policy) + 1 if series.policy else 0
    yield from map(unsigned, (len(series.times), policy, source is not None))
    if source is not None:
        yield string(source, text)
    yield unsigned(series.ignored[0])
    yield double(series.ignored[1])
    yield unsigned(len(series.labels))
    for pair in series.labels:
        yield from (string(word, text) for word in pair)
    for _ in layout.settle_in_steps(series.times, series.values):
        yield b""
    chunks = list(layout.described(series.times, series.values))
    yield unsigned(len(rules))
    for rule in rules:
        yield string(rule.destination, text)
        start = _NO_BUCKET if rule.bucket is None else rule.bucket
        yield from map(unsigned, (rule.duration, rule.align, NUMBERS.index(rule.aggregation.name), start))
        yield from context.save(series, rule)
    yield unsigned(len(chunks))
    write = _compressed if layout.compressed else _plain
    for first, behind in chunks:
        yield from write(series.times[first:behind], series.values[first:behind], layout.size, text)


def _compressed(times: array[int], values: array[float], size: int, text: Text) -> Iterator[bytes]:
    writer = Writer(keeps=True)
    for number, (moment, value) in enumerate(zip(times, values, strict=True)):
        writer.append(moment, value, size << 3)
        if not number % _SAMPLES_A_STEP:
            yield b""
    first = (as_bits(values[0]), times[0]) if times else (0, 0)
    numbers = (size, writer.count, writer.bits, *first, writer.moment, writer.step, writer.word)
    yield from map(unsigned, (*numbers, writer.leading, writer.trailing))
    yield string(writer.content.to_bytes(size, "little"), text)


def _plain(times: array[int], values: array[float], size: int, text: Text) -> Iterator[bytes]:
    yield from map(unsigned, (times[0] if times else 0, len(times), size))
    content = b"".join(map(_SAMPLE.pack, times, values))
    yield string(content.ljust(size, b"\0"), text)


# Reading


def load(reader: Reader, version: int) -> Series:
    """A series of what the module keeps.  Raises `BadData`."""
    if version != VERSION:
        raise BadData
    key = read_string(reader)
    retention, size, options, _ = (read_unsigned(reader) for _ in range(4))
    read_double(reader)
    count, policy, has_source = (read_unsigned(reader) for _ in range(3))
    source = read_string(reader) if has_source else None
    span = read_unsigned(reader)
    if size % 8 or not 48 <= size <= 1 << 20 or options not in (_PLAIN, _COMPRESSED):
        raise BadData
    if policy > len(POLICIES) or has_source > 1 or max(retention, span) > _LARGEST:
        raise BadData
    series = Series(key, size, options == _COMPRESSED)
    series.retention, series.policy = retention, POLICIES[policy - 1] if policy else None
    series.ignored = span, read_double(reader)
    series.labels = tuple((read_string(reader), read_string(reader)) for _ in range(read_unsigned(reader)))
    series.source = source
    gathered = [_load_rule(series, reader) for _ in range(read_unsigned(reader))]
    _load_chunks(series, reader)
    if len(series.times) != count:
        raise BadData
    for rule, found in zip(series.rules, gathered, strict=True):
        context.settle(series, rule, found)
    return series


def _load_rule(series: Series, reader: Reader) -> context.Gathered:
    destination = read_string(reader)
    duration, align, number, start = (read_unsigned(reader) for _ in range(4))
    if not 0 < number < len(NUMBERS) or not 0 < duration <= _LARGEST or align > _LARGEST:
        raise BadData
    rule = Rule(destination, aggregation(NUMBERS[number]), duration, align)
    rule.bucket = start if start <= _LARGEST else None
    series.rules.append(rule)
    return context.load(reader, rule.aggregation.name)


def _load_chunks(series: Series, reader: Reader) -> None:
    read = _read_compressed if series.layout.compressed else _read_plain
    last = -1
    try:
        for _ in range(read_unsigned(reader)):
            for moment, value in read(reader):
                if not last < moment <= _LARGEST:
                    raise BadData
                last = moment
                series.times.append(moment)
                series.values.append(value)
    except (ValueError, OverflowError, struct.error):
        raise BadData from None


def _read_compressed(reader: Reader) -> Iterator[tuple[int, float]]:
    _, count, bits, word, moment, *_ = (read_unsigned(reader) for _ in range(10))
    content = read_string(reader)
    if count > 1 + bits or bits > len(content) << 3:
        raise BadData
    for found, value in samples_of(moment, word, count, int.from_bytes(content, "little"), bits):
        yield found, from_bits(value)


def _read_plain(reader: Reader) -> Iterator[tuple[int, float]]:
    _, count, _ = (read_unsigned(reader) for _ in range(3))
    content = read_string(reader)
    if count * _SAMPLE.size > len(content):
        raise BadData
    yield from _SAMPLE.iter_unpack(content[: count * _SAMPLE.size])
