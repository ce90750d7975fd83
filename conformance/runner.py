"""Plays cases against two servers side by side."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from conformance.cases import SERVER_ACTIONS, Case, Step
from conformance.compare import equal
from conformance.resp import Closed, Connection, Reply, Silent, Value
from conformance.servers import NoOracle, ServerProcess, Started

_QUIET_SECONDS = 0.05
_BLOCK_SECONDS = 10.0
_PAUSING = ("pause", "failover")
_POLL_SECONDS = 0.001
_LONGEST_POLL_SECONDS = 0.05
_REST_SECONDS = 30.0
_IN_BACKGROUND = ("rdb_bgsave_in_progress", "aof_rewrite_in_progress", "aof_rewrite_scheduled")
_SILENT, _AWAKE = Reply(b"?", b"no reply"), Reply(b"?", b"it does not block")
_MISTAKES = (_SILENT, _AWAKE)
"""What is told in a reply's place: where both servers agree in it, the case expects what does not happen."""


class Stale(Exception):
    """An accepted difference is there no more."""


@dataclass
class Difference:
    """The first step of a case at which the servers part."""

    case: Case
    protocol: int
    step: Step
    subject: list[Reply]
    oracle: list[Reply]

    def __str__(self) -> str:
        played = [step.text for step in self.case.steps[: self.case.steps.index(self.step) + 1]]
        return "\n".join(
            [
                f"{self.case.path.name}:{self.step.line}: {self.case.id} (RESP{self.protocol})",
                *(f"    {text}" for text in played[-12:]),
                "  oracle:  " + ("\n           ".join(map(str, self.oracle)) or "(nothing)"),
                "  subject: " + ("\n           ".join(map(str, self.subject)) or "(nothing)"),
            ]
        )


class Side:
    """One of the two servers, with the connections of the case being played, which `dial` makes."""

    dial = Connection

    def __init__(self, address: tuple[str, int]) -> None:
        self.address = address
        self.control = self.dial(address)
        self.connections: dict[str, Connection] = {}
        self.captured: dict[str, bytes] = {}
        self.protocol = 2
        self._settings: dict[bytes, bytes] = {}
        self._awake = False

    @property
    def version(self) -> tuple[int, ...]:
        """The version that the server says it is."""
        return tuple(map(int, self._told("server", "redis_version").split(".")))

    @property
    def allocator(self) -> str:
        """What allocates the server's memory: ``jemalloc-5.3.0``, ``libc``."""
        return self._told("memory", "mem_allocator")

    def _told(self, section: str, name: str) -> str:
        text = self.control("INFO", section).value
        assert isinstance(text, bytes)
        return next(line for line in text.decode().splitlines() if line.startswith(name + ":")).partition(":")[2]

    def begin(self, protocol: int, settings: Sequence[bytes] = ()) -> None:
        """Get ready for a case that sets some settings, which come back at its end."""
        self.protocol = protocol
        self.captured = {}
        _, users = self.control.at_once((b"FLUSHALL",), (b"ACL", b"USERS"))
        self._forget(users.value)
        self._settings = self._values_of(settings)

    def _forget(self, names: Value) -> None:
        """Delete users of these names, but for the default one."""
        others = [reply.value for reply in names if reply.value != b"default"] if isinstance(names, list) else []
        if others:
            self.control("ACL", "DELUSER", *others)

    def end(self, paused: bool = True) -> None:
        """Tidy up after a case, which may have paused the clients."""
        for connection in self.connections.values():
            connection.close()
        self.connections = {}
        if paused:
            self.control("CLIENT", "UNPAUSE")
        now = self._values_of(list(self._settings))
        for name, value in self._settings.items():
            if now.get(name) != value:
                self.control("CONFIG", "SET", name, value)

    def _values_of(self, settings: Sequence[bytes]) -> dict[bytes, bytes]:
        told = self.control("CONFIG", "GET", *settings).value if settings else []
        words = [reply.value for reply in told if isinstance(reply.value, bytes)] if isinstance(told, list) else []
        return dict(zip(words[::2], words[1::2], strict=True))

    def connection(self, name: str) -> Connection:
        if name not in self.connections:
            connection = self.connections[name] = self.dial(self.address)
            if self.protocol == 3:
                connection("HELLO", "3")
        return self.connections[name]

    def restart(self, step: Step) -> None:
        """Begin to start the server with the options of a step, in an empty folder or its own; or only end it."""
        process = self._process(step)
        for connection in (self.control, *self.connections.values()):
            connection.close()
        self.connections = {}
        if step.action in ("start", "empty"):
            process.empty()
        if step.action != "empty":
            process.restart([word.decode() for word in step.words])

    def _process(self, step: Step) -> ServerProcess:
        if not isinstance(self.address, Started):
            raise NoOracle(f"{step.text} takes servers that are started here")
        return self.address.process

    def start(self, step: Step) -> None:
        """Do what a step says, short of reading replies."""
        if step.action == "file":
            self._process(step).write(step.words[0].decode(), step.words[1])
            return
        if step.action in SERVER_ACTIONS:
            self.restart(step)
            return
        if step.action == "rest":
            self._await_rest()
            return
        connection = self.connection(step.connection)
        try:
            if step.action == "command":
                connection.send(step.filled(self.captured))
            elif step.action == "raw":
                connection.write(step.words[0])
            elif step.action == "close":
                self.connections.pop(step.connection).close()
        except Closed:
            return
        self._awake = step.blocks and not self._is_blocked(connection)

    def finish(self, step: Step) -> list[Reply]:
        """The replies to a step; what goes wrong is told as a reply of its own kind."""
        replies: list[Reply] = []
        if step.action in ("start", "restart") and isinstance(self.address, Started):
            self.address.process.wait()
            self.control = self.dial(self.address)
        if step.action in ("close", "sleep", "rest", *SERVER_ACTIONS):
            return replies
        if self._awake:
            return [_AWAKE]
        connection = self.connection(step.connection)
        try:
            replies.extend(connection.read() for _ in range(step.replies))
            if step.action == "none":
                replies.append(connection.read(_QUIET_SECONDS))
            while step.action == "eof":
                replies.append(connection.read())
        except Closed:
            replies.append(Reply(b"?", b"connection closed"))
        except Silent:
            if step.action != "none":
                replies.append(_SILENT)
        if step.capture and replies and isinstance(replies[0].value, bytes):
            self.captured[step.capture] = replies[0].value
        return replies

    def _await_rest(self) -> None:
        """Wait until nothing is saved or rewritten any more."""
        deadline = time.monotonic() + _REST_SECONDS
        while time.monotonic() < deadline and any(self._told("persistence", name) != "0" for name in _IN_BACKGROUND):
            time.sleep(0.01)

    def _is_blocked(self, connection: Connection) -> bool:
        """Wait until the server says that a client waits, which happens at once; whether it does."""
        deadline, pause = time.monotonic() + _BLOCK_SECONDS, _POLL_SECONDS
        mark = b"addr=%b:%d " % (b"127.0.0.1", connection.port)
        while time.monotonic() < deadline:
            clients = self.control("CLIENT", "LIST").value
            assert isinstance(clients, bytes)
            for line in clients.splitlines():
                flags = line.partition(b" flags=")[2].partition(b" ")[0]
                if mark in line and b"b" in flags:
                    return True
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_POLL_SECONDS)
        return False


