"""The type of time series, as it is entered in the registry of types."""

from __future__ import annotations

from emulator.datatypes.digest import Digest
from emulator.datatypes.types import Payload, Type, register
from emulator.modules.timeseries import payload
from emulator.modules.timeseries.series import Series
from emulator.rdb.module import type_id


def _digest(value: Series, digest: Digest) -> None:
    """The module adds nothing to a key's fingerprint."""


_NAME = "TSDB-TYPE"
_PAYLOAD = Payload(
    type_id(_NAME, payload.VERSION), payload.save, payload.load, "timeseries", True, payload.save_in_file
)

register(Type(_NAME.encode(), (Series,), _digest, payload=_PAYLOAD))
