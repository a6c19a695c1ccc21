"""The server's certificate as its files are now: a mounted Secret is replaced long before its pod is.

They are looked at when a client begins a handshake, two stats each time. The first client after a change is still shown
the old certificate. Files of which one is missing, or that don't belong together, change nothing, and are tried again.
"""

from __future__ import annotations

import logging
import ssl
from pathlib import Path

from monitoring.recertification_webhook.log import tell
from monitoring.recertification_webhook.settings import TlsSettings

State = tuple[tuple[int, int, int], ...]


def follow_files(context: ssl.SSLContext, tls: TlsSettings) -> None:
    """Makes `context`, which has loaded the files, load them again whenever they have changed."""
    loaded = _state(tls)
    refused: State = ()

    def look(connection: ssl.SSLObject | ssl.SSLSocket, name: str | None, asked: ssl.SSLContext) -> None:
        nonlocal loaded, refused
        now = _state(tls)
        if not now or now == loaded:
            return
        if problem := _load(context, tls):
            if now != refused:
                tell("certificate-refused", level=logging.ERROR, why=problem)
            refused = now
        else:
            tell("certificate-replaced")
            loaded = now

    context.sni_callback = look  # asked for every client, also where one names no server


def _load(context: ssl.SSLContext, tls: TlsSettings) -> str:
    """What is wrong with the files; nothing, and they are loaded. Half a pair would leave the context without a key."""
    try:
        for each in (ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), context):
            each.load_cert_chain(tls.certificate, tls.key)
    except (OSError, ssl.SSLError) as error:
        return type(error).__name__
    return ""


def _state(tls: TlsSettings) -> State:
    """What tells one version of the two files from another; nothing while one is missing."""
    try:
        found = [Path(path).stat() for path in (tls.certificate, tls.key)]
    except OSError:
        return ()
    return tuple((status.st_mtime_ns, status.st_size, status.st_ino) for status in found)
