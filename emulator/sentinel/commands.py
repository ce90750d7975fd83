"""SENTINEL, and what PING's companions answer where the server is a sentinel."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final, cast

from emulator.commands.arguments import integer
from emulator.datatypes.glob import matcher
from emulator.protocol.errors import CommandError, as_text
from emulator.protocol.numbers import parse_integer
from emulator.protocol.replies import NULL_ARRAY, OK, NullArray, Reply, Status
from emulator.protocol.text import to_bytes
from emulator.sentinel.facts import facts_of
from emulator.sentinel.instance import HELLO, is_address
from emulator.table.registry import SENTINEL, command, container

if TYPE_CHECKING:
    from emulator.clients.session import Session
    from emulator.sentinel.master import Master
    from emulator.sentinel.sentinel import Sentinel

_NO_SUCH: Final = "ERR No such master with that name"
_FLAGS: Final = "admin"

container("sentinel", group=SENTINEL, since="2.8.4", flags=_FLAGS, help_since="2.8.4")


def _sentinel(client: Session) -> Sentinel:
    return cast("Sentinel", client.engine.sentinel)


def _master(client: Session, name: bytes) -> Master:
    master = _sentinel(client).masters.get(as_text(name))
    if master is None:
        raise CommandError(_NO_SUCH)
    return master


def _facts(client: Session, instances: Iterable[Any]) -> list[Reply]:
    return [facts_of(instance, _sentinel(client).now) for instance in instances]


def _sub(name: str = "", since: str = "2.8.4") -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return command(SENTINEL, container="sentinel", name=name, since=since, flags=_FLAGS, complexity="O(N)")


@_sub()
def sentinel_masters(client: Session) -> list[Reply]:
    """Returns the masters that are watched, with their states."""
    return _facts(client, (master.top for master in _sentinel(client).masters.values()))


@_sub()
def sentinel_master(client: Session, name: bytes) -> Reply:
    """Returns the state of a master."""
    return facts_of(_master(client, name).top, _sentinel(client).now)


@_sub(since="5.0.0")
def sentinel_replicas(client: Session, name: bytes) -> list[Reply]:
    """Returns the replicas of a master, with their states."""
    return _facts(client, _master(client, name).replicas.values())


@_sub(since="2.8.0")
def sentinel_slaves(client: Session, name: bytes) -> list[Reply]:
    """Returns the replicas of a master, with their states (old name of SENTINEL REPLICAS)."""
    return _facts(client, _master(client, name).replicas.values())


@_sub()
def sentinel_sentinels(client: Session, name: bytes) -> list[Reply]:
    """Returns the other sentinels that watch a master, with their states."""
    return _facts(client, _master(client, name).sentinels.values())


@_sub("get-master-addr-by-name")
def sentinel_address(client: Session, name: bytes) -> Reply | NullArray:
    """Returns the address of the master of that name, or null if it is not known."""
    master = _sentinel(client).masters.get(as_text(name))
    if master is None:
        return NULL_ARRAY
    now = master.at_present
    return [to_bytes(now.host), b"%d" % now.port]


@_sub()
def sentinel_ckquorum(client: Session, name: bytes) -> Status:
    """Tells whether enough sentinels are there to take a master for dead and to elect a leader."""
    master = _master(client, name)
    usable = 1 + sum(not other.is_down for other in master.sentinels.values())
    wrong = []
    if usable < master.quorum:
        wrong.append("Not enough available Sentinels to reach the specified quorum for this master")
    if usable < master.majority:
        wrong.append("Not enough available Sentinels to reach the majority and authorize a failover")
    if wrong:
        raise CommandError(f"NOQUORUM {usable} usable Sentinels. {'. '.join(wrong)}")
    return Status(b"OK %d usable Sentinels. Quorum and failover authorization can be reached" % usable)


@_sub()
def sentinel_failover(client: Session, name: bytes) -> Status:
    """Lets a replica take a master's place, whether that is dead or not, without asking other sentinels."""
    master = _master(client, name)
    if master.failover.is_under_way:
        raise CommandError("INPROG Failover already in progress")
    if not any(not replica.is_down and replica.number("slave_priority", 100) for replica in master.replicas.values()):
        raise CommandError("NOGOODSLAVE No suitable replica to promote")
    master.failover.begin(forced=True)
    return OK


