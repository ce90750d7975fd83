"""The table of commands: what the `command` decorator knows of a function, COMMAND INFO, ACL and dispatch know from it.

A command is a function ``name(client, argument, ...)``; its name is the command's (a trailing underscore, which keeps it
clear of a Python word, is dropped), its signature is the arity.  A sub-command is a function ``container_name`` with
``container=``; the container itself is declared with `container`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeVar

from emulator.protocol.replies import Reply, Status
from emulator.stats.latency import Durations

if TYPE_CHECKING:
    from emulator.table.keyspec import KeySpec

Function = TypeVar("Function", bound=Callable[..., Any])
KeyFinder = Callable[[Sequence[bytes]], list[tuple[bytes, str]]]
Together = Callable[..., "Sequence[Reply] | None"]
"""Runs calls that name one key: after the session and the key come columns, of the second argument of each call, of the third
and so on.  Returns the replies; None, and nothing has changed, where they are to be run one by one."""

_FLAGS: Final = (
    "write readonly denyoom module admin pubsub noscript blocking loading stale skip_monitor skip_slowlog asking fast "
    "no_auth may_replicate no_mandatory_keys protected no_async_loading no_multi movablekeys allow_busy "
    "touches_arbitrary_keys runs_script skip_commandlog script_runner"
).split()
CATEGORIES: Final = (
    "keyspace read write set sortedset list hash string bitmap hyperloglog geo stream pubsub admin fast slow blocking "
    "dangerous connection transaction scripting"
).split()
_LATER_CATEGORIES: Final = ("array",)
"""Categories that came with groups of commands after Redis 8.2."""
EMULATOR: Final = "emulator"
"""The group and category of what no real Redis can do, which is told only where somebody asks for it."""
SENTINEL: Final = "sentinel"
"""The group of commands that a sentinel alone has."""

FLAG: Final = {name: 1 << position for position, name in enumerate(_FLAGS)}

WRITE: Final = FLAG["write"]
READONLY: Final = FLAG["readonly"]
DENYOOM: Final = FLAG["denyoom"]
NO_AUTH: Final = FLAG["no_auth"]
NO_MULTI: Final = FLAG["no_multi"]
MAY_REPLICATE: Final = FLAG["may_replicate"]
NOSCRIPT: Final = FLAG["noscript"]
SKIP_SLOWLOG: Final = FLAG["skip_slowlog"] | FLAG["skip_commandlog"]
SKIP_MONITOR: Final = FLAG["skip_monitor"]
ADMIN: Final = FLAG["admin"]
STALE: Final = FLAG["stale"]
MAY_WHILE_LOADING: Final = FLAG["loading"]
ALLOW_BUSY: Final = FLAG["allow_busy"]
PROTECTED: Final = FLAG["protected"]
FAST: Final = FLAG["fast"]
BLOCKING: Final = FLAG["blocking"]
RUNS_SCRIPT: Final = FLAG["runs_script"]
ASKING: Final = FLAG["asking"]
_HIDDEN: Final = MAY_REPLICATE | PROTECTED | RUNS_SCRIPT

NEEDS_GUARDS: Final = NO_MULTI | PROTECTED | RUNS_SCRIPT
"""Flags of commands that are looked at for every client."""
NOT_QUEUED: Final = frozenset((b"exec", b"discard", b"multi", b"watch", b"quit", b"reset"))
"""Commands that a transaction does not queue."""

_CATEGORY_OF_GROUP: Final = {
    "string": "string",
    "generic": "keyspace",
    "hash": "hash",
    "list": "list",
    "set": "set",
    "sorted_set": "sortedset",
    "stream": "stream",
    "bitmap": "bitmap",
    "hyperloglog": "hyperloglog",
    "geo": "geo",
    "pubsub": "pubsub",
    "transactions": "transaction",
    "scripting": "scripting",
    "connection": "connection",
}

_IMPLIED: Final = (
    ("write", ("write",)),
    ("readonly", ("read",)),
    ("admin", ("admin", "dangerous")),
    ("pubsub", ("pubsub",)),
    ("blocking", ("blocking",)),
)

_QUICK: Final = re.compile(r"O\((1|log N)\)( an? \w+)?")
"""The complexities of commands of which a few words are never much work."""
UNBOUNDED: Final = 1 << 40
"""How many words a call may have where nothing bounds them."""


class Command:
    """What is known of one command or sub-command.

    ``least`` and ``most`` bound the words of a call, the command's own included; for a container they exclude every call,
    so that dispatch looks at it more closely.  ``full_name`` is ``config|get`` for a sub-command.  Of one that is ``hidden``
    only those hear who ask for it; one that ``is_just_queued`` needs nothing else in a transaction; one that ``is_quick``
    touches nothing but the data of one database, and takes no long time for a few words; ``together`` runs several calls of
    one key at once: these and the quick ones may be run ``in_one_go``.  ``rejected`` and ``failed`` count calls for INFO
    commandstats; ``note`` takes the seconds of a call, and `OFFSET`, for ``durations``.
    """

    __slots__ = (
        "acl",
        "acts",
        "arity",
        "complexity",
        "durations",
        "failed",
        "flags",
        "fn",
        "full_name",
        "group",
        "hidden",
        "in_one_go",
        "is_just_queued",
        "is_quick",
        "key_finder",
        "keys",
        "least",
        "module",
        "most",
        "name",
        "note",
        "parent",
        "rejected",
        "since",
        "skip",
        "subcommands",
        "summary",
        "syntax",
        "tips",
        "together",
        "valkey",
    )

    def __init__(
        self,
        name: str,
        fn: Callable[..., Any] | None,
        group: str,
        since: str,
        flags: str,
        keys: Sequence[KeySpec],
        acl: str | None,
        tips: str,
        syntax: str,
        complexity: str,
        parent: Command | None,
        key_finder: KeyFinder | None,
        module: str = "",
        valkey: str = "",
        together: Together | None = None,
    ) -> None:
        self.name = name.encode()
        self.full_name = parent.name + b"|" + self.name if parent else self.name
        self.fn = fn
        self.group = group
        self.hidden = group == EMULATOR
        self.since = since
        self.valkey = valkey
        self.flags = sum(FLAG[flag] for flag in flags.split())
        self.keys = tuple(keys)
        self.key_finder = key_finder
        self.acl = acl
        self.tips = tips
        self.syntax = syntax
        self.complexity = complexity
        self.module = module
        self.parent = parent
        self.subcommands: dict[bytes, Command] = {}
        self.summary = ""
        self.skip = 2 if parent else 1
        runs_others = self.name == b"exec" or self.flags & SKIP_MONITOR
        self.acts = bool(self.flags & (WRITE | MAY_REPLICATE)) and not runs_others and not self.hidden
        is_of_data = bool(self.flags & (WRITE | READONLY)) and not self.flags & BLOCKING
        self.is_quick = is_of_data and not module and name != "move" and _QUICK.fullmatch(complexity) is not None
        self.together = together
        self.in_one_go = self.is_quick or together is not None
        self.is_just_queued = not (self.flags & NEEDS_GUARDS or self.full_name in NOT_QUEUED or self.name == b"hello")
        self.reset()
        if fn is None:
            self.arity, self.least, self.most = -2, UNBOUNDED, 0
        else:
            self.summary = (fn.__doc__ or "").partition("\n")[0]
            self.arity, self.least, self.most = arity(fn, self.skip)

    def reset(self) -> None:
        """Forget the statistics."""
        self.rejected = self.failed = 0
        self.durations = Durations()
        self.note = self.durations.noted.append

    @property
    def categories(self) -> Sequence[str]:
        """ACL categories: the group's or those declared, and those that the flags imply; a module declares every one."""
        declared = self.acl if self.acl is not None else _CATEGORY_OF_GROUP.get(self.group, "")
        return _categories(declared, self.flags, bool(self.module))

    @property
    def flag_names(self) -> list[str]:
        """Flags as COMMAND INFO tells them: those that follow from the keys too, but not the hidden ones."""
        flags = self.flags
        if not all(spec.is_plain for spec in self.keys):
            flags |= FLAG["movablekeys"]
        return [name for name, bit in FLAG.items() if flags & bit & ~_HIDDEN]

    @property
    def key_range(self) -> tuple[int, int, int]:
        """First key, last key (negative: from the end) and step, as far as these three can tell."""
        plain = [spec for spec in self.keys if spec.is_plain]
        if not plain:
            return 0, 0, 0
        if len(self.keys) == 1:
            return plain[0].plain_range
        first = last = 0
        for start, end, step in sorted(spec.plain_range for spec in plain):
            if step == 1 and (not first or last == start - 1):
                first = first or start
                last = end
        return (first, last, 1) if first else (0, 0, 0)

    def find_keys(self, args: Sequence[bytes]) -> list[tuple[bytes, str]]:
        """The keys in the words of a call and the flags of each; none where the call is not well formed."""
        if self.key_finder is not None:
            return self.key_finder(args) if len(args) >= self.least else []
        found: list[tuple[bytes, str]] = []
        for spec in self.keys:
            positions = spec.positions(args)
            if positions is None:
                return []
            found += [(args[position], spec.flags) for position in positions]
        return found

    def clone(self, parent: Command | None = None) -> Command:
        """The same command with statistics of its own."""
        twin = Command.__new__(Command)
        for slot in Command.__slots__:
            setattr(twin, slot, getattr(self, slot))
        twin.reset()
        twin.parent = parent
        twin.subcommands = dict(self.subcommands)
        return twin

    def subcommand(self, name: bytes) -> Command | None:
        """A sub-command of this lower-case name, which has statistics of its own from its first use on."""
        found = self.subcommands.get(name)
        if found is not None and found.parent is not self:
            found = self.subcommands[name] = found.clone(self)
        return found


