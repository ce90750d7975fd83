"""What becomes of the series that follow another one when its samples change."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from emulator.config.notifications import MODULE
from emulator.modules.timeseries.index import prune
from emulator.modules.timeseries.series import Rule, Series, TooOld
from emulator.protocol.numbers import INT64_MAX

if TYPE_CHECKING:
    from emulator.keyspace.database import Database


def _followers(db: Database, series: Series) -> Iterator[tuple[Rule, Series]]:
    yield from zip(series.rules, prune(db, series), strict=True)


def _tell(db: Database, follower: Series) -> None:
    db.changed(follower.key, MODULE, b"ts.add:dest", 0)


def _enter(db: Database, follower: Series, moment: int, value: float) -> None:
    try:
        follower.add(moment, value, b"last")
    except TooOld:
        return
    _tell(db, follower)


def appended(db: Database, series: Series, moment: int) -> None:
    """A sample is the last one now: where it begins a bucket, the one before it is closed."""
    for rule, follower in _followers(db, series):
        start = rule.start_of(moment)
        if rule.bucket is None:
            rule.bucket, rule.since = start, moment
        elif start > rule.bucket:
            value = series.bucket(rule, rule.bucket, rule.since)
            if value is not None:
                _enter(db, follower, rule.bucket, value)
            rule.bucket = start


def inserted(db: Database, series: Series, moment: int) -> None:
    """A sample has come late, or another in place of one: its bucket is another."""
    for rule, follower in _followers(db, series):
        start = rule.start_of(moment)
        if rule.bucket is None or start >= rule.bucket:
            rule.since = 0
        else:
            value = series.bucket(rule, start)
            if value is not None:
                _enter(db, follower, start, value)


def deleted(db: Database, series: Series, first: int, last: int) -> None:
    """Samples of a span are gone: the closed buckets are others, or gone as well, and one may be open again."""
    for rule, follower in _followers(db, series):
        _reopen(rule, series, last)
        opened = INT64_MAX if rule.bucket is None else rule.bucket
        place, end = follower.span(min(rule.start_of(first), opened), INT64_MAX)
        for bucket in list(follower.times[place:end]):
            if bucket > rule.start_of(last) and not _is_open(rule, bucket):
                continue
            value = None if _is_open(rule, bucket) else series.bucket(rule, bucket)
            if value is not None:
                _enter(db, follower, bucket, value)
                continue
            follower.delete(bucket, bucket)
            db.changed(follower.key, MODULE, b"ts.del:dest", 0)


def _is_open(rule: Rule, bucket: int) -> bool:
    return rule.bucket is None or bucket >= rule.bucket


def _reopen(rule: Rule, series: Series, last: int) -> None:
    """Where the last samples are gone, the bucket of those before them is open, with all that it has."""
    if rule.bucket is None:
        return
    if not series.times:
        rule.bucket = None
        return
    bucket = rule.start_of(series.times[-1])
    if bucket < rule.bucket or last >= rule.bucket:
        rule.bucket, rule.since = min(bucket, rule.bucket), 0
