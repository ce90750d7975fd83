"""Ctrl-C ends every wait of redis-cli's prompt, also where it comes just before the system begins to wait."""

import subprocess
import sys

import pytest

# A signal that another thread takes wakes no call of the main one, as one that comes before the call does not.
PROGRAM = """
import signal, socket, sys, threading
from emulator.cli.connection import ServerConnection
from emulator.cli.interrupt import raise_at_ctrl_c, readable
from emulator.cli.options import ClientOptions

def wait(what):
    taker = threading.Thread(target=signal.raise_signal, args=(signal.SIGINT,))
    try:
        taker.start()
        what()
    except KeyboardInterrupt:
        print("interrupted")
    taker.join()

listener = socket.create_server(("127.0.0.1", 0))
options = ClientOptions()
options.port = listener.getsockname()[1]
connection = ServerConnection(options)
peer, _ = listener.accept()
raise_at_ctrl_c()
"""


@pytest.mark.parametrize(
    "lines",
    [
        "wait(lambda: readable([connection]))",
        "wait(connection.reply)",
        "peer.sendall(b'*2\\r\\n$1\\r\\n'); wait(connection.reply)",
        "wait(connection.reply); wait(connection.reply)",
        "wait(connection.reply); peer.sendall(b'+PONG\\r\\n'); print(connection.reply())",
    ],
)
def test_a_wait_ends_for_a_signal_that_did_not_wake_it(lines):
    done = subprocess.run([sys.executable, "-c", PROGRAM + lines], capture_output=True, text=True, timeout=60)
    said = {"wait": "interrupted", "print": "b'PONG'"}
    assert done.stdout.splitlines() == [said[word] for word in lines.replace("(", " ").split() if word in said]
    assert (done.returncode, done.stderr) == (0, "")
