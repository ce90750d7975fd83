"""The commands of modules: a module is imported when one of them is first used, and until then a file tells what they are.

A package of `emulator.modules` has ``commands.tsv`` (for each command its name, flags, key range and ACL categories) and
``commands.py`` with a function for each, which `command` enters.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any, Final

from emulator.config.edition import Module, load_module
from emulator.protocol.errors import CommandError
from emulator.table.keyspec import KeySpec, keys
from emulator.table.registry import Command, Function, arity

_PACKAGES: Final = os.path.join(os.path.dirname(os.path.dirname(__file__)), "modules")
_functions: Final[dict[bytes, Callable[..., Any]]] = {}


def command(fn: Function, name: str = "") -> Function:
    """Enter the function of a module's command: JSON.SET's is ``json_set``, if `name` says nothing else.

    Its signature is the arity.
    """
    full_name = (name or fn.__name__).replace("_", ".", 1)
    _functions[full_name.encode()] = _judging(fn, full_name)
    return fn


def _judging(fn: Callable[..., Any], name: str) -> Callable[..., Any]:
    """The function with the arity judged by itself, since a module's command takes any number of words into a queue."""
    _, least, most = arity(fn, 0)

    def judging(client: Any, *arguments: bytes) -> Any:
        if not least <= len(arguments) <= most:
            raise CommandError(f"ERR wrong number of arguments for '{name}' command")
        return fn(client, *arguments)

    return judging


class _Unused(Command):
    """A command of a module, of which each engine gets a copy when it first uses it."""

    __slots__ = ("owner",)

    def __init__(self, owner: Module, row: str) -> None:
        name, flags, places, categories = row.split("\t")
        since = "1.0.0"
        super().__init__(
            name, _any, "module", since, flags, _key_specs(places), categories, "", "", "", None, None, owner.name
        )
        self.owner = owner

    def clone(self, parent: Command | None = None) -> Command:
        load_module(self.owner)
        twin = super().clone(parent)
        twin.fn = _functions[self.name.lower()]
        return twin


def _any(client: object, *arguments: bytes) -> None:
    """What the signature of every command of a module is for those who look from outside."""


def _key_specs(places: str) -> tuple[KeySpec, ...]:
    """The keys from ``first last step``."""
    first, last, step = map(int, places.split())
    return (keys("RW access update", first, last if last < 0 else last - first, step),) if first else ()


def commands(module: Module) -> Iterator[Command]:
    """What is known of the commands of a module; those of one that is built in stand in the registry."""
    if module.package:
        with open(os.path.join(_PACKAGES, module.package, "commands.tsv"), encoding="ascii") as rows:
            for row in rows:
                yield _Unused(module, row.rstrip("\n"))