REGISTRY: Final[dict[str, Command]] = {}
"""Every command by its lower-case name; sub-commands hang below their containers."""


@cache  # rules of ACL ask this of every command
def _categories(words: str, flags: int, of_module: bool) -> Sequence[str]:
    declared = words.split()
    if of_module:
        return sorted(declared, key=lambda name: CATEGORIES.index(name) if name in CATEGORIES else len(CATEGORIES))
    found = {*declared, "fast" if flags & FLAG["fast"] else "slow"}
    for flag, implied in _IMPLIED:
        if flags & FLAG[flag]:
            found.update(implied)
    if "scripting" in found:
        found.discard("read")
    return [category for category in (*CATEGORIES, *_LATER_CATEGORIES, EMULATOR) if category in found]


class Commands(dict[bytes, Command]):
    """The commands that have been used, under their lower-case and upper-case names, each with statistics of its own.

    ``known`` are all there are, by their lower-case names; engines share it, and one that renames has another.  They are not
    copied before somebody asks for one, since most engines of a test use a few of four hundred; so `get` finds those alone
    that were used, `own` and ``[]`` every one.
    With ``tells_no_words`` an unknown command that has no words is answered without telling that it has none.
    """

    __slots__ = ("_shown", "known", "tells_no_words")

    def __init__(self, known: Mapping[bytes, Command], tells_no_words: bool = False) -> None:
        super().__init__()
        self.known = known
        self._shown = 0
        self.tells_no_words = tells_no_words

    def __missing__(self, name: bytes) -> Command:
        found = self.own(name.lower())
        if found is None:
            raise KeyError(name)
        return found

    def own(self, name: bytes) -> Command | None:
        """The command of this lower-case name, with statistics; None where there is none."""
        found = self.get(name)
        if found is None and name in self.known:
            found = self[name] = self[name.upper()] = self.known[name].clone()
        return found

    @property
    def shown(self) -> int:
        """How many commands there are that are not hidden; counted when it is first asked for."""
        if not self._shown:
            self._shown = sum(not entry.hidden for entry in self.known.values())
        return self._shown

    def used(self) -> Iterator[Command]:
        """The commands and sub-commands that have been used, each once; the others are shared with other engines."""
        for entry in dict.fromkeys(self.values()):
            yield entry
            for sub in entry.subcommands.values():
                if sub.parent is entry:
                    yield sub

    def seconds_spent(self) -> float:
        """How long all calls have taken."""
        return sum(entry.durations.seconds for entry in self.used())

    def rename(self, old: bytes, new: bytes) -> None:
        """Give a command another lower-case name, or with an empty one none.  Raises KeyError where there is none."""
        known = dict(self.known)
        entry = known.pop(old)
        for name in (old, old.upper()):
            self.pop(name, None)
        if new:
            known[new] = entry
        self.known = known
        self._shown = 0


