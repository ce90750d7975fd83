"""TLS: with and without certificates of clients, together with plain TCP, renewed while the server runs."""

import socket
import ssl
import urllib.request

import pytest
import redis
import trustme

import emulator
from conformance.servers import free_port
from emulator.sockets.tls_transport import TlsTransport
from tests.test_cli import OURS, find_redis_cli, run
from tests.test_main import port_of, process, running
from tests.waiting import all_gone, until


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture
def files(authority, tmp_path):
    """Paths of the authority's certificate, of the server's certificate and of its key."""
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return write(authority.issue_cert("localhost", "127.0.0.1"), tmp_path, "server") | {"ca": str(tmp_path / "ca.pem")}


def write(certificate, folder, name):
    certificate.private_key_pem.write_to_path(folder / f"{name}.key")
    certificate.cert_chain_pems[0].write_to_path(folder / f"{name}.pem")
    return {"cert": str(folder / f"{name}.pem"), "key": str(folder / f"{name}.key")}


def options(files, port, *more):
    pairs = ("--tls-port", str(port), "--tls-cert-file", files["cert"], "--tls-key-file", files["key"])
    return (*pairs, "--tls-ca-cert-file", files["ca"], "--save", "", *more)


def connect(files, port, client=None, **settings):
    own = {"ssl_certfile": client["cert"], "ssl_keyfile": client["key"]} if client else {}
    return redis.Redis("localhost", port, ssl=True, ssl_ca_certs=files["ca"], **own, **settings)


@pytest.mark.parametrize("protocol", [2, 3])
def test_only_tls_and_no_certificate_asked_for(files, protocol):
    port = free_port()
    with running(*options(files, port, "--port", "0", "--tls-auth-clients", "no")):
        with connect(files, port, protocol=protocol) as client:
            assert client.set("k", b"x" * 1_000_000)
            assert client.get("k") == b"x" * 1_000_000
            assert client.pipeline().incr("n").incr("n").execute() == [1, 2]
            assert client.blpop(["none"], 0.01) is None
        with pytest.raises(redis.ConnectionError):
            redis.Redis("localhost", port, socket_timeout=2, retry=None).ping()


def test_clients_must_show_a_certificate_of_the_authority(authority, files, tmp_path):
    port = free_port()
    client = write(authority.issue_cert("client"), tmp_path, "client")
    stranger = write(trustme.CA().issue_cert("client"), tmp_path, "stranger")
    with running(*options(files, port, "--port", "auto")) as (_, lines):
        assert connect(files, port, client).ping()
        for unwelcome in (None, stranger):
            with pytest.raises((redis.ConnectionError, ssl.SSLError)):
                connect(files, port, unwelcome, retry=None).ping()
        assert redis.Redis(port=port_of(lines)).ping()


def test_a_certificate_may_be_optional_but_not_false(authority, files, tmp_path):
    port = free_port()
    stranger = write(trustme.CA().issue_cert("client"), tmp_path, "stranger")
    with running(*options(files, port, "--port", "0", "--tls-auth-clients", "optional")):
        assert connect(files, port).ping()
        with pytest.raises((redis.ConnectionError, ssl.SSLError)):
            connect(files, port, stranger, retry=None).ping()


def test_certificates_are_renewed_and_a_bad_one_is_refused(files, tmp_path):
    port = free_port()
    later = trustme.CA()
    later.cert_pem.write_to_path(tmp_path / "later-ca.pem")
    renewed = write(later.issue_cert("localhost"), tmp_path, "renewed")
    with running(*options(files, port, "--port", "0", "--tls-auth-clients", "no")), connect(files, port) as client:
        with pytest.raises(redis.ResponseError, match="Unable to update TLS configuration"):
            client.config_set("tls-cert-file", "/nowhere/at/all")
        assert connect(files, port).ping()
        client.config_set("tls-cert-file", renewed["cert"], "tls-key-file", renewed["key"])
        assert client.ping()
        assert connect(files | {"ca": str(tmp_path / "later-ca.pem")}, port).ping()


def test_protocol_versions(files):
    port = free_port()
    with running(*options(files, port, "--port", "0", "--tls-auth-clients", "no", "--tls-protocols", "TLSv1.2")):
        assert connect(files, port, ssl_min_version=ssl.TLSVersion.TLSv1_2).ping()
        with pytest.raises(redis.ConnectionError):
            connect(files, port, ssl_min_version=ssl.TLSVersion.TLSv1_3, retry=None).ping()


