"""One series is looked at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from emulator.datatypes.vector_math import single
from emulator.modules.timeseries.commands.access import found, opened, told, told_one
from emulator.modules.timeseries.index import source_of, tidy
from emulator.modules.timeseries.ranges import Range, asked
from emulator.modules.timeseries.ranges import found as samples_of
from emulator.modules.timeseries.series import Sample, Series
from emulator.protocol.errors import CommandError
from emulator.protocol.replies import Named, Reply, Status
from emulator.table.modules import command

if TYPE_CHECKING:
    from emulator.clients.session import Session
    from emulator.keyspace.database import Database


def open_bucket(db: Database, series: Series) -> Sample | None:
    """What a series that follows another would have next, None where nothing is open or it follows none."""
    source = source_of(db, series)
    for rule in source.rules if source is not None else ():
        if rule.destination == series.key and source is not None:
            return source.latest(rule)
    return None


def last_sample(db: Database, series: Series, latest: bool) -> Sample | None:
    """The last sample of a series, with `latest` that of its open bucket."""
    return (open_bucket(db, series) if latest else None) or series.last


def samples_in(db: Database, series: Series, wanted: Range, backwards: bool) -> list[Sample]:
    """The samples of a series that are asked for."""
    return samples_of(series, wanted, backwards, open_bucket(db, series) if wanted.latest else None)


@command
def ts_get(client: Session, key: bytes, latest: bytes | None = None) -> Reply:
    """The last sample."""
    series = found(client, key)
    if latest is not None and latest.upper() != b"LATEST":
        raise CommandError("ERR TSDB: wrong 3rd argument")
    last = last_sample(client.db, series, latest is not None)
    return told_one(client, last)


@command
def ts_range(client: Session, key: bytes, from_timestamp: bytes, to_timestamp: bytes, *words: bytes) -> Reply:
    """The samples of a span of time, or their aggregations."""
    return _range(client, "ts.range", key, (from_timestamp, to_timestamp, *words), backwards=False)


@command
def ts_revrange(client: Session, key: bytes, from_timestamp: bytes, to_timestamp: bytes, *words: bytes) -> Reply:
    """The samples of a span of time, or their aggregations, the last first."""
    return _range(client, "ts.revrange", key, (from_timestamp, to_timestamp, *words), backwards=True)


def _range(client: Session, command: str, key: bytes, words: Sequence[bytes], backwards: bool) -> Reply:
    series = found(client, key)
    return told(client, samples_in(client.db, series, asked(words, command), backwards))


# TS.INFO


@command
def ts_info(client: Session, key: bytes, debug: bytes | None = None) -> dict[bytes, Reply]:
    """What a series is made of."""
    series = opened(client, key)  # so that rules to keys that are gone can be taken out, which watchers hear of
    source = tidy(client.db, series)
    policy = series.policy or client.engine.config.ts_duplicate_policy.encode()
    chunks = list(series.layout.described(series.times, series.values))
    layout = series.layout
    fields: dict[bytes, Reply] = {
        b"totalSamples": len(series.times),
        b"memoryUsage": series.footprint,
        b"firstTimestamp": series.times[0] if series.times else 0,
        b"lastTimestamp": series.times[-1] if series.times else 0,
        b"retentionTime": series.retention,
        b"chunkCount": len(chunks),
        b"chunkSize": layout.size,
        b"chunkType": Status(b"compressed" if layout.compressed else b"uncompressed"),
        b"duplicatePolicy": Status(policy),
        b"labels": Named(series.labels),
        b"sourceKey": source.key if source is not None else None,
        b"rules": _rules(client, series),
        b"ignoreMaxTimeDiff": series.ignored[0],
        b"ignoreMaxValDiff": series.ignored[1],
    }
    if debug is not None and debug.upper() == b"DEBUG":
        fields |= {b"keySelfName": series.key, b"Chunks": [_chunk(client, series, *chunk) for chunk in chunks]}
    return {Status(name): value for name, value in fields.items()}


def _rules(client: Session, series: Series) -> Reply:
    rules: list[tuple[bytes, list[Reply]]] = [
        (rule.destination, [rule.duration, Status(rule.aggregation.name.upper()), rule.align]) for rule in series.rules
    ]
    return Named(rules) if client.protocol == 3 else [[name, *rest] for name, rest in rules]


def _chunk(client: Session, series: Series, first: int, last: int) -> dict[bytes, Reply]:
    count, size = last - first, series.layout.size
    return {
        Status(b"startTimestamp"): series.times[first] if count else -1,
        Status(b"endTimestamp"): series.times[last - 1] if count else -1,
        Status(b"samples"): count,
        Status(b"size"): size,
        Status(b"bytesPerSample"): single(size / count) if count else 0.0,
    }
