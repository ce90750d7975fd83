"""Finding the series of a key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from emulator.modules.timeseries.number import printed, printed_all
from emulator.modules.timeseries.series import Sample, Series
from emulator.protocol.errors import WRONGTYPE, CommandError
from emulator.protocol.replies import Reply, Samples, Status

if TYPE_CHECKING:
    from emulator.clients.session import Session

MISSING: Final = "ERR TSDB: the key does not exist"


def opened(client: Session, key: bytes) -> Series:
    """The series of a key that is about to be changed."""
    db = client.db
    if db.has_listeners:
        db.touch(key)
    db.reweigh(key)
    entry = db.lookup_write_entry(key)
    return _checked(None if entry is None else entry.value)


def found(client: Session, key: bytes) -> Series:
    """The series of a key that is read."""
    return _checked(client.db.lookup_read_any(key))


def _checked(value: object) -> Series:
    if value is None:
        raise CommandError(MISSING)
    if not isinstance(value, Series):
        raise CommandError(f"ERR {WRONGTYPE}")
    return value


def told(client: Session, samples: Sequence[Sample]) -> Reply:
    """Samples as the client's protocol has them."""
    if client.protocol == 3 or not samples:
        return list(map(list, samples))
    return Samples([moment for moment, _ in samples], printed_all([value for _, value in samples]))


def told_one(client: Session, sample: Sample | None) -> Reply:
    """A sample as the client's protocol has it, nothing where there is none."""
    if sample is None:
        return []
    moment, value = sample
    return [moment, value if client.protocol == 3 else Status(printed(value))]