def every_command(table: Mapping[bytes, Command]) -> Iterator[Command]:
    """The commands and sub-commands of a table, each once."""
    for entry in dict.fromkeys(table.values()):
        yield entry
        yield from entry.subcommands.values()


def categories_of(table: Mapping[bytes, Command]) -> list[str]:
    """The ACL categories of a server with these commands: Redis's own, then those that only some commands declare."""
    some = (entry for entry in every_command(table) if entry.module or entry.group in _LATER_CATEGORIES)
    declared = (name for entry in some for name in entry.categories)
    return list(dict.fromkeys((*CATEGORIES, *declared)))


def arity(fn: Callable[..., Any], skip: int) -> tuple[int, int, int]:
    """The arity as COMMAND INFO tells it, and the fewest and most words of a call, with the `skip` words of its name."""
    code = fn.__code__
    given = code.co_argcount - 1
    needed = skip + given - len(fn.__defaults__ or ())
    variadic = code.co_flags & 0x04
    if variadic:
        return -needed, needed, UNBOUNDED
    return (-needed if fn.__defaults__ else needed), needed, skip + given


def container(
    name: str,
    *,
    group: str,
    since: str,
    flags: str = "",
    acl: str | None = None,
    tips: str = "",
    help_since: str,
    valkey: str = "",
    help_acl: str | None = None,
    complexity: str = "that of the sub-command",
    bare: Callable[..., Any] | None = None,
) -> None:
    """Declare a command that has sub-commands, such as CONFIG, HELP among them.

    `bare` is called where none is named (COMMAND alone).
    """
    entry = Command(name, None, group, since, flags, (), acl, tips, "", complexity, None, None, valkey=valkey)
    REGISTRY[name] = entry
    if bare is not None:
        entry.fn = bare
        entry.arity, entry.least, entry.most = -1, 1, 1

    def explain(client: Any) -> list[Status]:
        """What the sub-commands do."""
        known: Mapping[bytes, Command] = client.engine.commands.known  # those of its edition
        return [Status(line.encode()) for line in _help(known.get(entry.name, entry))]

    command(
        group,
        container=name,
        name="help",
        since=help_since,
        valkey="" if help_since else valkey,
        flags="loading stale",
        acl=help_acl,
        complexity="O(1)",
    )(explain)


