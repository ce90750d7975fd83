"""A server that is watched: a master, a replica of it, or another sentinel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from emulator.protocol.errors import CommandError, as_text
from emulator.protocol.replies import Received
from emulator.protocol.text import to_bytes
from emulator.sentinel.periods import INFO, PING, PUBLISH
from emulator.sentinel.talk import Talk, Words

if TYPE_CHECKING:
    from emulator.sentinel.master import Master
    from emulator.sentinel.sentinel import Sentinel

HELLO: Final = b"__sentinel__:hello"
_URGENT_INFO: Final = 1_000
MASTER: Final = "master"
REPLICA: Final = "slave"
SENTINEL: Final = "sentinel"
_ALIVE: Final = (b"LOADING", b"MASTERDOWN")


def is_address(host: str, port: str) -> bool:
    """Whether a server may be there: an address in figures, and a port."""
    import ipaddress  # only here is it needed

    if not 0 < int(port) < 1 << 16:
        return False
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    return True


class Instance:
    """What is known of a server; moments are milliseconds of `Clock.elapsed`.

    ``answered`` is when it was last known to be well, ``unanswered`` since when it owes an answer, 0 where it owes none;
    ``down_since`` is since when this sentinel takes it for dead, 0 while it does not.  ``facts`` are the fields of its INFO.
    """

    def __init__(self, sentinel: Sentinel, master: Master, kind: str, host: str, port: int, id: str = "") -> None:
        now = sentinel.now
        self._sentinel = sentinel
        self.master = master
        self.kind = kind
        self.host, self.port = host, port
        self.id = id
        self.facts: dict[str, str] = {}
        self.text = b""
        self.informed = 0
        self.role, self.role_since = kind, now
        self.answered = self.heard = self.greeted = now
        self.unanswered = self.down_since = 0
        self.pinged = self.asked_info = self.published = self.asked = 0
        self.says_down = False
        self.says_down_at = 0
        self.vote = ""
        self.vote_epoch = 0
        self.reconfigured = ""
        self.reconfigured_at = 0
        self.talk = Talk(sentinel.dial, host, port, lambda: self._greeting("cmd"))
        self.ear: Talk | None = None
        if kind != SENTINEL:
            self.ear = Talk(
                sentinel.dial, host, port, lambda: [*self._greeting("pubsub"), [b"SUBSCRIBE", HELLO]], self._hear
            )

    def _greeting(self, what: str) -> list[Words]:
        words: list[Words] = []
        user, password = self.master.auth_user, self.master.auth_pass
        if password and self.kind != SENTINEL:
            words.append([b"AUTH", *([to_bytes(user)] if user else []), to_bytes(password)])
        words.append([b"CLIENT", b"SETNAME", f"sentinel-{self._sentinel.id[:8]}-{what}".encode()])
        return words

    def _hear(self, message: Received) -> None:
        if isinstance(message, list) and len(message) == 3 and message[0] == b"message":
            self._sentinel.hear(message[2])

    def end(self) -> None:
        """Watch it no more."""
        self.talk.close()
        if self.ear is not None:
            self.ear.close()

    @property
    def name(self) -> str:
        """What it is called: a master by its own name, a sentinel by its id."""
        if self.kind == MASTER:
            return self.master.name
        return self.id if self.kind == SENTINEL else f"{self.host}:{self.port}"

    @property
    def told(self) -> str:
        """What events say of it."""
        told = f"{self.kind} {self.name} {self.host} {self.port}"
        if self.kind == MASTER:
            return told
        top = self.master.top
        return f"{told} @ {self.master.name} {top.host} {top.port}"

    @property
    def is_down(self) -> bool:
        """Whether this sentinel takes it for dead."""
        return self.down_since != 0

    # What is due

    def tend(self) -> None:
        """Keep the connections, and ask what is due."""
        now, master, periods = self._sentinel.now, self.master, self._sentinel.periods
        if not self.talk.is_open:
            if now - self.pinged >= min(periods[PING], master.down_after):
                self.pinged = now
                self.talk.open()
        else:
            self._ask(now)
        if self.ear is not None and not self.ear.is_open and self.talk.is_open:
            self.ear.open()
        self._judge(now)

    def _ask(self, now: int) -> None:
        master, periods = self.master, self._sentinel.periods
        urgent = self.kind == REPLICA and (master.is_agreed_down or master.failover.is_under_way)
        period = min(_URGENT_INFO, periods[INFO]) if urgent else periods[INFO]
        if self.kind != SENTINEL and (not self.asked_info or now - self.asked_info >= period):
            self.ask_info()
        if now - self.pinged >= min(periods[PING], master.down_after):
            self.pinged = now
            if not self.unanswered:
                self.unanswered = now
            self.talk.say([b"PING"], self._ponged)
        if now - self.published >= periods[PUBLISH]:
            self.published = now
            self.talk.say([b"PUBLISH", HELLO, to_bytes(self._sentinel.greeting(master))])

    def _ponged(self, reply: Received) -> None:
        self.heard = self._sentinel.now
        if not isinstance(reply, CommandError) or to_bytes(str(reply)).startswith(_ALIVE):
            self.answered = self.heard
            self.unanswered = 0

    def _judge(self, now: int) -> None:
        """Find out whether it is dead: it has not answered for too long, or is a master that says it is none."""
        silent = now - self.unanswered if self.unanswered else 0
        if not self.talk.is_open:
            silent = now - self.answered
        patience = self.master.down_after + 2 * self._sentinel.periods[INFO]
        turned = self.kind == MASTER and self.role == REPLICA and now - self.role_since > patience
        down = silent > self.master.down_after or turned
        if down and not self.down_since:
            self.down_since = now
            self._sentinel.tell("+sdown", self.told)
        elif not down and self.down_since:
            self.down_since = 0
            self._sentinel.tell("-sdown", self.told)
        if silent > self.master.down_after and self.talk.is_open and silent > 2 * self.master.down_after:
            self.talk.close()  # it may be half dead

    # What it says of itself

    def ask_info(self) -> None:
        """Ask for INFO."""
        self.asked_info = self._sentinel.now
        self.talk.say([b"INFO"], self._take_info)

    def _take_info(self, reply: Received) -> None:
        if isinstance(reply, CommandError) or not isinstance(reply, bytes):
            return
        self.text = bytes(reply)
        lines = [line.partition(":") for line in as_text(self.text).splitlines()]
        self.facts = {name: value for name, colon, value in lines if colon}
        self.informed = self._sentinel.now
        self._note_id(self.facts.get("run_id", ""))
        role = REPLICA if self.facts.get("role") == "slave" else MASTER
        if role != self.role:
            self.role, self.role_since = role, self.informed
            event = "+role-change" if role != self.kind else "-role-change"
            self._sentinel.tell(event, f"{self.told} new reported role is {role}")
        self.master.informed(self)

    def _note_id(self, id: str) -> None:
        if id and id != self.id:
            if self.id:
                self._sentinel.tell("+reboot", self.told)
            self.id = id

    @property
    def replicas(self) -> list[tuple[str, int]]:
        """The addresses of its replicas, as it tells them."""
        found = []
        for name, value in self.facts.items():
            if name.startswith("slave") and name[5:].isdigit():
                fields = dict(field.split("=", 1) for field in value.split(",") if "=" in field)
                if fields.get("port", "").isdigit() and "ip" in fields:
                    found.append((fields["ip"], int(fields["port"])))
        return found

    @property
    def its_master(self) -> tuple[str, int]:
        """The address of the master that a replica tells of."""
        port = self.facts.get("master_port", "")
        return self.facts.get("master_host", "?"), int(port) if port.isdigit() else 0

    def number(self, fact: str, otherwise: int = 0) -> int:
        """A number that it tells."""
        text = self.facts.get(fact, "")
        return int(text) if text.lstrip("-").isdigit() else otherwise

    def follow(self, host: str, port: int) -> bool:
        """Let it be a replica of a server, or with ``NO`` and ``ONE`` of port 0 a master; whether it can be told so."""
        target = [b"NO", b"ONE"] if not port else [to_bytes(host), b"%d" % port]
        if not self.talk.is_open:
            return False
        for words in (
            [b"MULTI"],
            [b"SLAVEOF", *target],
            [b"CONFIG", b"REWRITE"],
            [b"CLIENT", b"KILL", b"TYPE", b"normal"],
            [b"CLIENT", b"KILL", b"TYPE", b"pubsub"],
            [b"EXEC"],
        ):
            self.talk.say(words)
        return True