@pytest.mark.parametrize(
    ("missing", "told"),
    [
        ("--tls-cert-file", "No tls-cert-file configured!"),
        ("--tls-key-file", "No tls-key-file configured!"),
        ("--tls-ca-cert-file", "Either tls-ca-cert-file or tls-ca-cert-dir must be specified"),
    ],
)
def test_what_is_missing_ends_the_start(files, missing, told):
    words = list(options(files, free_port(), "--port", "0"))
    place = words.index(missing)
    server = process(*words[:place], *words[place + 2 :])
    output, _ = server.communicate(timeout=60)
    assert server.returncode == 1
    assert told in output and "# Failed to configure TLS. Check logs for more info." in output


def test_redis_cli_speaks_it_as_the_real_one(authority, files, tmp_path):
    port = free_port()
    client = write(authority.issue_cert("client"), tmp_path, "client")
    own = f"--cert {client['cert']} --key {client['key']}"
    calls = {
        f"-p {port} --tls --cacert {files['ca']} {own} ping": 0,
        f"-u rediss://localhost:{port}/3 --cacert {files['ca']} {own} --sni localhost set k v": 0,
        f"-p {port} --tls --insecure {own} ping": 0,
        f"-p {port} --tls {own} ping": 1,
        f"-p {port} --tls --cacert /nonexistent {own} ping": 1,
        f"-p {port} --tls --cacert {files['ca']} --cert /nonexistent --key /nonexistent ping": 1,
        f"-p {port} --tls --cacert {files['ca']} --cert {client['cert']} --key /nonexistent ping": 1,
        f"-p {port} --tls --cacert {client['key']} ping": 1,
        f"-p {port} --tls --insecure --tls-ciphers nosuch ping": 1,
    }
    with running(*options(files, port, "--port", "0")):
        for call, status in calls.items():
            ours, theirs = run(OURS, *call.split()), run(find_redis_cli(), *call.split())
            assert ours[:2] == theirs[:2], (call, ours, theirs)
            assert set(ours[2].splitlines()) == set(
                theirs[2].splitlines()
            )  # the real one tries twice, and says so twice
            assert ours[0] == status
            assert b"Traceback" not in ours[2]


def test_the_rest_api_by_tls(files):
    certificate = {"tls_cert_file": files["cert"], "tls_key_file": files["key"], "tls_auth_clients": "no"}
    with emulator.Server(rest_port="auto", rest_token="dev", rest_tls=True, **certificate) as server:
        assert server.rest_url.startswith("https://127.0.0.1:")
        trusted = ssl.create_default_context(cafile=files["ca"])
        request = urllib.request.Request(f"{server.rest_url}/set/k/v", headers={"Authorization": "Bearer dev"})
        with urllib.request.urlopen(request, context=trusted) as answer:
            assert answer.read() == b'{"result":"OK"}'


def test_the_rest_api_does_not_begin_without_a_certificate():
    with pytest.raises(OSError, match="rest-tls: No tls-cert-file"), emulator.Server(rest_port="auto", rest_tls=True):
        pass


def test_a_replica_follows_over_tls(files):
    settings = {
        "port": 0,
        "tls_port": "auto",
        "tls_cert_file": files["cert"],
        "tls_key_file": files["key"],
        "tls_ca_cert_file": files["ca"],
        "tls_auth_clients": "no",
        "tls_replication": "yes",
    }
    with emulator.Server(**settings) as master, master.connect() as client:
        client.set("a", 1)
        with (
            emulator.Server(replicaof=f"{master.host}:{master.port}", **settings) as replica,
            replica.connect() as there,
        ):
            assert client.wait(1, 10_000) == 1
            assert there.get("a") == b"1"


def test_nodes_of_a_cluster_speak_tls_among_themselves(files):
    settings = {"tls_cert_file": files["cert"], "tls_key_file": files["key"], "tls_ca_cert_file": files["ca"]}
    with emulator.Cluster(
        masters=2, replicas=1, tls_port="auto", tls_cluster="yes", tls_replication="yes", **settings
    ) as cluster:
        master = cluster.masters[0]
        port = master.run(lambda engine: engine.cluster.state.myself.cport)
        with ssl.create_default_context(cafile=files["ca"]).wrap_socket(
            socket.create_connection((master.host, port)), server_hostname="localhost"
        ) as connection:
            assert connection.version() in ("TLSv1.2", "TLSv1.3")
        new = cluster.failover(master)
        assert cluster.replicas_of(new) == [master]


