"""``python -m conformance replicate --streams``: for each case, replicas of both servers are sent the same.

What chance and moments make of a stream is made the same by `conformance.replicate.canonical`; no case is left out.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from difflib import unified_diff
from typing import NamedTuple

from conformance import runner, servers
from conformance.cases import Case
from conformance.cases import groups as all_groups
from conformance.fuzz.program import quoted
from conformance.replicate.canonical import Commands, canonical, lets_time_pass, same
from conformance.replicate.listener import Link
from conformance.resp import Closed
from conformance.runner import Difference, Side

OPTIONS = ("--repl-diskless-sync", "no", "--shutdown-timeout", "0")
"""Of the servers: a listener copies by way of the disk."""
_CYCLE_SECONDS = 0.25
"""After which the real server has mostly let go what has expired, though nobody has looked for it."""
_PATIENCE = 30.0
"""Seconds in which it has done so on any machine."""

_BEGIN, _END = b"the case begins", b"the case ends"
_LEAST_PAYLOAD = 10
_SHOWN = 20


class Listener:
    """One of both servers, with a replica that hears of all changes."""

    def __init__(self, address: servers.Address) -> None:
        self.side = Side(address)
        self._link = Link(address)

    def begin(self) -> None:
        """Have no data, and listen from now on."""
        self.side.control.at_once((b"FLUSHALL",), (b"FUNCTION", b"FLUSH"), (b"PUBLISH", _BEGIN, b""))
        for _ in self._link.until(_BEGIN):
            pass

    def keyspace(self) -> bytes:
        """How many keys there are, and how many that may expire."""
        told = self.side.control("INFO", "keyspace").value
        assert isinstance(told, bytes)
        return re.sub(rb"avg_ttl=\d+", b"", told)

    def heard(self, case: Case) -> Commands:
        """What has changed since `begin`, by a case."""
        self.side.control("PUBLISH", _END, "")
        payloads = [value for value in self.side.captured.values() if len(value) >= _LEAST_PAYLOAD]
        return canonical(list(self._link.until(_END)), case, payloads)

    def close(self) -> None:
        """Listen no more."""
        self._link.close()
        self.side.control.close()


def _told(case: Case, ours: Listener, real: Listener) -> tuple[Commands, Commands]:
    """What replicas of both were sent for a case that was played, in the form in which it is compared."""
    if lets_time_pass(case):
        time.sleep(_CYCLE_SECONDS)
        deadline = time.monotonic() + _PATIENCE
        while ours.keyspace() != real.keyspace() and time.monotonic() < deadline:
            time.sleep(_CYCLE_SECONDS)
    return ours.heard(case), real.heard(case)


class Played(NamedTuple):
    """A case, the first answer that differs, if any does, and what replicas of ours and of the real server were sent; None
    where it has ended their connections."""

    case: Case
    difference: Difference | None
    ours: Commands | None = None
    real: Commands | None = None


def compare(cases: Iterable[tuple[Case, int]], ours: servers.Address, real: servers.Address) -> Iterator[Played]:
    """Play cases, but for those that start servers of their own, on both servers, which have `OPTIONS`."""
    both = Listener(ours), Listener(real)
    try:
        version, allocator = both[1].side.version, both[1].side.allocator
        for case, protocol in cases:
            if case.restarts or not case.is_for(version, allocator):
                continue
            for each in both:
                each.begin()
            difference = runner.play(case, protocol, both[0].side, both[1].side)
            try:
                yield Played(case, difference, *_told(case, *both))
            except Closed:
                yield Played(case, difference)
                for each in both:
                    each.close()
                both = Listener(ours), Listener(real)
    finally:
        for each in both:
            each.close()


def report(groups: Sequence[str]) -> int:
    """Compare the cases of groups, or of all; 1 where one differs."""
    from conformance.__main__ import HERE, select

    different = 0
    for name in groups or all_groups(HERE / "cases"):
        count, modules = 0, servers.modules_of(name)
        with (
            servers.emulator(None, *OPTIONS, modules=modules) as subject,
            servers.oracle(None, *OPTIONS, modules=modules) as oracle,
        ):
            for case, _, ours, real in compare(select([name], "", [2]), subject, oracle):
                if ours is None or real is None:
                    continue
                count += 1
                if not same(ours, real):
                    different += 1
                    lines = unified_diff(_lines(real), _lines(ours), "real", "ours", n=1, lineterm="")
                    print(case.id, *list(lines)[:_SHOWN], sep="\n  ", flush=True)
        print(f"{name}: {count} cases", file=sys.stderr)
    return 1 if different else 0


def _lines(commands: Commands) -> list[str]:
    return [" ".join(map(quoted, words)) for words in commands]
