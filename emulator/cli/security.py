"""TLS, as the options want it."""

from __future__ import annotations

import socket
import ssl

from emulator.cli.options import ClientOptions


def secured(connection: socket.socket, options: ClientOptions) -> ssl.SSLSocket:
    """The connection, by TLS.

    As in Redis's own program the server's certificate is verified, but not that it is for this host.  Raises OSError.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    if options.insecure:
        context.verify_mode = ssl.CERT_NONE
    elif options.ca_file or options.ca_folder:
        context.load_verify_locations(options.ca_file or None, options.ca_folder or None)
    else:
        context.load_default_certs()
    if options.certificate:
        context.load_cert_chain(options.certificate, options.key or None)
    if options.ciphers:
        context.set_ciphers(options.ciphers)
    return context.wrap_socket(connection, server_hostname=options.sni or None)