@_sub()
def sentinel_monitor(client: Session, name: bytes, ip: bytes, port: bytes, quorum: bytes) -> Status:
    """Watches a master under a name."""
    sentinel, text = _sentinel(client), as_text(name)
    wanted, number = integer(quorum, "ERR Invalid quorum"), integer(port, "ERR Invalid port")
    if not 0 < number < 1 << 16:
        raise CommandError("ERR Invalid port number.")
    if wanted <= 0:
        raise CommandError("ERR Quorum must be 1 or greater.")
    if text in sentinel.masters:
        raise CommandError("ERR Duplicate master name.")
    if not is_address(as_text(ip), str(number)):
        raise CommandError("ERR Invalid IP address or hostname specified")
    master = sentinel.watch(text, as_text(ip), number, wanted)
    return _saved(sentinel, lambda: sentinel.tell_of_watching(master))


def _saved(sentinel: Sentinel, tell: Callable[[], object] = lambda: None) -> Status:
    """What has been changed is in the file, and told; raises `CommandError` where it is not."""
    saved = sentinel.save()
    tell()
    if not saved:
        raise CommandError("ERR Failed to save config file. Check server logs.")
    return OK


@_sub()
def sentinel_remove(client: Session, name: bytes) -> Status:
    """Watches a master no more."""
    _master(client, name)
    _sentinel(client).leave(as_text(name))
    return _saved(_sentinel(client))


@_sub()
def sentinel_reset(client: Session, pattern: bytes) -> int:
    """Forgets what is known of the masters whose names match; returns how many these are."""
    matches = matcher(pattern)
    chosen = [master for name, master in _sentinel(client).masters.items() if matches(to_bytes(name))]
    for master in chosen:
        _sentinel(client).tell("+reset-master", master.top.told)
        for other in master.sentinels.values():
            other.end()
        master.sentinels.clear()
        master.reset(master.top.host, master.top.port)
    return len(chosen)


_NUMBERS: Final = {
    b"down-after-milliseconds": "down_after",
    b"failover-timeout": "failover_timeout",
    b"parallel-syncs": "parallel_syncs",
    b"quorum": "quorum",
}
_TEXTS: Final = {b"auth-pass": "auth_pass", b"auth-user": "auth_user"}


@_sub()
def sentinel_set(client: Session, name: bytes, option: bytes, value: bytes, *more: bytes) -> Status:
    """Changes settings of a master."""
    master = _master(client, name)
    words = (option, value, *more)
    for place in range(0, len(words), 2):
        apply_setting(master, words[place], words[place + 1 : place + 2])
        if len(words) > place + 1:
            hidden = b"******" if words[place].lower() == b"auth-pass" else words[place + 1]
            told = f"{master.top.told} {as_text(words[place])} {as_text(hidden)}"
            _sentinel(client).tell("+set", told)
    return _saved(_sentinel(client))


def apply_setting(master: Master, option: bytes, value: tuple[bytes, ...]) -> None:
    """Change one setting of a master; raises `CommandError`."""
    name = option.lower()
    if not value or name not in _NUMBERS | _TEXTS:
        raise CommandError(f"ERR Unknown option or number of arguments for SENTINEL SET '{as_text(option)}'")
    if name in _TEXTS:
        setattr(master, _TEXTS[name], as_text(value[0]))
        for instance in master.instances:
            instance.end()  # the next connection logs in anew
        return
    number = parse_integer(value[0])
    if number is None or number <= 0:
        raise CommandError(f"ERR Invalid argument '{as_text(value[0])}' for SENTINEL SET '{as_text(option)}'")
    setattr(master, _NUMBERS[name], number)


@_sub("info-cache", since="3.2.0")
def sentinel_info_cache(client: Session, name: bytes, *more: bytes) -> Reply:
    """Returns what a master and its replicas answered to INFO last."""
    sentinel = _sentinel(client)
    told: list[tuple[Reply, Reply]] = []
    for watched, master in sentinel.masters.items():
        if to_bytes(watched) not in (name, *more):
            continue
        servers = [master.top, *master.replicas.values()]
        texts: list[Reply] = [
            [sentinel.now - each.informed if each.informed else 0, each.text or None] for each in servers
        ]
        told.append((to_bytes(watched), texts))
    return [part for pair in told for part in pair]


@_sub(since="6.2.0")
def sentinel_myid(client: Session) -> bytes:
    """Returns the id of this sentinel."""
    return _sentinel(client).id.encode()


