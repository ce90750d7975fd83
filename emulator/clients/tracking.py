"""Client-side caching: telling clients that what they have read has changed.

Default mode: the table remembers which client has read which key (`Tracking.remember`, called by dispatch after a command
that only reads); when the funnel touches the key they are told, once.  Broadcasting mode: a client names prefixes, and is
told of every change below them; these messages gather until the end of a batch of commands (`Tracking.broadcast`).

A message goes to the client itself on RESP3, or to the client that it redirects to, on RESP2 as a message of the channel
``__redis__:invalidate``.  What a client is to learn of its own command comes after its reply (`Tracking.tell_own`).

There is a limit for the table: when it is exceeded, keys are forgotten and their readers told, before the next command of
whomever, or when the real server would look by itself.

Source: https://redis.io/docs/latest/develop/reference/client-side-caching/
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from emulator.datatypes.wheel import Timer
from emulator.protocol.encoder import encode
from emulator.protocol.replies import Encoded, Push, Reply
from emulator.protocol.text import to_text
from emulator.table.registry import Command
from emulator.wall import behind_wall

if TYPE_CHECKING:
    from emulator.clients.host import HostOfClients
    from emulator.clients.session import Session

_CHANNEL: Final = b"__redis__:invalidate"
_FORGOTTEN_AT_ONCE: Final = 100
_READ_ONLY_SCRIPTS: Final = frozenset((b"eval_ro", b"evalsha_ro", b"fcall_ro"))


class Tracked:
    """How a client is tracked.

    ``redirect`` is the id of the client to tell, 0 for itself; ``broken`` that it is no longer there.  ``choice`` is the
    mode OPTIN or OPTOUT (empty: neither), ``caching`` what CLIENT CACHING has said for the next command.  ``prefixes`` is
    None but in broadcasting mode.
    """

    __slots__ = ("broken", "caching", "choice", "noloop", "prefixes", "redirect", "session")

    def __init__(self, session: Session) -> None:
        self.session = session
        self.redirect = 0
        self.broken = self.caching = self.noloop = False
        self.choice = b""
        self.prefixes: dict[bytes, None] | None = None

    @property
    def remembers(self) -> bool:
        """Whether the keys of the command that is running are to be remembered."""
        return self.prefixes is None and (not self.choice or (self.choice == b"OPTIN") == self.caching)

    def flags(self) -> list[bytes]:
        """The flags of CLIENT TRACKINGINFO."""
        flags = [b"on"]
        if self.prefixes is not None:
            flags.append(b"bcast")
        if self.choice:
            flags.append(self.choice.lower())
            if self.caching:
                flags.append(b"caching-yes" if self.choice == b"OPTIN" else b"caching-no")
        if self.noloop:
            flags.append(b"noloop")
        if self.broken:
            flags.append(b"broken_redirect")
        return flags


class _Prefix:
    """A prefix that somebody follows: its clients, and the keys changed since the last message, with who changed them."""

    __slots__ = ("clients", "keys")

    def __init__(self) -> None:
        self.clients: dict[Tracked, None] = {}
        self.keys: dict[bytes, Session | None] = {}


class Tracking(Timer):
    """The tracked clients of an engine; as a timer it is the next look at the size of the table.

    ``changed`` tells that there is something to broadcast, ``own`` has what the running client is to be told of its own
    command, ``crowded`` says that the table is beyond its limit, or was a moment ago.
    """

    __slots__ = (
        "_effort",
        "_engine",
        "_lengths",
        "_stirred",
        "changed",
        "clients",
        "crowded",
        "own",
        "prefixes",
        "table",
    )

    def __init__(self, engine: HostOfClients) -> None:
        super().__init__()
        self._engine = engine
        self.clients: dict[Tracked, None] = {}
        self.table: OrderedDict[bytes, dict[Tracked, None]] = OrderedDict()
        self.prefixes: dict[bytes, _Prefix] = {}
        self._lengths: Counter[int] = Counter()  # of the prefixes, for nobody can look at each of many for each key
        self._stirred: dict[bytes, _Prefix] = {}  # those with keys to tell of
        self.own: list[tuple[Tracked, list[Reply] | None]] = []
        self.changed = self.crowded = False
        self._effort = 0

    @property
    def items(self) -> int:
        """How many pairs of a key and a client are remembered."""
        return sum(len(readers) for readers in self.table.values())

    def begin(self, session: Session) -> Tracked:
        """Track a client from now on."""
        tracked = session.tracked
        if tracked is None:
            tracked = session.tracked = Tracked(session)
            if not self.clients:
                self._engine.listen(self._changed)
            self.clients[tracked] = None
        return tracked

    def end(self, session: Session) -> None:
        """Track a client no longer."""
        tracked = session.tracked
        if tracked is None:
            return
        for name in tracked.prefixes or ():
            prefix = self.prefixes[name]
            del prefix.clients[tracked]
            if not prefix.clients:
                self._forget(name)
        session.tracked = None
        del self.clients[tracked]
        if not self.clients:
            self.table.clear()
            self._engine.leave(self._changed)
        session.refresh()

    def follow(self, tracked: Tracked, name: bytes) -> None:
        """Tell a client of every change below a prefix."""
        if tracked.prefixes is None:
            tracked.prefixes = {}
        tracked.prefixes[name] = None
        if name not in self.prefixes:
            self.prefixes[name] = _Prefix()
            self._lengths[len(name)] += 1
        self.prefixes[name].clients[tracked] = None

    def _forget(self, name: bytes) -> None:
        del self.prefixes[name]
        self._stirred.pop(name, None)
        self._lengths[len(name)] -= 1
        if not self._lengths[len(name)]:
            del self._lengths[len(name)]

    # What clients read

    def remember(self, tracked: Tracked, command: Command, args: Sequence[bytes]) -> None:
        """A tracked client has run a command that only reads."""
        if not tracked.remembers or command.name in _READ_ONLY_SCRIPTS:
            return
        table = self.table
        for key, flags in command.find_keys(args):
            if "not_key" not in flags:
                table.setdefault(key, {})[tracked] = None
        self.check_limit()

    def _exceeds_limit(self) -> bool:
        return 0 < self._engine.config.tracking_table_max_keys < len(self.table)

    def check_limit(self) -> None:
        """See to it that a table that has become too large is trimmed."""
        if not self.crowded and self._exceeds_limit():
            self.crowded = True
            self._engine.refresh_sessions()
            self._look_again()

    def _look_again(self) -> None:
        engine = self._engine
        engine.waits.set(self, engine.clock.elapsed + 1000 // engine.config.hz)

    def fire(self) -> None:
        self.trim()
        self.crowded = self._exceeds_limit()
        if self.crowded:
            self._look_again()
        else:
            self._engine.refresh_sessions()

    def trim(self) -> None:
        """Forget keys while there are too many, those first that have been there longest: at most so many, more each time."""
        self._effort += _FORGOTTEN_AT_ONCE
        for _ in range(self._effort):
            if not self._exceeds_limit():
                self._effort = 0
                return
            self._tell_readers(next(iter(self.table)))

    # What changes

    def _changed(self, db: object, key: bytes) -> None:
        """A key has changed, by the running client's doing or by itself."""
        for length in self._lengths:
            prefix = self.prefixes.get(name := key[:length])
            if prefix is not None:
                prefix.keys[key] = self._engine.current
                self._stirred[name] = prefix
                self.changed = True
        if key in self.table:
            self._tell_readers(key)

    def _tell_readers(self, key: bytes) -> None:
        for tracked in self.table.pop(key):
            own_doing = tracked.noloop and tracked.session is self._engine.current
            if tracked in self.clients and tracked.prefixes is None and not own_doing:
                self._tell_in_turn(tracked, [key])

    def broadcast_soon(self) -> None:
        """Tell those who follow prefixes at the end of the round, of all that has changed by then."""
        self.changed = False
        self._engine.soon(lambda: behind_wall(self.broadcast, "what is told to clients that cache"))

    def broadcast(self) -> None:
        """Tell those who follow prefixes what has changed."""
        self.changed = False
        stirred, self._stirred = self._stirred, {}
        for _, prefix in sorted(stirred.items()):
            keys, prefix.keys = sorted(prefix.keys.items()), {}
            for tracked in prefix.clients:
                own = tracked.session if tracked.noloop else self._engine
                changed: list[Reply] = [key for key, source in keys if source is not own]
                if changed:
                    self._tell(tracked, changed)

    def flushed(self) -> None:
        """Every key of a database has gone: a null tells each client to forget all."""
        self.table.clear()
        for tracked in self.clients:
            self._tell_in_turn(tracked, None)

    def _tell_in_turn(self, tracked: Tracked, keys: list[Reply] | None) -> None:
        if tracked.session is self._engine.current:
            self.own.append((tracked, keys))
            self._engine.pending_work = True
        else:
            self._tell(tracked, keys)

    def tell_own(self) -> None:
        """Tell the client whose command has run what it did."""
        own, self.own = self.own, []
        for tracked, keys in own:
            self._tell(tracked, keys)

    def _tell(self, tracked: Tracked, keys: list[Reply] | None) -> None:
        target = tracked.session
        if tracked.redirect:
            redirected = self._engine.sessions.get(tracked.redirect)
            if redirected is None:
                tracked.broken = True
                if target.protocol == 3:
                    target.send(encode(Push([b"tracking-redir-broken", tracked.redirect]), 3))
                return
            target = redirected
        # a null is encoded for who is tracked, whoever it is sent to
        told: Reply = Encoded(encode(None, tracked.session.protocol)) if keys is None else keys
        if target.protocol == 3:
            target.send(encode(Push([b"invalidate", told]), 3))
        elif tracked.redirect and target.subscriptions:
            target.send(encode(Push([b"message", _CHANNEL, told]), 2))


def collision(tracked: Tracked | None, prefixes: Sequence[bytes]) -> str:
    """What is wrong with prefixes that overlap, with each other or with those a client follows already; else empty."""
    existing = sorted(tracked.prefixes or ()) if tracked is not None else []
    clashing = _overlapping([*existing, *prefixes])
    for place, prefix in enumerate(prefixes):
        if prefix not in clashing:
            continue
        others = [("an existing", old) for old in existing]
        others += [("another provided", other) for other in prefixes[place + 1 :]]
        for kind, other in others:
            if prefix.startswith(other) or other.startswith(prefix):
                shown, clash = (to_text(text) for text in (prefix, other))
                overlap = f"Prefix '{shown}' overlaps with {kind} prefix '{clash}'."
                return f"{overlap} Prefixes for a single client must not overlap."
    return ""


def _overlapping(prefixes: Sequence[bytes]) -> set[bytes]:
    """Those that another one begins, or that begin another one: in order they stand behind one another.  O(N log N)."""
    found: set[bytes] = set()
    shortest: bytes | None = None
    for prefix in sorted(prefixes):
        if shortest is not None and prefix.startswith(shortest):
            found |= {shortest, prefix}
        else:
            shortest = prefix
    return found
