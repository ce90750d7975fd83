"""What the REST API asks of a data set, be it an engine of this process or an existing Redis elsewhere."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from emulator.rest.encoding import Format
from emulator.rest.requests import Words


class EventStream(ABC):
    """A subscription, or MONITOR, that goes on until it is closed."""

    @abstractmethod
    def begin(self, send: Callable[[bytes], None], end: Callable[[], None], transport: asyncio.Transport) -> None:
        """From now on each event is sent, as it is to be read; `end` is called where it is over.

        `transport` tells how much has not been sent yet: who reads too slowly is cut off.
        """

    @abstractmethod
    def close(self) -> None:
        """The reader has gone."""


class RestDatabase(ABC):
    """A data set with the tokens that open it.  An access is whatever `access` gives for a token.

    What can be answered at once is, and the rest is to be waited for: an engine's answers need no task.
    """

    name: str = ""

    @abstractmethod
    def access(self, token: str) -> Any | Awaitable[Any]:
        """Who may come in with this token; None where nobody may."""

    def seen_from(self, region: str, sync_token: bytes) -> RestDatabase:
        """The database as it is in a region of the service, to somebody whose last answer had this token."""
        return self

    @abstractmethod
    def run(
        self, access: Any, address: bytes, commands: Sequence[Words], format: Format
    ) -> list[bytes] | Awaitable[list[bytes]]:
        """The encoded replies to commands, one after the other; one that fails does not stop the rest."""

    @abstractmethod
    def transaction(
        self, access: Any, address: bytes, commands: Sequence[Words], format: Format
    ) -> bytes | Awaitable[bytes]:
        """The encoded replies, as a JSON array, to commands run as one.

        Raises CommandError, and nothing was run, where one of them cannot be run at all.
        """

    @abstractmethod
    def listen(self, access: Any, address: bytes, command: Words) -> EventStream | Awaitable[EventStream]:
        """SUBSCRIBE, PSUBSCRIBE or MONITOR.  Raises CommandError where it is refused."""

    @property
    @abstractmethod
    def sync_token(self) -> bytes:
        """Another text after each write."""

    async def close(self) -> None:  # noqa: B027
        """Have nothing open any more."""