class Raw:
    """A client by TLS that reads when it is told to."""

    def __init__(self, files, port):
        context = ssl.create_default_context(cafile=files["ca"])
        self.socket = context.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname="localhost")
        self.file = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)


@pytest.fixture
def server(files):
    """A server with TLS, its TLS port, and a client of it by plain TCP."""
    port = free_port()
    settings = options(files, port, "--port", "auto", "--tls-auth-clients", "no")
    with running(*settings) as (_, lines), redis.Redis(port=port_of(lines)) as plain:
        yield plain, port


def test_who_does_not_read_is_closed_at_the_limit(files, server):
    plain, port = server
    plain.config_set("client-output-buffer-limit", "pubsub 2mb 0 0")
    with Raw(files, port) as subscriber:
        subscriber.send(b"SUBSCRIBE c\r\n")
        assert [subscriber.file.readline() for _ in range(6)][-1] == b":1\r\n"
        for _ in range(400):  # more than the system takes
            plain.publish("c", b"x" * 100_000)
        assert plain.info("stats")["client_output_buffer_limit_disconnections"] == 1
        assert plain.pubsub_numsub("c") == [(b"c", 0)]


def test_what_is_unread_is_shown_and_comes_whole_before_the_end(files, server):
    plain, port = server
    plain.set("k", b"x" * 5_000_000)
    with Raw(files, port) as slow:
        slow.send(b"CLIENT SETNAME slow\r\n" + b"GET k\r\n" * 6 + b"QUIT\r\nPING\r\n")
        assert slow.file.readline() == b"+OK\r\n"
        until(lambda: [found for found in plain.client_list() if found["name"] == "slow" and "c" in found["flags"]])
        (shown,) = [client for client in plain.client_list() if client["name"] == "slow"]
        assert int(shown["omem"]) > 10_000_000
        assert slow.file.read() == b"$5000000\r\n%b\r\n" % (b"x" * 5_000_000) * 6 + b"+OK\r\n"


def test_who_does_not_end_the_handshake_counts_as_a_client(server):
    plain, port = server
    with socket.create_connection(("127.0.0.1", port)) as half, socket.create_connection(("127.0.0.1", port)) as silent:
        half.sendall(b"\x16")
        until(lambda: plain.info("clients")["connected_clients"] == 3)
        plain.config_set("maxclients", 3)
        with socket.create_connection(("127.0.0.1", port)) as third:
            assert third.recv(100) == b""
        assert plain.info("stats")["rejected_connections"] == 1
        plain.client_kill_filter(_type="normal", skipme=True)
        assert half.recv(100) == silent.recv(100) == b""
    assert plain.info("clients")["connected_clients"] == 1


@pytest.mark.parametrize(
    "words", [b"PING\r\n", b"\x16\x03\x01\xff\xff" + b"x" * 70_000, b"\x15\x03\x01\x00\x02\x02\x28"]
)
def test_what_is_no_handshake_ends_the_connection_alone(server, words):
    plain, port = server
    with socket.create_connection(("127.0.0.1", port)) as stranger:
        stranger.sendall(words)
        try:
            while stranger.recv(65536):
                pass
        except ConnectionError:
            pass
    until(lambda: plain.info("clients")["connected_clients"] == 1)


def test_connections_leave_nothing_that_only_a_full_collection_finds(files):
    port = free_port()
    paths = {"tls_cert_file": files["cert"], "tls_key_file": files["key"]}
    with emulator.Server(tls_port=port, tls_auth_clients="no", **paths), all_gone(TlsTransport):
        for words in (b"PING\r\n", b"*1\r\n$-1\r\n", b"QUIT\r\n"):
            with Raw(files, port) as client:
                client.send(words)
                assert client.file.readline()
        with socket.create_connection(("127.0.0.1", port)) as half:
            half.sendall(b"\x16")
        with socket.create_connection(("127.0.0.1", port)) as stranger:
            stranger.sendall(b"PING\r\n")
