"""What becomes of the series that follow another one when its samples change."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from emulator.config.notifications import MODULE
from emulator.modules.timeseries.index import prune
from emulator.modules.timeseries.series import Rule, Series, TooOld

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
    """Samples of a span are gone: the closed buckets are others, or gone as well."""
    for rule, follower in _followers(db, series):
        place, end = follower.span(rule.start_of(first), rule.start_of(last))
        for bucket in list(follower.times[place:end]):
            value = series.bucket(rule, bucket)
            if value is None:
                follower.delete(bucket, bucket)
                db.changed(follower.key, MODULE, b"ts.del:dest", 0)
            else:
                _enter(db, follower, bucket, value)
