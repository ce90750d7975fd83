"""``python -m emulator``: a server, started and ended as redis-server is."""

from __future__ import annotations

import gc
import os
import sys
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from emulator.protocol.text import to_bytes

if TYPE_CHECKING:
    from emulator.config.directives import Config
    from emulator.rdb.errors import BadFile
    from emulator.server.config_file import StartRefused
    from emulator.server.daemon import Starter
    from emulator.server.options import ServerOptions
    from emulator.server.server import NetworkServer
    from emulator.stats.log import Log

_RESERVED_FILES = 32
_DISABLED = (
    "The user '{}' is disabled (there is no 'on' modifier in the user description). "
    "Make sure this is not a configuration error."
)


def main() -> int:
    """Run a server until it is asked to end; the exit status."""
    gc.disable()  # while everything is imported, of which nothing is garbage: it would start 5 ms later
    try:
        return _main()
    finally:
        gc.enable()


def _main() -> int:
    from emulator.server.config_file import FatalConfigError, StartRefused
    from emulator.server.options import Information, read_options

    try:
        options = read_options(sys.argv[1:], os.environ)
    except Information as information:
        (sys.stderr if information.status else sys.stdout).write(str(information))
        return information.status
    except FatalConfigError as error:
        sys.stderr.write(str(error))
        return 1
    except StartRefused as refusal:
        return _refuse(refusal)
    return _run(options)


def _refuse(refusal: StartRefused) -> int:
    from emulator.config.directives import Config
    from emulator.stats.log import Log

    log = Log(Config())
    log.attach("emulator")
    for line in refusal.args:
        log.warn(line)
    return 1


def _run(options: ServerOptions) -> int:
    from emulator import system
    from emulator.config.directives import ConfigError
    from emulator.server.daemon import go_to_background
    from emulator.sockets.rounds import run
    from emulator.stats.log import NOTICE, Log
    from emulator.version import __version__

    config = options.config
    if config.daemonize and not system.has_fork():
        sys.stderr.write(f"{system.NO_FORK}\n")
        return 1
    starter = go_to_background() if config.daemonize else None
    log = Log(config)
    log.attach("emulator", "asyncio")
    for note in options.notes:
        log.line(NOTICE, note)
    log.line(NOTICE, "oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo")
    pid = os.getpid()
    log.line(
        NOTICE,
        f"Redis version={config.edition.version}, bits=64, redis-emulator={__version__}, pid={pid}, just started",
    )
    for warning in options.warnings:
        log.warn(warning)
    log.line(NOTICE, "Configuration loaded")
    log.role = "X" if options.is_sentinel else "M"
    try:
        servers = [_new_server(each, options) for each in _configurations(options)]
    except ConfigError as error:
        log.warn(str(error))
        return 1
    _calm_the_collector()
    return run(_serve(servers, options, log, starter))


def _configurations(options: ServerOptions) -> list[Config]:
    """The configuration of the server, or of each node of the cluster."""
    if not options.cluster_nodes:
        return [options.config]
    from emulator.server.cluster import configurations

    return configurations(options.config, options.cluster_nodes)


def _new_server(config: Config, options: ServerOptions) -> NetworkServer:
    from emulator.core.engine import Engine
    from emulator.persistence.disk import Disk
    from emulator.server.server import NetworkServer

    engine = Engine(config)
    if options.cluster_nodes:
        from emulator.server.cluster import folder_of_node

        engine.persistence.folder = folder_of_node(config)
    elif not options.is_sentinel:  # which has no data: what another server keeps in the folder is none of its own
        engine.persistence.folder = Disk(config)
    server = NetworkServer(engine)
    if options.is_sentinel:
        from emulator.server.sentinel import make_sentinel  # a server that is none starts sooner without

        make_sentinel(engine, options.sentinel)
    return server


