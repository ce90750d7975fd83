"""A soak of the in-process client: scripts and blocked reads by the hundred thousand, with memory and CPU time at rest.

Scripts that are all different, scripts that are all the same, and reads that block until another thread, or another task of
the same loop, has something for them.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from conformance.bench.client import Failed
from conformance.bench.program import figures_of

_MOST_GROWTH = 1 << 20
_MOST_CPU_MS_A_SECOND = 0.2

_PROGRAM = """
import asyncio, gc, itertools, json, os, queue, sys, threading, time
import emulator

count, rest = int(sys.argv[1]), float(sys.argv[2])
local = emulator.Local()
client = local.connect()
numbers = itertools.count()


def same_scripts(n):
    for number in range(n):
        client.eval("return redis.call('incr', KEYS[1])", 1, "counter")


def different_scripts(n):
    for _ in range(n):
        client.eval(f"return {next(numbers)} + redis.call('incr', KEYS[1])", 1, "counter")


def blocked_reads(n):
    reader, taken = local.connect(), queue.SimpleQueue()
    def read():
        for _ in range(n):
            taken.put(reader.blpop("list", 0))
    thread = threading.Thread(target=read)
    thread.start()
    for number in range(n):
        client.rpush("list", number)
        taken.get()
    thread.join()
    reader.close()


def asynchronous_reads(n):
    async def scenario():
        async with local.aconnect() as reader, local.aconnect() as writer:
            for number in range(n):
                reading = asyncio.ensure_future(reader.blpop("list", 0))
                await asyncio.sleep(0)
                await writer.rpush("list", number)
                await reading
    asyncio.run(scenario())


def resident():
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


figures = {}
for work in (same_scripts, different_scripts, blocked_reads, asynchronous_reads):
    work(count // 10)
    started, memory = time.perf_counter(), [resident()]
    for _ in range(10):
        work(count // 10)
        memory.append(resident())
    figures[work.__name__] = {"us_each": (time.perf_counter() - started) / count * 1e6, "memory": memory}

waiting = threading.Thread(target=lambda: local.connect(socket_timeout=None).blpop("list", 0), daemon=True)
waiting.start()
time.sleep(0.2)
used = time.process_time()
time.sleep(rest)
figures["rest"] = {"cpu_ms_a_second": (time.process_time() - used) * 1000 / rest}
client.rpush("list", "end")
waiting.join()
print(json.dumps(figures))
"""


def run(options: argparse.Namespace) -> dict[str, Any]:
    if not Path("/proc/self/statm").exists():
        print("no /proc on this system: left out")
        return {}
    count, rest = (200, 0.2) if options.smoke else (100_000, 5.0)
    figures = figures_of(_PROGRAM, count, rest)
    for name, found in figures.items():
        if name == "rest":
            print(f"at rest, with a client that waits: {found['cpu_ms_a_second']:.2f} ms of CPU time a second")
        else:
            tenths = " ".join(f"{amount / (1 << 20):.1f}" for amount in found["memory"])
            print(
                f"{count} {name.replace('_', ' ')}: {found['us_each']:.0f} us each; MiB before and by tenths {tenths}"
            )
    if not options.smoke:
        if any(
            found["memory"][-1] - found["memory"][0] > _MOST_GROWTH for name, found in figures.items() if name != "rest"
        ):
            raise Failed(f"memory grew by more than {_MOST_GROWTH >> 20} MiB in {count} calls")
        if figures["rest"]["cpu_ms_a_second"] > _MOST_CPU_MS_A_SECOND:
            raise Failed("something works while nothing is asked for")
    return figures
