"""Processes of Python as forks of one that has imported what most of them need.

A server of the emulator takes 0.13 s of CPU time to start, nine tenths of it to start Python and to import all; a run of
pytest with the plugin 0.5 s, a third of it to import pytest.  The tests start hundreds of servers and dozens of pytests.  How
a program begins from the command line is for those to test that start processes of their own.
"""

from __future__ import annotations

import gc
import os
import runpy
import subprocess
import sys
from collections.abc import Callable, Sequence
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from typing import Any

from conformance import servers

_COMMAND = [sys.executable, "-m", "emulator"]
_IMPORTED = """
    emulator.cluster.state emulator.core.engine emulator.persistence.disk emulator.server.daemon emulator.server.options
    emulator.server.server emulator.sockets.rounds pytest
    """
_OURS = ("conformance", "emulator", "tests")
FORKS = hasattr(os, "fork")
"""Whether there are forks here: on Windows each Python begins by itself."""
_context: Any = get_context("forkserver" if FORKS else "spawn")
if FORKS:
    _context.set_forkserver_preload([__name__, *_IMPORTED.split()])
_by_itself = servers.begin


class Fork(subprocess.Popen[bytes]):
    """A process that is no child of ours, and whose parent tells how it ends."""

    def __init__(self, process: BaseProcess) -> None:
        assert process.pid is not None
        self._process = process
        self.args = process.name
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


def begin_server(command: Sequence[str], folder: str, log: str) -> subprocess.Popen[bytes]:
    """As `servers.begin`: a server of the emulator as a fork, another program by itself."""
    if command[:3] != _COMMAND:
        return _by_itself(command, folder, log)
    return _begin(_run, command[2:], folder, log, servers.environment())


def begin_module(arguments: Sequence[str], folder: str, log: str, environment: dict[str, str]) -> Fork:
    """As ``python -m`` with these arguments: nothing of ours has been imported yet."""
    return _begin(_run_anew, arguments, folder, log, environment)


def _begin(
    run: Callable[..., None], arguments: Sequence[str], folder: str, log: str, environment: dict[str, str]
) -> Fork:
    open(log, "wb").close()  # whoever reads it need not wait until it is there
    process = _context.Process(target=run, name=arguments[0], args=(arguments, folder, log, environment), daemon=True)
    process.start()
    return Fork(process)


def _run(arguments: Sequence[str], folder: str, log: str, environment: dict[str, str]) -> None:
    gc.freeze()  # to walk through what has been imported costs a run of pytest 0.05 s
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    output = os.open(log, os.O_WRONLY | os.O_APPEND)
    for standard in (1, 2):
        os.dup2(output, standard)
    os.close(output)
    sys.argv[:] = arguments
    sys.path.insert(0, folder)
    runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)


def _run_anew(*parts: Any) -> None:
    for name in list(sys.modules):
        if name.partition(".")[0] in _OURS:
            del sys.modules[name]
    _run(*parts)
