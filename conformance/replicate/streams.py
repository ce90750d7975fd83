"""``python -m conformance replicate --streams``: for each case, replicas of both servers are sent the same.

`ALLOWED` has the cases in which they are not, by the reason.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Sequence

from conformance import runner, servers
from conformance.cases import Case
from conformance.cases import groups as all_groups
from conformance.replicate.listener import Link
from conformance.resp import Closed
from conformance.runner import Side

NUMBERED = re.compile(rb"\d{13,}")
"""Moments, which are not quite the same on two servers."""
_OPTIONS = ("--repl-diskless-sync", "no", "--shutdown-timeout", "0")
_NO_EFFECTS = frozenset((b"PUBLISH", b"SPUBLISH", b"PING", b"REPLCONF"))

Effects = list[tuple[int, list[bytes]]]

ALLOWED: dict[str, frozenset[str]] = {
    "chance and moments: which members go, in which order a table is written, when something was delivered": frozenset(
        {
            "dump/DUMP of a hash table with several fields that expire",
            "dump/DUMP of consumer groups",
            "dump/sets change their encoding by RESTORE",
            "dump/vector sets by RESTORE",
            "dump/vector sets of other forms by RESTORE",
            "eviction/Everything goes when nothing fits",
            "eviction/Only keys with an expiry go",
            "key_use/idle time after commands on a set (noeviction)",
            "key_use/idle time after commands on a vector set (noeviction)",
            "set/SPOP with a count",
            "set/encoding: SPOP leaves few",
            "set/events",
            "set/encoding: SPOP leaves few but not few enough",
        }
    ),
    "here keys and fields go at their moment and in its order, there whenever they are found": frozenset(
        {
            "dump/fields whose time has come are loaded and expire",
            "generic/Lazy and active expiry",
            "hash_expiry/HGETDEL of a field with a deadline",
            "hash_expiry/HINCRBY of a field that has expired starts at 0",
            "hash_expiry/events of fields that expire",
            "hash_expiry/without active expiry a hash of which all has expired",
            "scripting/time stands still in a script",
            "sort/Keys and fields that have expired",
            "transactions/WATCH and expiry",
            "transactions/WATCH of a key that had expired, and SWAPDB",
            "transactions/WATCH of what has expired already",
        }
    ),
    "a LIMIT is left out that has no effect any more, and MINID names the first entry that is left": frozenset(
        {
            "stream/XADD MAXLEN and MINID",
            "stream/XTRIM by whole runs",
            "stream/what is added is trimmed at once",
        }
    ),
    "consumers and pending entries that are gone are told too; Redis's replicas do not hear of them": frozenset(
        {
            "stream/XAUTOCLAIM",
            "stream/XAUTOCLAIM looks at ten times COUNT",
            "stream/XCLAIM",
            "stream/XREADGROUP reads new entries once",
        }
    ),
    "it is about a server without replicas": frozenset({"scripting/scripts where there are no replicas"}),
}
"""The cases whose streams are not compared, by the reason."""


def effects(commands: Iterable[Sequence[bytes]]) -> Iterator[tuple[int, list[bytes]]]:
    """The stream as (database, words): without what is no effect."""
    db = 0
    for words in commands:
        name = words[0].upper()
        if name == b"SELECT":
            db = int(words[1])
        elif name not in _NO_EFFECTS:
            yield db, [NUMBERED.sub(b"<ms>", word) for word in words]


class Listener:
    """One of both servers, with a replica that hears of all changes."""

    def __init__(self, address: servers.Address) -> None:
        self.side = Side(address)
        self._link = Link(address)

    def begin(self) -> None:
        """Have no data, and listen from now on."""
        for words in (("FLUSHALL",), ("FUNCTION", "FLUSH"), ("PUBLISH", "begin", "")):
            self.side.control(*words)
        for _ in self._link.until(b"begin"):
            pass

    def heard(self) -> Effects:
        """What has changed since `begin`."""
        self.side.control("PUBLISH", "end", "")
        return list(effects(self._link.until(b"end")))


def compare(cases: Iterable[tuple[Case, int]]) -> Iterator[tuple[str, Effects, Effects]]:
    """The ids of cases that are not allowed to differ, and what was heard of ours and of the real server.

    Cases that end the connections of replicas are passed over.
    """
    passed_over = frozenset().union(*ALLOWED.values())
    with servers.emulator(None, *_OPTIONS) as ours, servers.oracle(None, *_OPTIONS) as real:
        both = Listener(ours), Listener(real)
        version, allocator = both[1].side.version, both[1].side.allocator
        for case, protocol in cases:
            if case.id in passed_over or not case.is_for(version, allocator):
                continue
            for each in both:
                each.begin()
            runner.play(case, protocol, both[0].side, both[1].side)
            try:
                yield case.id, both[0].heard(), both[1].heard()
            except Closed:
                both = Listener(ours), Listener(real)


def report(groups: Sequence[str]) -> int:
    """Compare the cases of groups, or of all that need no servers of their own; 1 where one differs."""
    from conformance.__main__ import HERE, select

    names = groups or [name for name in all_groups(HERE / "cases") if servers.kind_of(name) == "base"]
    different = 0
    for name in names:
        count = 0
        for id, ours, real in compare(select([name], "", [2])):
            count += 1
            if ours != real:
                different += 1
                place = next(at for at in range(len(ours) + 1) if ours[at : at + 1] != real[at : at + 1])
                print(f"{id}\n  ours {ours[place : place + 2]}\n  real {real[place : place + 2]}")
        print(f"{name}: {count} cases", file=sys.stderr)
    return 1 if different else 0
