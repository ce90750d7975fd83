"""@upstash/redis in a page of another origin, in headless Chromium."""

import hashlib
import html
import json
import re
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
    "--disable-component-update --disable-sync --virtual-time-budget=20000 --timeout=20000"
).split()


@pytest.fixture(scope="module")
def chromium():
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("needs Chromium")
    return program


@pytest.fixture
def serve():
    """Serves a text as a page on an origin of its own."""
    servers = []

    def start(text):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *args):
                """Nobody wants to know."""

        server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_the_sdk_across_origins(chromium, serve, tmp_path):
    folder = node.install(tmp_path, "@upstash/redis@1.39.0", "esbuild@0.25")
    shutil.copy(PAGE, folder)
    subprocess.run(
        ["npx", "esbuild", "page.mjs", "--bundle", "--outfile=bundle.js"], cwd=folder, check=True, capture_output=True
    )
    with emulator.Server(rest_port="auto", rest_token=TOKEN) as server:
        script = (folder / "bundle.js").read_text().replace("</script>", "<\\/script>")
        text = (
            f'<!doctype html><body data-url="{server.rest_url}" data-token="{TOKEN}"><script>{script}</script></body>'
        )
        done = subprocess.run(
            [chromium, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", serve(text)],
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
    found = re.search(r"<body[^>]*>(.*)</body>", done.stdout, re.DOTALL)
    assert found is not None, done.stderr[-2000:]
    answers = json.loads(html.unescape(found[1]))
    assert answers[:7] == [True, "OK", {"a": "😀"}, [2, 1, {"f": "v"}], 1, True, {"hello": "page"}], answers
    digest = hashlib.sha1(b"return redis.call('INCRBY', KEYS[1], ARGV[1])").hexdigest()
    assert answers[7] == [2, 5, digest, [1]]
    assert answers[8].startswith("WRONGPASS invalid or missing auth token")
