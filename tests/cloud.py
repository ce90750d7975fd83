"""A bare client of the management API."""

import base64
import json
from contextlib import contextmanager

from tests.rest import Rest

EMAIL, KEY, READING = "me@example.com", "secret", "looking"
SETTINGS = {
    "rest_port": "auto",
    "cloud_port": "auto",
    "cloud_account": f"{EMAIL}:{KEY}",
    "cloud_readonly_key": READING,
}
"""What `emulator.Server` takes to have a management API."""
NEW = {"database_name": "MyRedis", "platform": "aws", "primary_region": "us-east-1", "read_regions": ["us-east-2"]}


class Management(Rest):
    """Requests to the management API of a server."""

    def __init__(self, url, key=KEY, email=EMAIL):
        super().__init__(url, None)
        self.authorization = "Basic " + base64.b64encode(f"{email}:{key}".encode()).decode()

    def __call__(self, method, path, body=None, headers=()):
        """Status and JSON; the path without the version."""
        sent = {"Authorization": self.authorization, **dict(headers)}
        data = body if body is None or isinstance(body, bytes) else json.dumps(body)
        status, answer, _ = self.request(method, f"/v2/{path}", data, sent)
        return status, json.loads(answer)

    def ok(self, method, path, body=None):
        """The JSON of what has succeeded."""
        status, found = self(method, path, body)
        assert status == 200, found
        return found

    def create(self, **fields):
        """A new database."""
        return self.ok("POST", "redis/database", NEW | fields)


@contextmanager
def managed(server):
    """The management API of a server, whose databases are gone afterwards."""
    cloud = Management(server.cloud_url)
    yield cloud
    for database in cloud.ok("GET", "redis/databases"):
        cloud.ok("DELETE", f"redis/database/{database['database_id']}")
