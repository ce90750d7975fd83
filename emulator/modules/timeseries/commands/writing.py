"""Series are created and altered, samples are added and deleted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from emulator.commands.arguments import wrong_arity
from emulator.config.notifications import GENERIC, MODULE
from emulator.modules.timeseries import options
from emulator.modules.timeseries.commands.access import opened
from emulator.modules.timeseries.following import appended, deleted, inserted
from emulator.modules.timeseries.index import indices, prune
from emulator.modules.timeseries.number import parse
from emulator.modules.timeseries.policies import follow
from emulator.modules.timeseries.ranges import span
from emulator.modules.timeseries.series import Duplicate, Series, TooOld
from emulator.protocol.errors import CommandError
from emulator.protocol.numbers import parse_double, parse_integer
from emulator.protocol.replies import OK, Reply, Status
from emulator.table.modules import command

if TYPE_CHECKING:
    from emulator.clients.session import Session

_NOT_SERIES: Final = "ERR TSDB: the key is not a TSDB key"
_BAD_MOMENT: Final = "ERR TSDB: invalid timestamp"
_BLOCKED: Final = "ERR TSDB: Error at upsert, update is not supported when DUPLICATE_POLICY is set to BLOCK mode"
_BAD_STEP: Final = "ERR TSDB: invalid increase/decrease value"


def _create(client: Session, key: bytes, words: Sequence[bytes], name: str) -> Series:
    series = options.created(client, key, options.read(words, name))
    indices(client.engine)
    client.db.insert(key, series)
    return series


@command
def ts_create(client: Session, key: bytes, *words: bytes) -> Status:
    """Create an empty series."""
    options.read((key, *words), "ts.create")
    if client.db.has_listeners:
        client.db.touch(key)
    if client.db.lookup_write_entry(key) is not None:
        raise CommandError("ERR TSDB: key already exists")
    _create(client, key, (key, *words), "ts.create")
    client.db.changed(key, MODULE, b"ts.create")
    return OK


@command
def ts_alter(client: Session, key: bytes, *words: bytes) -> Status:
    """Change the retention, the labels and whatever else the options name."""
    given = options.read((key, *words), "ts.alter")
    options.alter(opened(client, key), given)
    client.db.changed(key, MODULE, b"ts.alter")
    return OK


# Adding


def _moment(client: Session, text: bytes) -> int:
    if text == b"*":
        return client.engine.clock.now
    moment = parse_integer(text)
    if moment is None:
        raise CommandError(_BAD_MOMENT)
    if moment < 0:
        raise CommandError(f"{_BAD_MOMENT}, must be a nonnegative integer")
    return moment


def _policy(client: Session, series: Series, given: bytes | None) -> bytes:
    return given or series.policy or client.engine.config.ts_duplicate_policy.encode()


def _enter(client: Session, series: Series, moment: int, value: float, policy: bytes) -> tuple[int, bool]:
    """Add a sample; the moment of the one that is there for it now, and whether it is another one than before."""
    if series.ignores(moment, value, policy):
        return series.times[-1], False
    try:
        is_last = series.add(moment, value, policy)
    except Duplicate:
        raise CommandError(_BLOCKED) from None
    except TooOld:
        raise CommandError("ERR TSDB: Timestamp is older than retention") from None
    if series.rules:
        (appended if is_last else inserted)(client.db, series, moment)
    return moment, True


@command
def ts_add(client: Session, key: bytes, timestamp: bytes, value: bytes, *words: bytes) -> int:
    """Add a sample to a series, which is created if need be; its moment."""
    changes = False
    try:
        moment, changes = _add(client, key, timestamp, value, words)
        return moment
    finally:  # it is told whatever comes of it
        client.db.changed(key, MODULE, b"ts.add", changes)


def _add(client: Session, key: bytes, timestamp: bytes, value: bytes, words: Sequence[bytes]) -> tuple[int, bool]:
    number = parse(value)
    moment = _moment(client, timestamp)
    entry = client.db.lookup_write_entry(key)
    given = None
    if entry is None:
        series = _create(client, key, (key, timestamp, value, *words), "ts.add")
        if client.engine.config.ts_compaction_policy:
            follow(client, series)
    elif not isinstance(entry.value, Series):
        raise CommandError(_NOT_SERIES)
    else:
        series = entry.value
        if words:
            given = options.read_policy(words, [word.upper() for word in words], b"ON_DUPLICATE")
    return _enter(client, series, moment, number, _policy(client, series, given))


@command
def ts_madd(client: Session, key: bytes, timestamp: bytes, value: bytes, *more: bytes) -> list[Reply]:
    """Add samples to series that are there; their moments."""
    words = (key, timestamp, value, *more)
    if len(words) % 3:
        raise wrong_arity("ts.madd")
    samples = [words[place : place + 3] for place in range(0, len(words), 3)]
    replies: list[Reply] = []
    changes = False
    for sample in samples:
        try:
            moment, changed = _add_to_series(client, *sample)
            replies.append(moment)
            changes |= changed
        except CommandError as error:
            replies.append(error.alone())
    for name, _, _ in samples:
        client.db.changed(name, MODULE, b"ts.add", 0)
    client.engine.dirty += changes
    return replies


def _add_to_series(client: Session, key: bytes, timestamp: bytes, value: bytes) -> tuple[int, bool]:
    number = parse(value)
    moment = _moment(client, timestamp)
    entry = client.db.lookup_write_entry(key)
    if entry is None or not isinstance(entry.value, Series):
        raise CommandError(_NOT_SERIES)
    return _enter(client, entry.value, moment, number, _policy(client, entry.value, None))


# Counting


def _count(client: Session, key: bytes, value: bytes, words: Sequence[bytes], sign: int, name: str) -> int:
    entry = client.db.lookup_write_entry(key)
    if entry is not None and not isinstance(entry.value, Series):
        opened(client, key)
    step = parse_double(value)
    names = [word.upper() for word in words]
    stamp = b"*"
    if b"TIMESTAMP" in names:
        place = names.index(b"TIMESTAMP") + 1
        stamp = words[place] if place < len(words) else b""
    if entry is None:
        series = _create(client, key, (key, value, *words), name)
        client.db.changed(key, 0, b"", 0)  # it stays, whatever becomes of the rest
        if client.engine.config.ts_compaction_policy:
            follow(client, series)
    else:
        series = opened(client, key)
    if step is None:
        raise CommandError(_BAD_STEP)
    moment = _moment(client, stamp)
    last = series.last
    if last is not None and moment < last[0]:
        raise CommandError("TSDB: timestamp must be equal to or higher than the maximum existing timestamp")
    number = (last[1] if last is not None else 0.0) + sign * step
    moment, _ = _enter(client, series, moment, number, b"last")
    client.db.changed(key, GENERIC, name.encode())
    return moment


@command
def ts_incrby(client: Session, key: bytes, value: bytes, *words: bytes) -> int:
    """Add a sample that is greater than the last one by so much; its moment."""
    return _count(client, key, value, words, 1, "ts.incrby")


@command
def ts_decrby(client: Session, key: bytes, value: bytes, *words: bytes) -> int:
    """Add a sample that is less than the last one by so much; its moment."""
    return _count(client, key, value, words, -1, "ts.decrby")


@command
def ts_del(client: Session, key: bytes, from_timestamp: bytes, to_timestamp: bytes) -> int:
    """Delete the samples of a span of time; how many there were."""
    first, last = span(from_timestamp, to_timestamp)
    series = opened(client, key)
    count = series.delete(first, last)
    if count:
        deleted(client.db, series, first, last)
    else:
        prune(client.db, series)
    client.db.changed(key, MODULE, b"ts.del")
    return count
