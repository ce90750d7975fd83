"""What a test does to a server: its last commands, and what it leaves behind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from time import sleep
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from emulator.testing.handles import Handle

_SHOWN = 20
_LOOKS = 50
_BETWEEN_LOOKS = 0.01


class Watch:
    """Watches over a server from its making, when it becomes as new and gets `settings`, until `end`.

    A real server is emptied only.  With `strict` it can tell what was left behind.
    """

    def __init__(self, handle: Handle, settings: Mapping[str, object], strict: bool) -> None:
        self._handle = handle
        self._can_record = handle.is_emulator
        calls: list[tuple[object, ...]] = [("FLUSHALL",)]
        if self._can_record:
            handle.reset()
            calls = [("EMULATOR", "RECORD", "START")]
        self._settings = {name: handle.command("CONFIG", "GET", name)[name.encode()] for name in settings}
        calls += [("CONFIG", "SET", name, value) for name, value in settings.items()]
        handle.perform(*calls)
        self._before = self._clients().keys() if strict else None

    def end(self) -> None:
        """Give the settings back what they were."""
        if self._settings:
            self._handle.perform(*(("CONFIG", "SET", name, value) for name, value in self._settings.items()))

    def left_behind(self) -> list[str]:
        """Connections that were opened and are still there, calls that wait, keys that never expire."""
        if self._before is None:
            return []
        for _ in range(_LOOKS):  # what was closed a moment ago takes a moment to be gone
            found = list(self._left_behind())
            if not found:
                break
            sleep(_BETWEEN_LOOKS)
        return found

    def _left_behind(self) -> Iterator[str]:
        lines = [line for number, line in self._clients().items() if number not in (self._before or ())]
        waiting = [line for line in lines if _waits(line)]
        lasting = [key for key, _, expires in self._keys() if not expires]
        if len(lines) > len(waiting):
            yield f"{len(lines) - len(waiting)} open connections"
        if waiting:
            yield f"{len(waiting)} calls that wait"
        if lasting:
            yield f"{len(lasting)} keys without an expiry, such as {lasting[0]!r}"

    def _clients(self) -> dict[bytes, bytes]:
        """The lines of CLIENT LIST by the ids, but for the one that asks."""
        own, told = self._handle.perform(("CLIENT", "ID"), ("CLIENT", "LIST"))
        lines = {line.split()[0].removeprefix(b"id="): line for line in bytes(told).splitlines()}
        lines.pop(b"%d" % own)
        return lines

    def _keys(self) -> Iterator[tuple[bytes, int, bool]]:
        """Each key, its database, and whether it expires."""
        info = bytes(self._handle.command("INFO", "keyspace")).decode()
        indexes = [int(line.partition(":")[0][2:]) for line in info.splitlines() if line.startswith("db")]
        for index in indexes:
            _, keys = self._handle.perform(("SELECT", index), ("KEYS", "*"))
            answers = self._handle.perform(("SELECT", index), *(("PTTL", key) for key in keys))[1:]
            yield from ((key, index, left != -1) for key, left in zip(keys, answers, strict=True))
        if any(indexes):
            self._handle.command("SELECT", 0)

    def report(self) -> str:
        """The last commands, the keys and the clients that wait."""
        keys = [f"  {key!r} in database {index}"[:200] for key, index, _ in self._keys()]
        waiting = [f"  {line.decode(errors='replace')}" for line in self._clients().values() if _waits(line)]
        told = [f"keys ({len(keys)}):", *keys[:_SHOWN]]
        if self._can_record:
            commands = [f"  {line}"[:200] for line in self._handle.commands.lines[-_SHOWN:]]
            told = ["last commands:", *commands, *told]
        return "\n".join([*told, "waiting clients:", *waiting] if waiting else told)


def _waits(line: bytes) -> bool:
    flags = line.partition(b" flags=")[2].split()[0]
    return b"b" in flags
