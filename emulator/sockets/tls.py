"""TLS: the server's side of it, from the directives ``tls-*``, by the standard library's `ssl`."""

from __future__ import annotations

import os
import ssl
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from emulator.config.directives import Config

SETTINGS: Final = (
    "tls-cert-file",
    "tls-key-file",
    "tls-key-file-pass",
    "tls-dh-params-file",
    "tls-ca-cert-file",
    "tls-ca-cert-dir",
    "tls-auth-clients",
    "tls-protocols",
    "tls-ciphers",
    "tls-prefer-server-ciphers",
    "tls-session-caching",
)
"""The directives on which a context depends."""

_VERIFY: Final = {"yes": ssl.CERT_REQUIRED, "optional": ssl.CERT_OPTIONAL, "no": ssl.CERT_NONE}
_VERSIONS: Final = {
    "tlsv1": ssl.OP_NO_TLSv1,
    "tlsv1.1": ssl.OP_NO_TLSv1_1,
    "tlsv1.2": ssl.OP_NO_TLSv1_2,
    "tlsv1.3": ssl.OP_NO_TLSv1_3,
}


class TlsError(Exception):
    """The directives do not make a context; the text is Redis's reason for it."""


def server_context(config: Config) -> ssl.SSLContext:
    """A context as the directives have it; raises `TlsError`.

    ``tls-ciphersuites`` and the sizes and times of the session cache have no counterpart in `ssl`: OpenSSL's defaults hold.
    """
    for name, value in (("tls-cert-file", config.tls_cert_file), ("tls-key-file", config.tls_key_file)):
        if not value:
            raise TlsError(f"No {name} configured!")
    checks = config.tls_auth_clients != "no"
    if checks and not config.tls_ca_cert_file and not config.tls_ca_cert_dir:
        raise TlsError(
            "Either tls-ca-cert-file or tls-ca-cert-dir must be specified when tls-cluster, tls-replication or "
            "tls-auth-clients are enabled!"
        )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.verify_mode = _VERIFY[config.tls_auth_clients]
    context.options |= _options(config)
    try:
        context.load_cert_chain(
            _path(config, config.tls_cert_file), _path(config, config.tls_key_file), config.tls_key_file_pass or None
        )
        if config.tls_ca_cert_file or config.tls_ca_cert_dir:
            context.load_verify_locations(
                _path(config, config.tls_ca_cert_file) or None, _path(config, config.tls_ca_cert_dir) or None
            )
        if config.tls_dh_params_file:
            context.load_dh_params(_path(config, config.tls_dh_params_file))
        if config.tls_ciphers:
            context.set_ciphers(config.tls_ciphers)
    except OSError as error:  # of which ssl.SSLError is one
        raise TlsError(f"Failed to configure the TLS context: {error}") from None
    return context


def client_context(config: Config) -> ssl.SSLContext:
    """A context for connections to other servers, whose certificate must be signed, by whatever name; raises `TlsError`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.options |= _options(config)
    own = config.tls_client_cert_file, config.tls_client_key_file, config.tls_client_key_file_pass
    if not config.tls_client_cert_file:
        own = config.tls_cert_file, config.tls_key_file, config.tls_key_file_pass
    certificate, key, password = own
    try:
        if certificate:
            context.load_cert_chain(_path(config, certificate), _path(config, key), password or None)
        context.load_verify_locations(
            _path(config, config.tls_ca_cert_file) or None, _path(config, config.tls_ca_cert_dir) or None
        )
    except (OSError, TypeError) as error:  # without a place for authorities it is a TypeError
        raise TlsError(f"Failed to configure the TLS context: {error}") from None
    return context


def _options(config: Config) -> ssl.Options:
    options = ssl.OP_NO_COMPRESSION
    wanted = (config.tls_protocols or "TLSv1.2 TLSv1.3").lower().split()
    for word in wanted:
        if word not in _VERSIONS:
            raise TlsError("Failed to configure TLS: unsupported protocol in tls-protocols")
    for name, option in _VERSIONS.items():
        if name not in wanted:
            options |= option
    if config.tls_prefer_server_ciphers:
        options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    if not config.tls_session_caching:
        options |= ssl.OP_NO_TICKET
    return options


def _path(config: Config, name: str) -> str:
    return os.path.join(config.dir, name) if name else ""