@_sub("is-master-down-by-addr")
def sentinel_is_master_down(client: Session, ip: bytes, port: bytes, current_epoch: bytes, runid: bytes) -> list[Reply]:
    """Tells another sentinel whether this one takes a master for dead, and whom it votes for."""
    number, epoch = integer(port), max(integer(current_epoch), 0)
    masters = _sentinel(client).masters.values()
    asked = (as_text(ip), number)
    master = next((each for each in masters if (each.top.host, each.top.port) == asked), None)
    if master is None:
        return [0, b"*", 0]
    down = int(master.top.is_down)
    if runid == b"*":
        return [down, b"*", 0]
    leader, leader_epoch = master.vote(as_text(runid), epoch)
    return [down, to_bytes(leader) or b"*", leader_epoch]


@_sub("pending-scripts")
def sentinel_pending_scripts(client: Session) -> list[Reply]:
    """Returns the scripts that are to run: there are never any."""
    return []


@_sub(since="2.8.4")
def sentinel_flushconfig(client: Session) -> Status:
    """Writes the configuration file anew, with the state of the sentinel."""
    return _saved(_sentinel(client))


@_sub(since="7.0.0")
def sentinel_debug(client: Session, *settings: bytes) -> Reply:
    """Shows the times by which the sentinel goes, in milliseconds, or changes them."""
    periods = _sentinel(client).periods
    if not settings:
        return {name.encode(): b"%d" % time for name, time in periods.items()}
    for place in range(0, len(settings), 2):
        name, value = settings[place], settings[place + 1 : place + 2]
        if not value or as_text(name).upper() not in periods:
            raise CommandError(f"ERR Unknown option or number of arguments for SENTINEL DEBUG '{as_text(name)}'")
        number = parse_integer(value[0])
        if number is None or number <= 0:
            raise CommandError(f"ERR Invalid argument '{as_text(value[0])}' for SENTINEL DEBUG '{as_text(name)}'")
        periods[as_text(name).upper()] = number
    return OK


_CONFIG: Final = {b"announce-ip": "announce_ip", b"announce-port": "announce_port"}


@_sub(since="6.2.0")
def sentinel_config(client: Session, action: bytes, name: bytes, *values: bytes) -> Reply:
    """GET or SET a setting of the sentinel: announce-ip, announce-port."""
    sentinel = _sentinel(client)
    words = (name, *values)
    if action.upper() == b"GET":
        wanted = [matcher(pattern.lower()) for pattern in words]
        return {
            setting: to_bytes(str(getattr(sentinel, attribute)))
            for setting, attribute in _CONFIG.items()
            if any(matches(setting) for matches in wanted)
        }
    if action.upper() != b"SET" or len(words) % 2:
        raise CommandError(
            "ERR Only SENTINEL CONFIG GET <param> [<param> <param> ...] / SET <param> <value> [<param> <value> ...] are "
            "supported."
        )
    changes = {}
    for setting, value in zip(words[::2], words[1::2], strict=True):
        attribute = _CONFIG.get(setting.lower())
        if attribute is None or attribute in changes:
            problem = "Invalid" if attribute is None else "Duplicate"
            raise CommandError(f"ERR {problem} argument '{as_text(setting)}' to SENTINEL CONFIG SET")
        changes[attribute] = _setting(setting, value)
    for attribute, changed in changes.items():
        setattr(sentinel, attribute, changed)
    return _saved(sentinel)


def _setting(name: bytes, value: bytes) -> str | int:
    if name.lower() != b"announce-port":
        return as_text(value)
    port = parse_integer(value)
    if port is None or not 0 <= port < 1 << 16:
        raise CommandError(f"ERR Invalid value '{as_text(value)}' to SENTINEL CONFIG SET '{as_text(name)}'")
    return port


# In the place of others


def sentinel_publish(client: Session, channel: bytes, message: bytes) -> int:
    """Takes the greeting of another sentinel; returns 1."""
    if channel != HELLO:
        raise CommandError("ERR Only HELLO messages are accepted by Sentinel instances.")
    _sentinel(client).hear(message)
    return 1


def sentinel_role(client: Session) -> list[Reply]:
    """Returns that this is a sentinel, and the names of the masters that it watches."""
    return [b"sentinel", [to_bytes(name) for name in _sentinel(client).masters]]


INSTEAD: Final[dict[bytes, Callable[..., Any]]] = {b"publish": sentinel_publish, b"role": sentinel_role}
"""Commands that do something else here."""
