"""@upstash/redis in a page of another origin, in headless Chromium."""

import contextlib
import hashlib
import json
import queue
import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

import emulator
from tests import node
from tests.rest import TOKEN

pytest.importorskip("h11")

PAGE = Path(__file__).parent / "upstash" / "page.mjs"
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
PATIENCE = 90
"""Seconds for Chromium to start, on a machine that has other things to do."""


@pytest.fixture(scope="module")
def chromium():
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("needs Chromium")
    return program


class Page:
    """A text as a page on an origin of its own; ``told`` is what the page posts there."""

    def __init__(self, text):
        told = self.told = queue.SimpleQueue()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.answer(text.encode())

            def do_POST(self):
                told.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.answer(b"")

            def answer(self, body):
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                """Nobody wants to know."""

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/"

    def close(self):
        self._server.shutdown()
        self._server.server_close()


def test_the_sdk_across_origins(chromium, tmp_path):
    folder = node.install(tmp_path, "@upstash/redis@1.39.0", "esbuild@0.25")
    shutil.copy(PAGE, folder)
    subprocess.run(
        ["npx", "esbuild", "page.mjs", "--bundle", "--outfile=bundle.js"], cwd=folder, check=True, capture_output=True
    )
    script = (folder / "bundle.js").read_text().replace("</script>", "<\\/script>")
    with emulator.Server(rest_port="auto", rest_token=TOKEN) as server:
        body = f'<body data-url="{server.rest_url}" data-token="{TOKEN}"><script>{script}</script></body>'
        with (
            contextlib.closing(Page(f"<!doctype html>{body}")) as page,
            (tmp_path / "log").open("w") as log,
            subprocess.Popen(
                [chromium, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", page.url], stdout=log, stderr=log
            ) as browser,
        ):
            try:
                answers = page.told.get(timeout=PATIENCE)
            except queue.Empty:
                pytest.fail((tmp_path / "log").read_text()[-2000:])
            finally:
                browser.kill()
    assert answers[:7] == [True, "OK", {"a": "😀"}, [2, 1, {"f": "v"}], 1, True, {"hello": "page"}], answers
    digest = hashlib.sha1(b"return redis.call('INCRBY', KEYS[1], ARGV[1])").hexdigest()
    assert answers[7] == [2, 5, digest, [1]]
    assert answers[8].startswith("WRONGPASS invalid or missing auth token")
