"""Series follow others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from emulator.commands.arguments import bounded, wrong_arity
from emulator.config.notifications import MODULE
from emulator.modules.timeseries.commands.access import opened
from emulator.modules.timeseries.index import indices, tidy
from emulator.modules.timeseries.ranges import read_aggregation
from emulator.modules.timeseries.series import Rule, Series
from emulator.protocol.errors import CommandError
from emulator.protocol.numbers import INT64_MAX
from emulator.protocol.replies import OK, Status
from emulator.table.modules import command

if TYPE_CHECKING:
    from emulator.clients.session import Session

_NO_RULE: Final = "ERR TSDB: compaction rule does not exist"


def _related(client: Session, key: bytes) -> Series:
    """The series of a key that is about to be changed, without what tells of others that are gone."""
    series = opened(client, key)
    tidy(client.db, series)
    return series


@command
def ts_createrule(
    client: Session,
    source_key: bytes,
    dest_key: bytes,
    keyword: bytes,
    aggregator: bytes,
    duration: bytes,
    align: bytes = b"0",
) -> Status:
    """Have another series follow: it gets an aggregation of each bucket of samples."""
    if keyword.upper() != b"AGGREGATION":
        raise wrong_arity("ts.createrule")
    aggregation, length = read_aggregation(aggregator, duration)
    shift = bounded(align, 0, INT64_MAX, "ERR TSDB: Couldn't parse alignTimestamp")
    if source_key == dest_key:
        raise CommandError("ERR TSDB: the source key and destination key should be different")
    db = client.db
    source = _related(client, source_key)
    if source.source is not None:
        raise CommandError("ERR TSDB: the source key already has a source rule")
    destination = _related(client, dest_key)
    if destination.source is not None:
        raise CommandError("ERR TSDB: the destination key already has a src rule")
    if destination.rules:
        raise CommandError("ERR TSDB: the destination key already has a dst rule")
    indices(client.engine)
    source.rules.append(Rule(dest_key, aggregation, length, shift))
    destination.source = source_key
    db.changed(source_key, MODULE, b"ts.createrule:src")
    db.changed(dest_key, MODULE, b"ts.createrule:dest", 0)
    return OK


@command
def ts_deleterule(client: Session, source_key: bytes, dest_key: bytes) -> Status:
    """Have another series follow no more."""
    source = _related(client, source_key)
    rule = next((rule for rule in source.rules if rule.destination == dest_key), None)
    if rule is None:
        raise CommandError(_NO_RULE)
    source.rules.remove(rule)
    _related(client, dest_key).source = None
    client.db.changed(source_key, MODULE, b"ts.deleterule:src")
    client.db.changed(dest_key, MODULE, b"ts.deleterule:dest", 0)
    return OK
