"""The LATENCY commands; `emulator.stats.latency` collects the figures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from emulator.protocol.errors import CommandError, as_text
from emulator.protocol.replies import Reply, Verbatim
from emulator.protocol.text import to_bytes
from emulator.stats.latency import Event, graph
from emulator.table.lookup import by_full_name
from emulator.table.registry import command, container, every_command

if TYPE_CHECKING:
    from emulator.clients.session import Session
    from emulator.table.registry import Command, Commands

_FLAGS = "admin noscript loading stale"
_FOR_EACH_NODE = "nondeterministic_output request_policy:all_nodes response_policy:special"

container("latency", group="server", since="2.8.13", acl="", help_since="2.8.13", help_acl="")


@command(
    "server", container="latency", since="2.8.13", flags=_FLAGS, tips=_FOR_EACH_NODE, complexity="O(N) for N events"
)
def latency_latest(client: Session) -> list[Reply]:
    """Returns the latest and the greatest latency of each event, and in Valkey their sum and number."""
    in_all = client.engine.config.edition.is_valkey
    return [
        [name, *event.samples[-1], event.worst, *((event.total, event.count) if in_all else ())]
        for name, event in client.engine.latency.events.items()
    ]


@command("server", container="latency", since="2.8.13", flags=_FLAGS, tips=_FOR_EACH_NODE, complexity="O(1)")
def latency_history(client: Session, event: bytes) -> list[Reply]:
    """Returns the latencies of an event with their times, oldest first."""
    found = client.engine.latency.events.get(event)
    return [list(sample) for sample in found.samples] if found else []


@command(
    "server",
    container="latency",
    since="2.8.13",
    flags=_FLAGS,
    tips="request_policy:all_nodes response_policy:agg_sum",
    complexity="O(N) for N events",
)
def latency_reset(client: Session, *events: bytes) -> int:
    """Clears the latencies of some or all events; returns how many events had any."""
    latency = client.engine.latency
    return latency.forget(events or list(latency.events))


@command("server", container="latency", since="2.8.13", flags=_FLAGS, tips=_FOR_EACH_NODE, complexity="O(1)")
def latency_graph(client: Session, event: bytes) -> Verbatim:
    """Returns a graph of the latencies of an event."""
    found = client.engine.latency.events.get(event)
    if found is None:
        raise CommandError(f"ERR No samples available for event '{as_text(event)}'")
    taken = [millis for _, millis in found.samples]
    head = f"{as_text(event)} - high {max(taken)} ms, low {min(taken)} ms (all time high {found.worst} ms)"
    lines = [head, "-" * 80, *graph(found, client.engine.clock.now // 1000), ""]
    return Verbatim(to_bytes("\n".join(lines)))


@command(
    "server", container="latency", since="2.8.13", flags=_FLAGS, tips=_FOR_EACH_NODE, complexity="O(N) for N events"
)
def latency_doctor(client: Session) -> Verbatim:
    """Returns a report on latencies, with advice."""
    if not client.engine.config.latency_monitor_threshold:
        advice = "Latency is not monitored: CONFIG SET latency-monitor-threshold <milliseconds> switches that on.\n"
        return Verbatim(advice.encode())
    if not client.engine.latency.events:
        return Verbatim(b"Nothing has taken longer than latency-monitor-threshold so far.\n")
    return Verbatim(to_bytes("\n".join(_report(client))))


def _report(client: Session) -> Iterator[str]:
    config = client.engine.config
    yield "Some events took longer than latency-monitor-threshold:\n"
    for number, (name, event) in enumerate(client.engine.latency.events.items(), 1):
        yield f"{number}. {as_text(name)}: {_figures(event)}"
    yield "\nWhat may help:\n"
    log_from = config.slowlog_log_slower_than
    if not 0 <= log_from <= config.latency_monitor_threshold * 1000:
        micros = config.latency_monitor_threshold * 1000
        yield f"- Let the slow log show the same commands: CONFIG SET slowlog-log-slower-than {micros}."
    yield "- SLOWLOG GET tells which commands took long; look for those that visit whole collections."
    yield "- Deleting a large value takes its time: make several smaller ones of it.\n"


def _figures(event: Event) -> str:
    taken = [millis for _, millis in event.samples]
    mean = sum(taken) / len(taken)
    deviation = sum(abs(millis - mean) for millis in taken) / len(taken)
    gaps = [after - before for (before, _), (after, _) in pairwise(event.samples)]
    period = f", one each {sum(gaps) / len(gaps):.2f} seconds" if gaps else ""
    average = f"{mean:.0f} ms on average (mean deviation {deviation:.0f} ms)"
    return f"{len(taken)} samples, {average}{period}, worst {event.worst} ms."


@command(
    "server",
    container="latency",
    since="7.0.0",
    flags=_FLAGS,
    tips=_FOR_EACH_NODE,
    complexity="O(N) for N commands",
)
def latency_histogram(client: Session, *commands: bytes) -> dict[bytes, Reply]:
    """Returns the distribution of the latencies of commands, in powers of two of microseconds."""
    client.engine.count_durations()
    return {
        entry.full_name: {b"calls": entry.durations.tracked, b"histogram_usec": entry.durations.by_powers()}
        for entry in _named(client.engine.commands, commands)
        if entry.durations.buckets
    }


def _named(table: Commands, names: Iterable[bytes]) -> Iterator[Command]:
    """Yield the named commands (``config|get`` is a name too) with the sub-commands of containers; without names, all."""
    if not names:
        yield from every_command(table)
    for name in names:
        entry = by_full_name(table, name)
        if entry is not None:
            yield entry
            yield from entry.subcommands.values()