def _help(entry: Command) -> list[str]:
    """Lines for people: each sub-command with its arguments, and its summary below."""
    name = entry.name.decode().upper()
    lines = [f"{name} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"]
    for sub in entry.subcommands.values():
        lines += [f"{sub.name.decode().upper()}{_arguments(sub.fn)}", f"    {sub.summary}"]
    return lines


def _arguments(fn: Callable[..., Any] | None) -> str:
    if fn is None:
        return ""
    code = fn.__code__
    words = [f" <{word.replace('_', '-')}>" for word in code.co_varnames[1 : code.co_argcount]]
    if code.co_flags & 0x04:
        words.append(f" [{code.co_varnames[code.co_argcount].replace('_', '-')} ...]")
    return "".join(words)


def command(
    group: str,
    *,
    since: str = "",
    valkey: str = "",
    flags: str = "",
    keys: Sequence[KeySpec] = (),
    acl: str | None = None,
    tips: str = "",
    syntax: str = "",
    complexity: str = "",
    container: str = "",
    name: str = "",
    key_finder: KeyFinder | None = None,
    module: str = "",
    together: Together | None = None,
) -> Callable[[Function], Function]:
    """Enter a function in the table.

    `since` is the version of Redis that brought it, `valkey` that of Valkey where it came after the two had parted.
    `flags` are COMMAND INFO's, by name and without those that Redis derives; `acl` replaces the group's category; `tips`
    are separated by spaces; a `key_finder` finds the keys (with their flags) that the specifications cannot; `module`
    is the one that has the command in Redis; `together` is for calls that name one key.  The docstring's first line is the
    summary.
    """

    def enter(fn: Function) -> Function:
        parent = REGISTRY[container] if container else None
        own = name or fn.__name__.rstrip("_")
        if parent is not None and not name:
            own = own.removeprefix(container + "_").replace("_", "-")
        entry = Command(
            own,
            fn,
            group,
            since,
            flags,
            keys,
            acl,
            tips,
            syntax,
            complexity,
            parent,
            key_finder,
            module,
            valkey,
            together,
        )
        if parent is not None:
            parent.subcommands[entry.name] = entry
        else:
            REGISTRY[own] = entry
        return fn

    return enter
