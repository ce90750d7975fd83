"""A bare HTTP client for tests of the REST API."""

import http.client
import json
import socket
import subprocess
import sys
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

TOKEN = "dev"
WAYS = ["engine", pytest.param("gateway", marks=pytest.mark.slow)]
"""Where the REST API is: in the process of the engine, or in one of its own that is a gateway."""


@contextmanager
def gateway(upstream, *arguments):
    """The URL of a gateway to a Redis."""
    program = [sys.executable, "-m", "emulator.rest", "--upstream", upstream, "--rest-port", "0", "--rest-token", TOKEN]
    process = subprocess.Popen([*program, *arguments], stdout=subprocess.PIPE, text=True)
    try:
        yield process.stdout.readline().strip().partition("=")[2]
    finally:
        process.terminate()
        assert process.wait(20) == 0
        process.stdout.close()


class Rest:
    """Requests to a URL, each on a connection of its own; `token` None sends none."""

    def __init__(self, url, token=TOKEN):
        parts = urlsplit(url)
        self.host, self.port, self.token = parts.hostname, parts.port, token

    def request(self, method, path, body=None, headers=()):
        """Status, body and headers."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=60)
        sent = dict(headers)
        if self.token is not None:
            sent.setdefault("Authorization", f"Bearer {self.token}")
        connection.request(method, path, body, sent)
        answer = connection.getresponse()
        found = answer.status, answer.read(), {name.lower(): value for name, value in answer.getheaders()}
        connection.close()
        return found

    def __call__(self, *words, **headers):
        """Status and JSON of a command, or with a list of commands of a pipeline."""
        is_pipeline = len(words) == 1 and isinstance(words[0], list)
        path, body = ("/pipeline", words[0]) if is_pipeline else ("/", list(words))
        return self.post(path, json.dumps(body), headers)

    def post(self, path, body=b"", headers=()):
        """Status and JSON."""
        sent = {name.replace("_", "-"): value for name, value in dict(headers).items()}
        status, answer, _ = self.request("POST", path, body, sent)
        return status, json.loads(answer)

    @contextmanager
    def raw(self):
        """A socket."""
        with socket.create_connection((self.host, self.port), 10) as connection:
            yield connection

    @contextmanager
    def events(self, path, method="POST", token=None):
        """The lines of an endless answer, its head first."""
        with self.raw() as connection:
            head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token or self.token}\r\n"
            connection.sendall(f"{head}Accept: text/event-stream\r\nContent-Length: 2\r\n\r\n[]".encode())
            with connection.makefile("rb") as file:
                yield Events(file)


class Events:
    """What is read of a stream: its head, then event after event."""

    def __init__(self, file):
        self._file = file
        self._unread = b""
        self.status = int(file.readline().split()[1])
        self.headers = {}
        while (line := file.readline().strip()) != b"":
            name, _, value = line.partition(b": ")
            self.headers[name.decode().lower()] = value.decode()

    def next(self):
        """The next event with the empty line after it, None at the end."""
        while b"\n\n" not in self._unread:
            size = int(self._file.readline(), 16)
            self._unread += self._file.read(size)
            self._file.readline()
            if not size:
                return None
        found, _, self._unread = self._unread.partition(b"\n\n")
        return found + b"\n\n"
