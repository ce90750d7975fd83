"""The setting ``ts-compaction-policy``: each series that a sample creates is followed by others from the beginning."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from emulator.config.notifications import MODULE
from emulator.modules.timeseries.aggregation import AGGREGATIONS, Aggregation
from emulator.modules.timeseries.series import Rule, Series

if TYPE_CHECKING:
    from emulator.clients.session import Session

_UNITS: Final = {"m": 1, "s": 1000, "M": 60_000, "h": 3_600_000, "d": 86_400_000}


class Policy(NamedTuple):
    """One follower: what it has of each bucket, how long it keeps that, and where buckets begin; milliseconds."""

    aggregation: Aggregation
    duration: int
    retention: int
    align: int


@lru_cache(16)
def policies(text: str) -> tuple[Policy, ...]:
    """The policies that a setting says: ``avg:10s:1h;max:1M:0m:30s``."""
    found = []
    for part in filter(None, text.split(";")):
        name, *spans = part.split(":")
        duration, retention, align = (*map(_milliseconds, spans), 0)[:3]
        found.append(Policy(AGGREGATIONS[name.encode()], duration, retention, align))
    return tuple(found)


def _milliseconds(text: str) -> int:
    return int(text[:-1]) * _UNITS[text[-1]]


def follow(client: Session, series: Series) -> None:
    """Create the followers of a new series, but for those whose keys there are already."""
    for policy in policies(client.engine.config.ts_compaction_policy):
        name = policy.aggregation.name.upper()
        parts = (series.key, name, b"%d" % policy.duration, *([b"%d" % policy.align] if policy.align else []))
        key = b"_".join(parts)
        if client.db.peek_entry(key) is not None:
            continue
        follower = Series(key, series.layout.size, series.layout.compressed)
        follower.retention, follower.source = policy.retention, series.key
        told = ((b"aggregation", name), (b"time_bucket", b"%d" % policy.duration))
        follower.labels = (*series.labels, *told)
        client.db.insert(key, follower)
        series.rules.append(Rule(key, policy.aggregation, policy.duration, policy.align))
        client.db.changed(key, MODULE, b"", 0)
