"""Servers of the emulator as forks of one process that has imported it.

To start Python and to import all that a server needs takes 0.12 s of CPU time, and the tests start hundreds of servers.  How
one begins from the command line is for those to test that start processes of their own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from multiprocessing import get_context
from multiprocessing.context import ForkServerProcess

from conformance import servers
from emulator.__main__ import main

_COMMAND = [sys.executable, "-m", "emulator"]
_IMPORTED = """
    emulator.cluster.state emulator.core.engine emulator.persistence.disk emulator.server.daemon emulator.server.options
    emulator.server.server emulator.sockets.rounds
    """
_context = get_context("forkserver")
_context.set_forkserver_preload([__name__, *_IMPORTED.split()])
_by_itself = servers.begin


class Fork(subprocess.Popen[bytes]):
    """A process that is no child of ours, and whose parent tells how it ends."""

    def __init__(self, process: ForkServerProcess) -> None:
        assert process.pid is not None
        self._process = process
        self.args = _COMMAND
        self.pid = process.pid
        self.returncode = None

    def poll(self) -> int | None:
        self.returncode = self._process.exitcode
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        status = self.poll()
        if status is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
        return status


def begin(command: Sequence[str], folder: str, log: str) -> subprocess.Popen[bytes]:
    """As `servers.begin`: a server of the emulator as a fork, another program by itself."""
    if command[:3] != _COMMAND:
        return _by_itself(command, folder, log)
    open(log, "wb").close()
    process = _context.Process(target=_run, args=(command[2:], folder, log, servers.environment()), daemon=True)
    process.start()
    return Fork(process)


def _run(arguments: Sequence[str], folder: str, log: str, environment: dict[str, str]) -> None:
    """Be what ``python -m`` makes of these arguments."""
    sys.argv[:] = arguments
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    output = os.open(log, os.O_WRONLY | os.O_APPEND)
    for standard in (1, 2):
        os.dup2(output, standard)
    os.close(output)
    sys.exit(main())