async def _serve(servers: list[NetworkServer], options: ServerOptions, log: Log, starter: Starter | None) -> int:
    """Run a server, or all nodes of a cluster, until they end; the exit status."""
    import asyncio

    from emulator.config.directives import ConfigError
    from emulator.rdb.errors import BadFile
    from emulator.stats.log import NOTICE

    _raise_file_limit(options.config, log)
    started: list[NetworkServer] = []
    try:
        for server in servers:
            if not await _start(server, options, log):
                return await _give_up(started)
            started.append(server)
        if options.cluster_nodes:
            from emulator.server.cluster import join

            join(servers, options.cluster_replicas)
        _await_signals(servers, log)
        _write_pid(options.config, log)
        log.line(NOTICE, "Server initialized")
        for server in servers:
            await server.load()
    except BadFile as error:
        await _give_up(started)
        return _refuse_data(error, log)
    except ConfigError as error:
        log.warn(str(error))
        return await _give_up(started)
    lines = [line for server in servers for line in _tell_ready(server, log)]
    if starter is not None:
        starter.ready(lines)
    await asyncio.gather(*map(_live, servers))
    _remove_files(options.config, log)
    log.warn(f"{'Sentinel' if options.is_sentinel else 'Redis'} is now ready to exit, bye bye...")
    return 0


async def _live(server: NetworkServer) -> None:
    await server.wait_closed()
    await server.stop()


async def _give_up(started: list[NetworkServer]) -> int:
    for server in started:
        await server.stop()
    return 1


async def _start(server: NetworkServer, options: ServerOptions, log: Log) -> bool:
    """Begin to listen; whether that succeeded.  Raises `BadFile` and ConfigError."""
    from emulator.stats.log import NOTICE

    config = server.config
    options.rename(server.engine.commands)
    if not _load_users(server, options, log):
        return False
    _tell_unkept(config, log)
    if not options.is_sentinel:
        _tell_where_data_go(config, log)
    log.line(NOTICE, f"Running mode={server.engine.mode}, port={config.port}.")
    if not config.unixsocket and not (config.bind and (config.port or config.tls_port)):
        log.warn("Configured to not listen anywhere, exiting.")
        return False
    try:
        await server.start()
    except OSError as error:
        log.warn(error.args[0] if len(error.args) == 1 else f"Failed listening on port {config.port} (tcp), aborting.")
        return False
    return True


def _tell_ready(server: NetworkServer, log: Log) -> list[str]:
    """Tell how clients reach a server; the lines about its other APIs."""
    from emulator.stats.log import NOTICE

    config = server.config
    for note in server.cloud.notes if server.cloud is not None else ():
        log.line(NOTICE, note)
    lines = [line for api in (server.rest, server.cloud) if api is not None for line in api.lines]
    if lines:
        log.say(*lines)
    for kind, listens in (("tcp", config.port), ("unix", config.unixsocket), ("tls", config.tls_port)):
        if listens:
            log.line(NOTICE, f"Ready to accept connections {kind}")
    return lines


def _write_pid(config: Config, log: Log) -> None:
    """Write the pid file; a server that cannot write it goes on without one."""
    if not config.pidfile:
        return
    try:
        with open(config.pidfile, "w") as file:
            file.write(f"{os.getpid()}\n")
    except OSError as error:
        log.warn(f"Failed to write PID file: {error.strerror}")


def _remove_files(config: Config, log: Log) -> None:
    from emulator.stats.log import NOTICE

    if config.pidfile:
        log.line(NOTICE, "Removing the pid file.")
        with suppress(OSError):
            os.unlink(config.pidfile)
    if config.unixsocket:
        log.line(NOTICE, "Removing the unix socket file.")


def _refuse_data(error: BadFile, log: Log) -> int:
    """The data that are kept cannot be loaded: the server ends, and leaves them as they are."""
    for line in (*error.args, "Fatal error loading the DB, check server logs. Exiting."):
        log.warn(line)
    return 1


def _raise_file_limit(config: Config, log: Log) -> None:
    """Have as many file descriptors as ``maxclients`` needs, or fewer clients."""
    from emulator.stats.log import NOTICE

    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = config.maxclients + _RESERVED_FILES
    if soft >= wanted:
        return
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    if allowed == wanted:
        log.line(NOTICE, f"Increased maximum number of open files to {wanted} (it was originally set to {soft}).")
        return
    log.warn(f"You requested maxclients of {config.maxclients} requiring at least {wanted} max file descriptors.")
    config.maxclients = max(allowed - _RESERVED_FILES, 1)
    log.warn(
        f"Current maximum open files is {allowed}. maxclients has been reduced to {config.maxclients} to compensate for low "
        "ulimit. If you need higher maxclients increase 'ulimit -n'."
    )


