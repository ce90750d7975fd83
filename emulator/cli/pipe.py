"""``--pipe``: what comes on standard input is sent as it is, and the replies are counted."""

from __future__ import annotations

import os
import select
import sys
import threading
import time

from emulator.cli.connection import Lost, ServerConnection
from emulator.cli.conversation import Conversation
from emulator.cli.formatting import text_of
from emulator.protocol.client_side import encoded
from emulator.protocol.errors import CommandError
from emulator.protocol.replies import Push

_PIECE = 1 << 16
_LOOK_AGAIN = 0.1


def pipe(conversation: Conversation) -> int:
    """Send and count; 1 where a reply is an error or fails to come.

    Another thread sends, so that the server never waits for us to read.  The last command is an ECHO of what nobody else
    would send: its reply is the end.
    """
    connection = conversation.connection
    assert connection is not None
    mark = os.urandom(10).hex().encode()
    sent = threading.Event()
    threading.Thread(target=_send, args=(conversation, connection, mark, sent), daemon=True).start()
    replies = errors = 0
    last = time.monotonic()
    while True:
        if not connection.buffered and not select.select([connection], [], [], _LOOK_AGAIN)[0]:
            patience = conversation.options.pipe_timeout
            if not sent.is_set():
                last = time.monotonic()
            elif patience and time.monotonic() - last > patience:
                sys.stderr.write(f"No replies for {patience} seconds: exiting.\n")
                errors += 1
                break
            continue
        reply = connection.reply()
        last = time.monotonic()
        if reply == mark:
            conversation.write(b"Last reply received from server.\n")
            break
        if isinstance(reply, Push):
            continue
        replies += 1
        if isinstance(reply, CommandError):
            errors += 1
            sys.stderr.write(text_of(reply).decode("utf-8", "replace") + "\n")
    conversation.write(f"errors: {errors}, replies: {replies}\n".encode())
    return 1 if errors else 0


def _send(conversation: Conversation, connection: ServerConnection, mark: bytes, sent: threading.Event) -> None:
    try:
        while data := os.read(0, _PIECE):
            connection.send(data)
        conversation.write(b"All data transferred. Waiting for the last reply...\n")
        connection.send(b"\r\n" + encoded([b"ECHO", mark]))
    except Lost:
        return  # who reads hears it too
    sent.set()
