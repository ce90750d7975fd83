"""``python -m conformance fuzz``: random commands on both servers, compared, and what differs shrunk to a case.

Commands are made by the oracle's own COMMAND DOCS.  A program is some hundred of them on two connections; after each the
data sets are compared as well.  `looseness.txt` says which replies may differ, and why.
"""

from __future__ import annotations

import argparse
import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from random import Random

from conformance import oracles, servers
from conformance.fuzz.generate import Generator
from conformance.fuzz.grammar import read_grammar
from conformance.fuzz.looseness import Looseness
from conformance.fuzz.modules import MODULES
from conformance.fuzz.program import Difference, Player, Program
from conformance.fuzz.scripts import script_of
from conformance.fuzz.shrink import shrink

_LENGTH = 300
_SCRIPTS = 0.15
_LONGEST_SCRIPT = 5
_REPEATED = (1, 1, 1, 1, 1, 1, 1, 3)
"""How often a command comes: those that are the same, one behind the other, may be run together."""

# By setting a small value, by which encodings change soon, and the usual one.
_LIMITS = {
    "hash-max-listpack-entries": ("4", "512"),
    "hash-max-listpack-value": ("8", "64"),
    "set-max-intset-entries": ("3", "512"),
    "set-max-listpack-entries": ("4", "128"),
    "set-max-listpack-value": ("8", "64"),
    "zset-max-listpack-entries": ("4", "128"),
    "zset-max-listpack-value": ("8", "128"),
    "list-max-listpack-size": ("3", "-2"),
    "stream-node-max-entries": ("3", "100"),
    "stream-node-max-bytes": ("60", "4096"),
    "hll-sparse-max-bytes": ("20", "3000"),
}


def random_program(random: Random, generator: Generator, loose: Looseness, edition: str = "") -> Program:
    """A program of some hundred commands, which come in runs on either connection."""
    settings = {name: small for name, (small, _) in _LIMITS.items() if random.random() < 0.5}
    skip_lists = random.random() < 0.5
    circumstances = [b"skiplist" if skip_lists else b"packed", edition.encode()]
    if "set-max-intset-entries" in settings and "set-max-listpack-entries" not in settings:
        circumstances.append(b"few-integers")
    of_scripts = [*circumstances, b"scripted"]
    if not skip_lists:
        settings = {name: value for name, value in settings.items() if not name.startswith("zset")}
    protocols = {name: random.choice((2, 3)) for name in "ab"}
    steps: list[tuple[str, list[bytes]]] = []
    while len(steps) < _LENGTH:
        name = random.choice("aaab")
        commands = [generator.command() for _ in range(random.randint(1, 12))]
        commands = [words for words in commands for _ in range(random.choice(_REPEATED))]
        in_script = random.random() < _SCRIPTS
        if in_script:
            exact = [words for words in commands[:_LONGEST_SCRIPT] if loose.is_exact(words, of_scripts)]
            commands = [
                words for words in exact if words[0] != b"COMMAND"
            ]  # whose sets of statuses Lua has in any order
        commands = [words for words in commands if loose.allows(words, circumstances)]
        if in_script and commands:
            commands = [script_of(random, commands)]
        steps += [(name, words) for words in commands]
    return Program(settings, protocols, steps)


def shrunk(player: Player, program: Program) -> Program:
    """The fewest commands and settings of a program that still show a difference."""

    def fails(steps: list[tuple[str, list[bytes]]]) -> bool:
        return player.play(replace(program, steps=steps)) is not None

    def fails_with(settings: list[tuple[str, str]]) -> bool:
        return player.play(replace(least, settings=dict(settings))) is not None

    if not fails(program.steps):
        return program
    least = replace(program, steps=shrink(program.steps, fails))
    return replace(least, settings=dict(shrink(list(least.settings.items()), fails_with)))


def _report(player: Player, program: Program, first: Difference, seed: int) -> str:
    """The shrunk program as a case, and what differs."""
    least = shrunk(player, program)
    difference = player.play(least)
    if difference is None:
        return f"seen only once, seed {seed}: {first}"
    return f"{least.as_case(f'found by the fuzzer, seed {seed}')}\n{difference}"


def parser_of(name: str, description: str | None) -> argparse.ArgumentParser:
    """The options that all have who play by chance on two servers."""
    parser = argparse.ArgumentParser(prog=f"python -m conformance {name}", description=description)
    parser.add_argument("--subject", metavar="URL")
    parser.add_argument("--oracle", metavar="URL|PATH")
    parser.add_argument("--edition", default="8.2", metavar="NAME", help="which server: 8.2, 8.6, valkey-9.1")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long (default: a minute)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--differences", type=int, default=5, help="how many to show before giving up")
    return parser


@contextlib.contextmanager
def both(options: argparse.Namespace, modules: Sequence[str] = ()) -> Iterator[tuple[servers.Address, servers.Address]]:
    """The emulator and the real server that such options name."""
    of_edition = ("--compat", options.edition) if options.edition != "8.2" else ()
    binary = options.oracle or (oracles.binary(options.edition) if of_edition else None)
    with (
        servers.oracle(binary, modules=modules) as oracle,
        servers.emulator(options.subject, *of_edition, modules=modules) as subject,
    ):
        yield subject, oracle


def main(arguments: Sequence[str]) -> int:
    """Play until the time is over; 1 where a difference was found."""
    parser = parser_of("fuzz", __doc__)
    parser.add_argument("--programs", type=int, help="how many programs instead")
    parser.add_argument("--command", action="append", default=[], help="only this command; may be repeated")
    parser.add_argument("--group", action="append", default=[], help="only commands of a group; may be repeated")
    options = parser.parse_args(arguments)
    random = Random(options.seed)
    loose = Looseness()
    modules = list(dict.fromkeys(module for group in options.group for module in servers.modules_of(group)))
    with both(options, modules) as (subject, oracle):
        of_modules = [syntax for group in options.group if group in MODULES for syntax in MODULES[group]()]
        grammar = [
            syntax
            for syntax in read_grammar(oracle) + of_modules
            if (not options.command or syntax.name in options.command)
            and (not options.group or syntax.group in options.group)
        ]
        player = Player(subject, oracle, loose, {name: usual for name, (_, usual) in _LIMITS.items()})
        generator = Generator(random, grammar)
        found = programs = commands = 0
        end = time.monotonic() + options.seconds
        while found < options.differences and (
            programs < options.programs if options.programs else time.monotonic() < end
        ):
            program = random_program(random, generator, loose, options.edition)
            programs += 1
            commands += len(program.steps)
            difference = player.play(program)
            if difference is not None:
                found += 1
                print(f"{_report(player, program, difference, options.seed)}\n", flush=True)
    print(f"seed {options.seed}: {programs} programs, {commands} commands, {found} differences")
    return 1 if found else 0
