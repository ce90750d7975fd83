"""Replicas of a server within a program: `emulator.Server(replicas=2)` has them as ``replicas``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from copy import copy
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from emulator.clock import Clock, in_milliseconds
from emulator.testing.waiting import until, until_here

if TYPE_CHECKING:
    from emulator.core.engine import Engine
    from emulator.testing.embedded import Server

_COMPLAINT = "a replica does not catch up with its master"


class ReplicaHandle:
    """What can be done to a replica: how far it is behind, and whether its link is cut."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def lag(self, time: float | timedelta) -> None:
        """Let it apply what its master sends only so much later: seconds or a ``timedelta``, by its own clock."""
        self._server.command("EMULATOR", "LAG", in_milliseconds(time))

    def cut(self) -> None:
        """Cut the link to its master."""
        self._server.command("EMULATOR", "LINK", "CUT")

    def heal(self) -> None:
        """Let it connect to its master again."""
        self._server.command("EMULATOR", "LINK", "HEAL")

    @contextmanager
    def apart(self) -> Iterator[None]:
        """The link is cut while the context lasts."""
        self.cut()
        try:
            yield
        finally:
            self.heal()


class Replicas(list["Server"]):
    """The replicas of a server, each a `Server` of its own; as many as there are to be."""

    def __init__(self, master: Server, count: int, clock: Clock | None, settings: dict[str, Any]) -> None:
        super().__init__()
        self._master = master
        self._count = count
        self._clock = clock
        self._settings = settings
        self._stack = ExitStack()

    def _new(self) -> Server:
        from emulator.testing.embedded import Server  # it imports this module

        clock = None if self._clock is None else copy(self._clock)
        return Server(clock=clock, **self._settings, replicaof=f"{self._master.host} {self._master.port}")

    def start(self) -> None:
        """Start them, each in a thread, until they follow."""
        for _ in range(self._count):
            self.append(self._stack.enter_context(self._new()))
        self.wait()

    async def start_here(self) -> None:
        """Start them in the running loop, until they follow."""
        for _ in range(self._count):
            self.append(await self._new().__aenter__())
        await until_here(self._in_step, _COMPLAINT)

    def wait(self) -> None:
        """Wait until they have all that their master has.  Raises TimeoutError where they do not come to it."""
        if self:
            until(self._in_step, _COMPLAINT)

    def _in_step(self) -> bool:
        offset = self._master.run(_offset)
        return all(server.run(_is_up) and server.run(_offset) == offset for server in self)

    def stop(self) -> None:
        """End them."""
        self.clear()
        self._stack.close()

    async def stop_here(self) -> None:
        """End those that were started in the running loop."""
        for server in self:
            await server.__aexit__(None, None, None)
        self.clear()


def _offset(engine: Engine) -> int:
    return engine.replication.stream.offset


def _is_up(engine: Engine) -> bool:
    """Whether a replica follows its master; if not it tries to, since its clock may stand still."""
    link = engine.replication.link
    if link is None or link.is_up:
        return True
    link.retry()
    return False
