"""``python -m emulator.rest --upstream redis://…``: the REST API over a Redis, or a Redis Cluster, that runs elsewhere."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Sequence

_TOKEN = "UPSTASH_REDIS_REST_TOKEN"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m emulator.rest", description=__doc__)
    parser.add_argument(
        "--upstream",
        required=True,
        metavar="URL",
        help="redis://, rediss://, unix://, redis+sentinel://host:port[,...]/service or redis+cluster://host:port[,...]",
    )
    parser.add_argument("--rest-port", type=int, default=8079, metavar="PORT", help="8079; 0 takes a free one")
    parser.add_argument("--rest-bind", default="127.0.0.1 -::1", metavar="ADDRESSES", help="127.0.0.1 and ::1")
    parser.add_argument("--rest-token", default="", metavar="TOKEN", help=f"that of {_TOKEN}, or a random one")
    parser.add_argument("--rest-readonly-token", default="", metavar="TOKEN", help="lets its bearer read")
    return parser


def main(arguments: Sequence[str]) -> int:
    """Serve until a signal comes; the exit status."""
    options = _parser().parse_args(arguments)
    try:
        from emulator.rest.gateway import GatewayDatabase
        from emulator.rest.server import RestServer
        from emulator.rest.tokens import random_token
        from emulator.rest.upstream import upstream_of
    except ModuleNotFoundError as error:
        if error.name not in ("h11", "redis"):
            raise
        sys.stderr.write("The gateway needs h11 and redis-py: pip install h11 redis\n")
        return 1
    token = options.rest_token or os.environ.get(_TOKEN) or random_token()

    async def serve() -> int:
        database = GatewayDatabase(upstream_of(options.upstream), token, options.rest_readonly_token)
        server = RestServer([database], options.rest_port, options.rest_bind, token)
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):  # not the loop's own way, which Windows lacks
            signal.signal(number, lambda *signalled: loop.call_soon_threadsafe(ended.set))
        await server.start()
        print(*server.lines, sep="\n", flush=True)
        await ended.wait()
        await server.stop()
        return 0

    try:
        return asyncio.run(serve())
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
