"""``python -m conformance``: the cases; ``bench``, ``coverage``, ``fuzz``, ``grammar``, ``replicate``, ``scenes``,
``table``, ``torn``."""

from __future__ import annotations

import argparse
import fnmatch
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from conformance import oracles, servers
from conformance.cases import Case, load_all
from conformance.runner import Difference, Side, Tally, play_all

HERE = Path(__file__).parent
_PROGRAMS = ("bench", "coverage", "fuzz", "grammar", "replicate", "scenes", "table", "torn")
"""What else there is to run: modules beside this one, whose ``main`` takes the rest of the words."""
NO_ORACLE = 3
FATAL = "spoils the real server"
"""How the reason begins why a case is not played at all."""


def load_accepted(edition: str = "8.2") -> dict[str, str]:
    """The accepted differences from an edition's server: case and reason."""
    accepted: dict[str, str] = {}
    path = HERE / "accepted" / f"{edition}.txt"
    for line in path.read_text().splitlines() if path.exists() else []:
        if line.strip() and not line.startswith("#"):
            name, _, reason = line.partition(" | ")
            accepted[name] = reason
    return accepted


def select(groups: Sequence[str], match: str, protocols: Sequence[int], edition: str = "8.2") -> list[tuple[Case, int]]:
    """The cases asked for that are played on an edition, with the protocols that they are played on."""
    fatal = {name for name, reason in load_accepted(edition).items() if reason.startswith(FATAL)}
    release = (7, 2, 4) if edition.startswith("valkey") else (*map(int, edition.split(".")), 99)
    return [
        (case, protocol)
        for case in load_all(HERE / "cases")
        if (not groups or case.group in groups)
        and (not match or fnmatch.fnmatch(case.id.lower(), f"*{match.lower()}*"))
        if case.id not in fatal
        and (edition in case.editions if case.editions else case.is_for(release))
        and (edition == "8.2" or not servers.modules_of(case.group))  # the modules are built for that server
        for protocol in case.protocols
        if protocol in protocols
    ]


def print_table(tallies: dict[str, Tally]) -> None:
    print(f"{'group':<20}{'cases':>8}{'equal':>8}{'different':>11}{'accepted':>10}")
    total = Tally()
    for group, tally in [*sorted(tallies.items()), ("total", total)]:
        print(f"{group:<20}{tally.cases:>8}{tally.equal:>8}{tally.different:>11}{tally.accepted:>10}")
        total.cases += tally.cases
        total.equal += tally.equal
        total.different += tally.different
        total.accepted += tally.accepted


def play(arguments: argparse.Namespace) -> int:
    cases = select(arguments.group, arguments.match, [arguments.resp] if arguments.resp else [2, 3], arguments.edition)
    options = ("--compat", arguments.edition) if arguments.edition != "8.2" else ()
    binary = arguments.oracle or (oracles.binary(arguments.edition) if options else None)
    accepted = load_accepted(arguments.edition)
    differing: set[str] = set()

    def show(difference: Difference) -> None:
        differing.add(difference.case.id)
        print(f"{difference}\n", flush=True)

    tallies: dict[str, Tally] = {}
    for kind in dict.fromkeys(servers.kind_of(case.group) for case, _ in cases):
        some = [played for played in cases if servers.kind_of(played[0].group) == kind]
        group = some[0][0].group
        modules, own = servers.modules_of(group), servers.options_of(group)
        with (
            servers.oracle(binary, *own, modules=modules) as oracle,
            servers.emulator(arguments.subject, *options, *own, modules=modules) as subject,
        ):
            tallies |= play_all(some, Side(subject), Side(oracle), accepted, show)
    print_table(tallies)
    commands = sum(len(case.steps) for case, _ in cases)
    print(f"{len(cases)} cases, {commands} steps")
    return 1 if differing else 0


def main() -> int:
    if sys.argv[1:2] and sys.argv[1] in _PROGRAMS:
        status: int = import_module(f"conformance.{sys.argv[1]}").main(sys.argv[2:])
        return status
    parser = argparse.ArgumentParser(prog="python -m conformance", description=__doc__)
    parser.add_argument("--subject", metavar="URL", help="the server to test (default: an emulator started here)")
    parser.add_argument("--oracle", metavar="URL|PATH", help="the real server (default: the pip-installed one)")
    parser.add_argument("--edition", default="8.2", metavar="NAME", help="which server: 8.2, 8.6, 7.4, 7.2, valkey-9.1")
    parser.add_argument("--match", default="", metavar="PATTERN", help="only cases whose group/name matches")
    parser.add_argument("--group", action="append", default=[], help="only cases of a group; may be repeated")
    parser.add_argument("--resp", type=int, choices=(2, 3), help="only on one protocol")
    return play(parser.parse_args())


def run() -> int:
    try:
        return main()
    except servers.NoOracle as error:
        print(error, file=sys.stderr)
        return NO_ORACLE


if __name__ == "__main__":
    sys.exit(run())
