"""A sentinel: the masters that it watches, what it tells of them, and what it hears of other sentinels."""

from __future__ import annotations

import logging
import random
import re
from typing import TYPE_CHECKING, Final

from emulator.datatypes.wheel import Timer
from emulator.protocol.errors import CommandError, as_text
from emulator.protocol.text import to_bytes, to_text
from emulator.replication.host import Receiver
from emulator.sentinel.instance import is_address
from emulator.sentinel.master import Master
from emulator.sentinel.periods import DEFAULTS
from emulator.sentinel.state import lines_of
from emulator.stats.log import NOTICE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from emulator.sentinel.host import HostOfSentinel

logger = logging.getLogger("emulator")

_TICK: Final = 100
_GREETING_FIELDS: Final = 8
_NUMBER: Final = re.compile(r"\d{1,19}", re.ASCII)


class Sentinel(Timer):
    """As a timer it is the next look at everybody.  ``epoch`` counts elections; ``id`` is this sentinel's.

    ``periods`` are the times by which it goes, in milliseconds.
    """

    __slots__ = (
        *("_engine", "_unsaved", "announce_ip", "announce_port", "epoch", "id", "masters", "periods", "random"),
        "watches",
    )

    def __init__(self, engine: HostOfSentinel) -> None:
        super().__init__()
        self._engine = engine
        self.random = random.Random(engine.random.random())
        self.id = engine.random.randbytes(20).hex()
        self.epoch = 0
        self.masters: dict[str, Master] = {}
        self.periods = dict(DEFAULTS)
        self.announce_ip = ""
        self.announce_port = 0
        self.watches = False
        self._unsaved = False

    @property
    def now(self) -> int:
        """The time, in milliseconds of `Clock.elapsed`."""
        return self._engine.clock.elapsed

    def dial(self, host: str, port: int, receiver: Receiver) -> Callable[[], None]:
        """Open a connection."""
        if self._engine.dial is None:
            return lambda: None
        return self._engine.dial(host, port, receiver)

    def begin(self) -> None:
        """Watch from now on."""
        self.watches = True
        self.save()
        self.log(f"Sentinel ID is {self.id}")
        for master in self.masters.values():
            self.tell_of_watching(master)
        self.fire()

    def end(self) -> None:
        """Watch nobody any more."""
        self._engine.waits.cancel(self)
        for master in self.masters.values():
            master.forget()

    def fire(self) -> None:
        for master in list(self.masters.values()):
            master.tend()
        if self._unsaved:
            self.save()
        self._engine.waits.set(self, self.now + _TICK)

    def log(self, text: str) -> None:
        """Tell the log alone."""
        logger.log(NOTICE, "%s", text)

    def tell(self, event: str, text: str) -> None:
        """Tell the log and whoever has subscribed to an event."""
        logger.log(NOTICE, "%s %s", event, text)
        self._engine.pubsub.publish(event.encode(), to_bytes(text))

    def save(self) -> bool:
        """Bring the configuration file up to date, if there is one; whether that succeeded."""
        config = self._engine.config
        self._unsaved = False
        if not config.file or not self.watches:
            return True
        try:
            config.rewrite([to_text(user.describe()) for user in self._engine.acl.in_order], lines_of(self))
        except CommandError as error:
            reason = str(error).rpartition(": ")[2]
            logger.warning("WARNING: Sentinel was not able to save the new configuration on disk!!!: %s", reason)
            return False
        self.log("Sentinel new configuration saved on disk")
        return True

    def save_soon(self) -> None:
        """Bring it up to date with the next look at everybody: strangers may tell very much between two."""
        self._unsaved = True

    # Masters

    def watch(self, name: str, host: str, port: int, quorum: int) -> Master:
        """Watch a master under a name that is new."""
        master = self.masters[name] = Master(self, name, host, port, quorum)
        return master

    def tell_of_watching(self, master: Master) -> None:
        """Tell that a master is watched."""
        self.tell("+monitor", f"{master.top.told} quorum {master.quorum}")

    def leave(self, name: str) -> None:
        """Watch a master no more."""
        master = self.masters.pop(name)
        self.tell("-monitor", master.top.told)
        master.forget()

    def begin_epoch(self, epoch: int) -> None:
        """A new election."""
        if epoch > self.epoch:
            self.epoch = epoch
            self.save_soon()
            self.tell("+new-epoch", str(epoch))

    def figures(self) -> Iterator[tuple[str, object]]:
        """The section of INFO."""
        yield "sentinel_masters", len(self.masters)
        yield "sentinel_tilt", 0
        yield "sentinel_tilt_since_seconds", -1
        yield "sentinel_total_tilt", 0
        yield "sentinel_running_scripts", 0
        yield "sentinel_scripts_queue_length", 0
        yield "sentinel_simulate_failure_flags", 0
        for number, (name, master) in enumerate(self.masters.items()):
            status = "odown" if master.is_agreed_down else "sdown" if master.top.is_down else "ok"
            address = f"{master.top.host}:{master.top.port}"
            counts = f"slaves={len(master.replicas)},sentinels={len(master.sentinels) + 1}"
            yield f"master{number}", f"name={name},status={status},address={address},{counts}"

    # Other sentinels

    def greeting(self, master: Master) -> str:
        """What is published for other sentinels: who we are, and what we know of a master."""
        ip = self.announce_ip or self._engine.config.bind.split()[0].removeprefix("-").replace("*", "127.0.0.1")
        port = self.announce_port or self._engine.config.port
        top = master.at_present
        return f"{ip},{port},{self.id},{self.epoch},{master.name},{top.host},{top.port},{master.config_epoch}"

    def greet_soon(self, master: Master) -> None:
        """Let the others know at once what has changed."""
        for instance in master.instances:
            instance.published = 0

    def hear(self, payload: bytes) -> None:
        """What a sentinel has published."""
        fields = as_text(payload).split(",")
        if len(fields) != _GREETING_FIELDS or not all(_NUMBER.fullmatch(fields[place]) for place in (1, 3, 6, 7)):
            return
        ip, port, id, epoch, name, host, master_port, config_epoch = fields
        master = self.masters.get(name)
        if master is None or id == self.id or not is_address(ip, port) or not is_address(host, master_port):
            return
        other = master.add_sentinel(id, ip, int(port))
        other.greeted = self.now
        self.begin_epoch(int(epoch))
        if int(config_epoch) > master.config_epoch:
            master.config_epoch = int(config_epoch)
            if (host, int(master_port)) != (master.top.host, master.top.port):
                self.tell("+config-update-from", other.told)
                master.switch(host, int(master_port))
            else:
                self.save_soon()