def _tell_where_data_go(config: Config, log: Log) -> None:
    from emulator.stats.log import NOTICE

    path = os.path.join(config.dir, config.dbfilename)
    if config.appendonly:
        folder = os.path.join(config.dir, config.appenddirname)
        log.line(NOTICE, f"Data are kept in {folder}: every change, as appendfsync {config.appendfsync} has it")
    elif config.save:
        points = ", ".join(f"{changes} changes in {seconds} seconds" for seconds, changes in config.save)
        log.line(NOTICE, f"Data are kept in {path}: saved at the end and after {points} (--save '' for none)")
    else:
        log.line(NOTICE, f"Data are gone when the server ends, but for what is saved on demand in {path}")


def _tell_unkept(config: Config, log: Log) -> None:
    """Warn of what the configuration asks for without effect, now and whenever it comes to ask for it."""
    from emulator.config.unkept import REASONS, warning, warnings

    def tell(name: str) -> None:
        line = warning(config, name)
        if line is not None:
            log.warn(line)

    for line in warnings(config):
        log.warn(line)
    for name in REASONS:
        config.on_change(name, partial(tell, name))


def _load_users(server: NetworkServer, options: ServerOptions, log: Log) -> bool:
    """Enter the users of the configuration file or of the ACL file; whether all was well."""
    from emulator.protocol.errors import CommandError
    from emulator.stats.log import NOTICE

    acl, path = server.engine.acl, server.config.aclfile
    if options.users and path:
        log.warn(
            "Configuring Redis with users defined in redis.conf and at the same setting an ACL file path is invalid. This "
            "setup is very likely to lead to configuration errors and security holes, please define either an ACL file or "
            "declare users directly in your redis.conf, but not both."
        )
        return False
    try:
        acl.declare([[to_bytes(word) for word in words] for words in options.users])
    except CommandError as error:
        log.warn(str(error))
        log.warn("Critical error while loading ACLs. Exiting.")
        return False
    for name, *_ in options.users:
        if not acl.table[to_bytes(name)].enabled:
            log.line(NOTICE, _DISABLED.format(name))
    try:
        if path:
            acl.load()
    except CommandError as error:
        log.warn(f"Aborting Redis startup because of ACL errors: {str(error).removeprefix('ERR ')}")
        return False
    acl.started()
    return True


def _await_signals(servers: list[NetworkServer], log: Log) -> None:
    """SIGINT and SIGTERM end the servers in good order; a second one at once.

    A thread hears them, since Python's own handlers wait while a script is within one function of Lua for long.
    """
    import signal
    import socket
    from threading import Thread

    asked: list[int] = []
    options = {
        signal.SIGINT: servers[0].config.directives["shutdown-on-sigint"].attribute,
        signal.SIGTERM: servers[0].config.directives["shutdown-on-sigterm"].attribute,
    }

    def end(number: int) -> None:
        if asked:
            log.signal("You insist... exiting now.")
            os._exit(1)
        asked.append(number)
        log.signal(f"Received {signal.Signals(number).name} scheduling shutdown...")
        chosen = getattr(servers[0].config, options[signal.Signals(number)]).split()
        save = True if "save" in chosen else False if "nosave" in chosen else None
        for server in servers:
            server.loop.call_soon_threadsafe(server.end_when_quiet, save, "force" in chosen, asked.clear)

    ear, mouth = socket.socketpair()
    mouth.setblocking(False)

    def hear() -> None:
        while number := ear.recv(1):
            if number[0] in options:
                end(number[0])

    has_thread = sys.platform != "win32"  # there asyncio is told of all signals
    for number in options:
        signal.signal(number, lambda number, frame: None if has_thread else end(number))
    if has_thread:
        signal.set_wakeup_fd(mouth.detach(), warn_on_full_buffer=False)
        Thread(target=hear, name="signals", daemon=True).start()
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)


def _calm_the_collector() -> None:
    """Leave the full collections of cyclic garbage out: with a million keys each would stop the server for a quarter of
    a second, and the server's own structures have no cycles that outlive clients and values."""
    gc.freeze()
    gc.set_threshold(5_000, 4, 1_000_000)
    gc.enable()


if __name__ == "__main__":
    sys.exit(main())
