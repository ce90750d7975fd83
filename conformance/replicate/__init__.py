"""``python -m conformance replicate``: random commands on a master, and chains of replicas that must have the same data.

Servers of both kinds stand in a chain such as ``real>ours>real``, the master first.  The commands are the fuzzer's.  Now and
then a link is cut, so that the replica goes on from where it was; after each portion all digests are compared.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import time
from collections.abc import Iterator, Sequence
from random import Random

from conformance import servers
from conformance.fuzz import random_program
from conformance.fuzz.generate import Generator
from conformance.fuzz.grammar import read_grammar
from conformance.fuzz.looseness import Looseness
from conformance.fuzz.program import quoted
from conformance.resp import Closed, Connection, Silent

CHAINS = ("real>ours", "ours>real", "real>ours>real", "ours>real>ours")
_OPTIONS = ("--repl-diskless-sync-delay", "0", "--repl-backlog-size", "16mb")
_PATIENCE = 10.0
_SILENCE = 1.0
"""Seconds after which a client that waits is given up."""
_DATABASES = 16
_TOLD = 12
_CUTS = 0.3
"""How often a link is cut, by portions of commands."""
_LEFT_OUT = frozenset(
    (b"DEBUG", b"CLIENT", b"CONFIG", b"REPLICAOF", b"SLAVEOF", b"FAILOVER", b"SYNC", b"PSYNC", b"SHUTDOWN")
)
_NOT_TOLD = re.compile(rb"\b(VADD|FAIL|Z\w+BYLEX|BYLEX)\b|(?<![\w.-])-0(?![\w.-])", re.IGNORECASE)
"""Not told, in Redis neither: a new vector for an element that is there, and that a string has grown for a BITFIELD of which
all has failed.  A range by the alphabet is left to chance where scores differ, and a score of -0 is kept in some encodings
alone, which change for commands that then do nothing.  Scripts may do all this too."""


class Member:
    """A server of a chain."""

    def __init__(self, kind: str, address: servers.Address) -> None:
        self.kind = kind
        self.address = address
        self.control = Connection(address, _PATIENCE)

    def info(self, section: str) -> dict[str, str]:
        """The fields of a section of INFO."""
        text = bytes(self.control("INFO", section).value).decode()
        return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)

    @property
    def offset(self) -> int:
        """How much of the stream it has."""
        return int(self.info("replication")["master_repl_offset"])

    @property
    def digest(self) -> bytes:
        """The digest of its data."""
        return bytes(self.control("DEBUG", "DIGEST").value)

    def follow(self, master: Member) -> None:
        """Be a replica of another one."""
        self.control("REPLICAOF", master.address[0], str(master.address[1]))
        end = time.monotonic() + _PATIENCE
        while self.info("replication")["master_link_status"] != "up":
            if time.monotonic() > end:
                raise RuntimeError(f"{self.kind} does not follow {master.kind}")
            time.sleep(0.02)


@contextlib.contextmanager
def chain(kinds: Sequence[str]) -> Iterator[list[Member]]:
    """Servers of these kinds, each following the one before."""
    with contextlib.ExitStack() as stack:
        members: list[Member] = []
        for kind in kinds:
            start = servers.oracle if kind == "real" else servers.emulator
            members.append(Member(kind, stack.enter_context(start(None, *_OPTIONS))))
            if len(members) > 1:
                members[-1].follow(members[-2])
        yield members


def _is_told(words: Sequence[bytes]) -> bool:
    """Whether a replica hears of what a command does."""
    return words[0].upper() not in _LEFT_OUT and not any(map(_NOT_TOLD.search, words))


def settled(members: Sequence[Member]) -> bool:
    """Whether all come to have the same part of the stream and the same data."""
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        if len({member.offset for member in members}) == 1 and len({member.digest for member in members}) == 1:
            return True
        time.sleep(0.05)
    return False


def play(members: Sequence[Member], generator: Generator, random: Random, loose: Looseness, commands: int) -> str:
    """Play so many commands on the first of a chain; what went wrong, or nothing."""
    played = 0
    history: list[Sequence[bytes]] = []
    while played < commands:
        program = random_program(random, generator, loose)
        steps = [words for _, words in program.steps if _is_told(words)]
        client = Connection(members[0].address, _SILENCE)
        if random.random() < _CUTS:
            members[random.randrange(len(members) - 1)].control("CLIENT", "KILL", "TYPE", "replica")
        for words in steps:
            try:
                client(*words)
            except (Closed, Silent):
                client = Connection(members[0].address, _SILENCE)
        client.close()
        played += len(steps)
        history += steps
        if not settled(members):
            return f"after {played} commands: {report(members, history)}"
    return ""


def report(members: Sequence[Member], history: Sequence[Sequence[bytes]]) -> str:
    """How far members are, the keys that differ, and what was done to these."""
    lines = [", ".join(f"{member.kind} {member.offset} {member.digest.decode()}" for member in members)]
    for db in range(_DATABASES):
        keys: dict[bytes, None] = {}
        for member in members:
            member.control("SELECT", str(db))
            keys |= {bytes(key.value or b""): None for key in member.control("KEYS", "*").value or ()}  # type: ignore[union-attr]
        for key in keys:
            values = [member.control("DEBUG", "DIGEST-VALUE", key) for member in members]
            if len({str(value) for value in values}) > 1:
                deadlines = [str(member.control("PEXPIRETIME", key)) for member in members]
                lines.append(f"  db {db} {quoted(key)}: deadlines {deadlines}")
                lines += [f"    {str(member.control('DUMP', key))[:400]}" for member in members]
                lines += ["    " + " ".join(map(quoted, words))[:200] for words in history if key in words][-_TOLD:]
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> int:
    """1 where data differ."""
    parser = argparse.ArgumentParser(prog="python -m conformance replicate", description=__doc__)
    parser.add_argument("--commands", type=int, default=10_000, help="on each chain")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--chain", action="append", choices=CHAINS, help="only this one; may be repeated")
    parser.add_argument(
        "--streams", nargs="*", metavar="GROUP", help="compare the streams of these groups' cases, or of all"
    )
    options = parser.parse_args(arguments)
    if options.streams is not None:
        from conformance.replicate.streams import report as compare_streams

        return compare_streams(options.streams)
    failed = False
    for name in options.chain or CHAINS:
        random, started = Random(options.seed), time.monotonic()
        with chain(name.split(">")) as members:
            generator = Generator(random, read_grammar(members[0].address))
            wrong = play(members, generator, random, Looseness(), options.commands)
            partial = sum(int(member.info("stats")["sync_partial_ok"]) for member in members)
            full = sum(int(member.info("stats")["sync_full"]) for member in members)
        failed |= bool(wrong)
        seconds = time.monotonic() - started
        print(
            f"{name}: {options.commands} commands in {seconds:.0f} s, {partial} partial and {full} full synchronizations, "
            f"{wrong or 'equal data'}",
            flush=True,
        )
    return 1 if failed else 0
