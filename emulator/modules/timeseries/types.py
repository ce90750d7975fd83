"""The type of time series, as it is entered in the registry of types."""

from __future__ import annotations

from emulator.datatypes.digest import Digest
from emulator.datatypes.types import Type, register
from emulator.modules.timeseries.series import Series


def _digest(value: Series, digest: Digest) -> None:
    """The module adds nothing to a key's fingerprint."""


register(Type(b"TSDB-TYPE", (Series,), _digest))
