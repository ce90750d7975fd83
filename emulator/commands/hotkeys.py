"""HOTKEYS: measures which keys cost the most; `emulator.clients.hotkeys` does the measuring."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from emulator.clients.hotkeys import CPU, NET, HotKeys, Spent
from emulator.cluster.state import bitmap, ranges
from emulator.commands.arguments import INT32_MAX, bounded
from emulator.commands.cluster import slot
from emulator.commands.options import Option, Options, at_least, read_options
from emulator.datatypes.slots import SLOTS
from emulator.protocol.errors import CommandError
from emulator.protocol.replies import OK, Reply, Status
from emulator.table.registry import command, container

if TYPE_CHECKING:
    from emulator.clients.session import Session

container("hotkeys", group="server", since="8.6.0", acl="", help_since="8.6.1", help_acl="")

_FLAGS: Final = "admin noscript"
_SPECIAL: Final = "request_policy:special"
_METRICS: Final = (CPU, NET)
_KEPT: Final = 10


def _slots_of(client: Session) -> Option:
    """Return the option SLOTS: how many slots, and which."""

    def length(words: Sequence[bytes]) -> int:
        if not words:
            return 1
        if client.engine.cluster is None:
            raise CommandError("ERR SLOTS parameter cannot be used in non-cluster mode")
        count = bounded(words[0], 1, SLOTS, f"ERR SLOTS count must be between 1 and {SLOTS}")
        if len(words) <= count:
            raise CommandError("ERR not enough slot numbers provided")
        return 1 + count

    def read(_: bytes, *words: bytes) -> frozenset[int]:
        found: set[int] = set()
        for number in map(slot, words):
            if number in found:
                raise CommandError("ERR duplicate slot number")
            found.add(number)
        return frozenset(found)

    return length, read


_OPTIONS: Final[Options] = {
    b"COUNT": at_least(1, "ERR COUNT must be between 1 and 64", most=64),
    b"DURATION": at_least(1, "ERR DURATION must be between 1 and 1000000", most=1_000_000),
    b"SAMPLE": at_least(1, "ERR SAMPLE ratio must be positive", most=INT32_MAX),
}


def _metrics(words: Sequence[bytes]) -> tuple[list[bytes], Sequence[bytes]]:
    """Return the metrics asked for, and the words behind them; an unknown one is passed over beside a known one."""
    if len(words) < 2 or words[0].upper() != b"METRICS":
        raise CommandError("ERR METRICS parameter is required")
    count = bounded(words[1], 1, len(_METRICS), "ERR METRICS count must be > 0 and <= 2")
    found: list[bytes] = []
    for word in map(bytes.upper, words[2 : 2 + count]):
        if word in found:
            raise CommandError(f"ERR METRICS {word.decode()} defined more than once!")
        if word in _METRICS:
            found.append(word)
    if len(words) < 2 + count:
        raise CommandError("ERR METRICS count does not match number of metric types provided")
    if not found:
        raise CommandError("ERR METRICS no valid metrics passed. Supported: CPU|NET")
    return found, words[2 + count :]


@command("server", container="hotkeys", since="8.6.0", flags=_FLAGS, tips=_SPECIAL, complexity="O(1)")
def hotkeys_start(client: Session, *options: bytes) -> Status:
    """Starts to measure which keys cost the most time or bytes."""
    engine = client.engine
    if engine.hotkeys is not None and engine.hotkeys.active:
        raise CommandError("ERR hotkey tracking session already in progress")
    metrics, rest = _metrics(options)
    given = read_options(rest, {**_OPTIONS, b"SLOTS": _slots_of(client)})
    count, sample = given.get(b"COUNT", _KEPT), given.get(b"SAMPLE", 1)
    engine.hotkeys = HotKeys(engine, metrics, count, sample, engine.random, given.get(b"SLOTS"))
    engine.hotkeys.start(given.get(b"DURATION", 0) * 1000)
    return OK


@command("server", container="hotkeys", since="8.6.0", flags=_FLAGS, tips=_SPECIAL, complexity="O(1)")
def hotkeys_stop(client: Session) -> Status | None:
    """Stops measuring; what was found stays.  Returns null if nothing is being measured."""
    found = client.engine.hotkeys
    if found is None or not found.active:
        return None
    found.stop()
    return OK


@command("server", container="hotkeys", since="8.6.0", flags=_FLAGS, tips=_SPECIAL, complexity="O(1)")
def hotkeys_reset(client: Session) -> Status:
    """Forgets what was found."""
    engine = client.engine
    if engine.hotkeys is not None and engine.hotkeys.active:
        raise CommandError("ERR hotkey tracking session in progress, stop tracking first")
    engine.hotkeys = None
    return OK


def _ranges(found: HotKeys) -> list[Reply]:
    if found.slots is None:
        return [[0, SLOTS - 1]]
    return [[first] if first == last else [first, last] for first, last in ranges(bitmap(found.slots))]


def _spent(found: HotKeys, name: bytes, figure: Callable[[Spent], int]) -> dict[bytes, Reply]:
    """Return what was spent; what all commands have spent is all that there is to tell where all slots are measured."""
    told: dict[bytes, Reply] = {}
    if found.slots is not None:
        if found.sample > 1:
            told[name % b"sampled-commands-selected-slots"] = figure(found.sampled)
        told[name % b"all-commands-selected-slots"] = figure(found.selected)
    return told | {name % b"all-commands-all-slots": figure(found.all)}


@command(
    "server",
    container="hotkeys",
    since="8.6.0",
    flags=_FLAGS,
    tips=f"nondeterministic_output {_SPECIAL} response_policy:special",
    complexity="O(N) for N keys measured",
)
def hotkeys_get(client: Session) -> list[Reply] | None:
    """Returns the keys that cost the most, with their costs, and what all commands cost; null if nothing was measured."""
    found = client.engine.hotkeys
    if found is None:
        return None
    told: dict[bytes, Reply] = {
        b"tracking-active": int(found.active),
        b"sample-ratio": found.sample,
        b"selected-slots": _ranges(found),
        **_spent(found, b"%b-us", attrgetter("micros")),
        **_spent(found, b"net-bytes-%b", attrgetter("bytes")),
        b"collection-start-time-unix-ms": found.started,
        b"collection-duration-ms": found.lasted,
    }
    if CPU in found.costs:
        user, system = found.cpu_time
        told |= {b"total-cpu-time-user-ms": user, b"total-cpu-time-sys-ms": system}
    if NET in found.costs:
        told[b"total-net-bytes"] = found.costs[NET].total
    for metric, name in ((CPU, b"by-cpu-time-us"), (NET, b"by-net-bytes")):
        if metric in found.costs:
            told[name] = [word for pair in found.costs[metric].dearest() for word in pair]
    return [told]
