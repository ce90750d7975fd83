"""HOTKEYS: which keys cost the most time and the most bytes from START to STOP.

A command's time and bytes are shared by its keys.  Only the call that a client sends counts, with all that was written in
reply to it so far: within EXEC that is EXEC's own request and the replies up to the command's.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from heapq import nlargest
from random import Random
from typing import TYPE_CHECKING, Final

from emulator.datatypes.slots import key_slot
from emulator.datatypes.wheel import Timer
from emulator.protocol.encoder import RESP2, RESP3
from emulator.stats.slowlog import request_size

if TYPE_CHECKING:
    from emulator.clients.host import HostOfClients
    from emulator.clients.session import Session
    from emulator.table.registry import Command

CPU: Final = b"CPU"
NET: Final = b"NET"
_MOST_KEYS: Final = 1024
_MOST_BYTES: Final = 1 << 20
_EXEC: Final = len(b"*1\r\n$4\r\nEXEC\r\n")


class Costs:
    """What each key has cost, and all of them; the cheapest are forgotten when there are too many."""

    def __init__(self, kept: int) -> None:
        self.kept = kept
        self.total = 0
        self._of: dict[bytes, int] = {}
        self._bytes = 0

    def add(self, key: bytes, cost: int) -> None:
        """Charge a key.  O(1) amortized."""
        self.total += cost
        if not cost:
            return
        if key not in self._of:
            self._bytes += len(key)
        self._of[key] = self._of.get(key, 0) + cost
        if len(self._of) > _MOST_KEYS or self._bytes > _MOST_BYTES:
            self._of = dict(self.dearest())
            self._bytes = sum(map(len, self._of))

    def dearest(self) -> list[tuple[bytes, int]]:
        """As many keys as are asked for with their costs, the dearest first."""
        return nlargest(self.kept, self._of.items(), key=lambda item: item[1])


class Spent:
    """The microseconds and the bytes of the network that some commands have taken."""

    def __init__(self) -> None:
        self.micros = self.bytes = 0

    def add(self, micros: int, size: int) -> None:
        """One command more."""
        self.micros += micros
        self.bytes += size


class HotKeys(Timer):
    """One measurement: of some of `CPU` and `NET`, of one in `sample` commands; as a timer it is its end.

    ``active`` until it is stopped.  ``slots`` are those whose keys are measured, None for all.  ``all`` commands that have
    keys, those of these slots (``selected``), and of them those that were ``sampled`` have spent so much; ``started`` is in
    milliseconds since the epoch.
    """

    def __init__(
        self,
        engine: HostOfClients,
        metrics: Sequence[bytes],
        kept: int,
        sample: int,
        chance: Random,
        slots: Collection[int] | None = None,
    ) -> None:
        super().__init__()
        self.slots = slots
        self._chance = chance
        self._engine = engine
        self.costs = {metric: Costs(kept) for metric in metrics}
        self.sample = sample
        self.active = False
        self.started = engine.clock.now
        self.all, self.selected, self.sampled = Spent(), Spent(), Spent()
        self._began = engine.clock.elapsed
        self._lasted = 0
        self._cpu = self._cpu_at_end = os.times()

    def start(self, duration: int) -> None:
        """Measure from now on, for so many milliseconds or with 0 until it is stopped; commands take the long way."""
        self.active = True
        if duration:
            self._engine.waits.set(self, self._began + duration)
        self._engine.meters.append(self.note)
        self._engine.refresh_sessions()

    def stop(self) -> None:
        """Measure no more; what was found stays."""
        self._lasted, self._cpu_at_end = self.lasted, os.times()
        self.active = False
        self._engine.meters.remove(self.note)
        self._engine.waits.cancel(self)
        self._engine.refresh_sessions()

    def fire(self) -> None:
        self.stop()

    @property
    def lasted(self) -> int:
        """Milliseconds that it has measured."""
        return self._engine.clock.elapsed - self._began if self.active else self._lasted

    @property
    def cpu_time(self) -> tuple[int, int]:
        """Milliseconds that the process has used meanwhile, its own and the system's."""
        end = os.times() if self.active else self._cpu_at_end
        return round((end.user - self._cpu.user) * 1e3), round((end.system - self._cpu.system) * 1e3)

    def note(self, session: Session, command: Command, args: Sequence[bytes], reply: object, seconds: float) -> None:
        """Charge the keys of a call that a client has sent; one that waits has no reply yet and is not counted."""
        encoder = (RESP3 if session.protocol == 3 else RESP2).get(reply.__class__)
        if encoder is None or self._engine.runs_script_in(session):
            return
        size = self._size(session, args, len(encoder(reply)))
        keys = [key for key, _ in command.find_keys(args)]
        if not keys:
            return
        micros = round(seconds * 1e6)
        self.all.add(micros, size)
        if self.slots is not None and key_slot(keys[0]) not in self.slots:
            return
        self.selected.add(micros, size)
        if self.sample > 1 and self._chance.randrange(self.sample):
            return
        self.sampled.add(micros, size)
        for metric, costs in self.costs.items():
            share = (micros if metric == CPU else size) // len(keys)
            for key in keys:
                costs.add(key, share)

    def _size(self, session: Session, args: Sequence[bytes], reply: int) -> int:
        """The bytes of the client's request and of what was written in reply to it so far."""
        queue = session.queue
        if queue is None or not session.deny_blocking:  # MULTI itself has opened a queue by now
            return reply + request_size(args)
        return _EXEC + queue.wrote(reply)
