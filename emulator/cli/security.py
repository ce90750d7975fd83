"""TLS, as the options want it."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from emulator.cli.connection import Unreachable
from emulator.cli.options import ClientOptions


def secured(connection: socket.socket, options: ClientOptions) -> ssl.SSLSocket:
    """The connection, by TLS.

    As in Redis's own program the server's certificate is verified, but not that it is for this host.  Raises `Unreachable`
    where an option is wrong, OSError where the server's end fails.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    if options.insecure:
        context.verify_mode = ssl.CERT_NONE
    elif options.ca_file or options.ca_folder:
        with _told("Invalid CA Certificate File/Directory"):
            context.load_verify_locations(options.ca_file or None, options.ca_folder or None)
    else:
        context.load_default_certs()
    if options.certificate:
        with _told("Invalid client certificate"), open(options.certificate, "rb"):
            pass  # which is told apart from the key by this alone
        with _told("Invalid private key"):
            context.load_cert_chain(options.certificate, options.key or None)
    if options.ciphers:
        with _told("Error while configuring ciphers"):
            context.set_ciphers(options.ciphers)
    try:
        return context.wrap_socket(connection, server_hostname=options.sni or None)
    except ssl.SSLError as error:
        raise OSError(f"SSL_connect failed: {(error.reason or '').lower().replace('_', ' ')}") from None


@contextmanager
def _told(what: str) -> Iterator[None]:
    try:
        yield
    except OSError:
        raise Unreachable(f"Could not negotiate a TLS connection: {what}") from None