def _set_by(words: Sequence[bytes]) -> Sequence[bytes]:
    """The settings that a command sets."""
    return words[2::2] if [word.upper() for word in words[:2]] == [b"CONFIG", b"SET"] else ()


def play(case: Case, protocol: int, subject: Side, oracle: Side) -> Difference | None:
    """The first difference in a case, or None."""
    sides = (subject, oracle)
    settings = [name for step in case.steps for name in _set_by(step.words)]
    pauses = any(word in step.text.lower() for step in case.steps for word in _PAUSING)
    for side in sides:
        side.begin(protocol, settings)
    try:
        for step in case.steps:
            if step.action == "sleep":
                time.sleep(int(step.words[0]) / 1000)
                continue
            for side in sides:
                side.start(step)
            ours, theirs = (side.finish(step) for side in sides)
            if not equal(ours, theirs, step) or any(reply in _MISTAKES for reply in ours):
                return Difference(case, protocol, step, ours, theirs)
    finally:
        for side in sides:
            side.end(pauses)
    return None


@dataclass
class Tally:
    """What came of the cases of a group."""

    cases: int = 0
    equal: int = 0
    different: int = 0
    accepted: int = 0


def play_all(
    cases: list[tuple[Case, int]],
    subject: Side,
    oracle: Side,
    accepted: dict[str, str],
    on_difference: Callable[[Difference], None],
) -> dict[str, Tally]:
    """Play cases, each on its protocol; differences that are not accepted go to `on_difference`."""
    tallies: dict[str, Tally] = {}
    met: set[str] = set()
    version, allocator = oracle.version, oracle.allocator
    for case, protocol in cases:
        if not case.is_for(version, allocator):
            continue
        tally = tallies.setdefault(case.group, Tally())
        tally.cases += 1
        difference = play(case, protocol, subject, oracle)
        if difference is None:
            tally.equal += 1
        elif case.id in accepted:
            tally.accepted += 1
            met.add(case.id)
        else:
            tally.different += 1
            on_difference(difference)
    played = {case.id for case, _ in cases}
    for name in accepted.keys() & played - met:
        raise Stale(f"{name} is accepted as different, but is not")
    return tallies
