"""What the REST API asks of a data set, be it an engine of this process or an existing Redis elsewhere."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from emulator.protocol.encoder import Encoders
from emulator.rest.requests import Command

T = TypeVar("T")
Soon = T | Awaitable[T]
"""A value at once, or one to wait for."""


class Stream(ABC):
    """A subscription, or MONITOR, that goes on until it is closed."""

    @abstractmethod
    def close(self) -> None:
        """The reader has gone."""


class Database(ABC):
    """A data set with the tokens that open it.  An access is whatever `access` gives for a token."""

    name: str = ""

    @abstractmethod
    def access(self, token: str) -> Soon[Any]:
        """Who may come in with this token; None where nobody may."""

    @abstractmethod
    def run(self, access: Any, address: bytes, commands: Sequence[Command], encoders: Encoders) -> Soon[list[bytes]]:
        """The encoded replies to commands, one after the other; one that fails does not stop the rest."""

    @abstractmethod
    def transaction(self, access: Any, address: bytes, commands: Sequence[Command], encoders: Encoders) -> Soon[bytes]:
        """The encoded replies, as a JSON array, to commands run as one.

        Raises CommandError, and nothing was run, where one of them cannot be run at all.
        """

    @abstractmethod
    def listen(
        self, access: Any, address: bytes, command: Command, send: Callable[[bytes], None], end: Callable[[], None]
    ) -> Soon[Stream]:
        """SUBSCRIBE, PSUBSCRIBE or MONITOR: each event is sent as it is to be read; `end` is called where it is over.

        Raises CommandError where it is refused.
        """

    @property
    @abstractmethod
    def sync_token(self) -> bytes:
        """Another text after each write."""

    async def close(self) -> None:  # noqa: B027
        """Have nothing open any more."""
