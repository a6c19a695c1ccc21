"""Whom a reader trusts: several public keys, for programs that read what more than one key may have signed.

An issuer signs certificates, a recertification controller signs statuses, a scheduled job signs drift records; each may
have a key of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from robustcert.certificate.envelope import open_envelope
from robustcert.certificate.keys import VerificationKey, key_id, load_verification_key
from robustcert.errors import KeyFileError, VerificationError, expected
from robustcert.storage.atomic import disk_failure

SUFFIXES = (".pub", ".pem")


def load_trusted_keys(path: Path) -> tuple[VerificationKey, ...]:
    """The public key in a file, or those in a folder's *.pub and *.pem files, in the order of their names.

    KeyFileError where there is none, or one of them is no public key.
    """
    if not path.is_dir():
        return (load_verification_key(path),)
    try:
        found = sorted(file for file in path.iterdir() if file.suffix in SUFFIXES)
    except OSError as error:
        raise KeyFileError(disk_failure(error, wanted="a folder of public keys", path=path)) from error
    if not found:
        remedy = "put the public keys there, as NAME.pub"
        raise KeyFileError(expected(f"*.pub or *.pem files in '{path}'", got="none", remedy=remedy))
    return tuple(load_verification_key(file) for file in found)


def open_by_any(data: bytes, keys: Sequence[VerificationKey]) -> bytes:
    """The payload of an envelope that one of `keys` signed; VerificationError otherwise, as `open_envelope`."""
    return open_envelope(data, signer_among(data, keys))


def signer_among(data: bytes, keys: Sequence[VerificationKey]) -> VerificationKey:
    """The key that an envelope names; whether that key signed is to be checked next. VerificationError for another."""
    for key in keys:
        if key_id(key).encode() in data:
            return key
    remedy = "get the signer's public key over a channel that you trust"
    raise VerificationError(
        expected(f"a signature by one of {len(keys)} trusted keys", got="one by another key, or none", remedy=remedy)
    )
