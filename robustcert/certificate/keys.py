"""Signing keys: Ed25519 or ECDSA P-256 as PEM files, PKCS#8 for the private half and SPKI for the public one.

Formats: RFC 5958 (PKCS#8), RFC 8410 (Ed25519), RFC 5480 (P-256). A key is named by the SHA-256 of its public half in
DER. With a passphrase the private half is encrypted as `cryptography` does it (PBES2, AES-256-CBC, PBKDF2 with 2048
rounds of HMAC-SHA-256): few rounds, so let the passphrase be long.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Literal

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from robustcert.errors import KeyFileError, expected
from robustcert.provenance.digests import sha256_bytes
from robustcert.storage.atomic import disk_failure, draft

KeyKind = Literal["ed25519", "ecdsa-p256"]
SigningKey = Ed25519PrivateKey | EllipticCurvePrivateKey
VerificationKey = Ed25519PublicKey | EllipticCurvePublicKey

PUBLIC_SUFFIX = ".pub"
PRIVATE_PERMISSIONS = 0o600
PUBLIC_PERMISSIONS = 0o644
MAX_KEY_BYTES = 64 * 1024
ROOT = 0  # its number as a user

_LABEL = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,40})-----")
_NEW_KEY = "make one with `robustcert keys new`"
_ENCRYPTED = "ENCRYPTED PRIVATE KEY"
_KINDS = "an Ed25519 or ECDSA P-256 key"


def new_key(kind: KeyKind) -> SigningKey:
    """A fresh private key from the operating system's randomness."""
    return Ed25519PrivateKey.generate() if kind == "ed25519" else generate_private_key(SECP256R1())


def key_id(public: VerificationKey) -> str:
    """Hexadecimal SHA-256 of the public key as DER SubjectPublicKeyInfo."""
    return sha256_bytes(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def write_key_pair(path: Path, key: SigningKey, *, passphrase: bytes | None) -> Path:
    """Writes the private key to `path` (mode 600) and the public one to `path`.pub (644); returns the latter's path.

    Existing files are never replaced; each file appears whole, the private one last. KeyFileError when either exists,
    the passphrase is empty, or the folder can't be written.
    """
    public_path = path.with_name(path.name + PUBLIC_SUFFIX)
    private_pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, _encryption(passphrase))
    public_pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    if os.path.lexists(path):
        raise _in_the_way(path)
    _write_new(public_path, public_pem, permissions=PUBLIC_PERMISSIONS)
    try:
        _write_new(path, private_pem, permissions=PRIVATE_PERMISSIONS)
    except KeyFileError:
        public_path.unlink(missing_ok=True)
        raise
    return public_path


def load_signing_key(path: Path, *, passphrase: bytes | None) -> SigningKey:
    """The private key in a file that only its owner can read, or that Kubernetes mounted for us alone.

    KeyFileError on any other file, key or passphrase.
    """
    data, status = _read(path)
    if is_open_to_others(status, user=os.geteuid()):
        got = f"mode {stat.S_IMODE(status.st_mode):o}, readable by others"
        raise KeyFileError(
            expected(f"a private key with mode 600 at '{path}'", got=got, remedy=f"run chmod 600 '{path}'")
        )
    return parse_signing_key(data, passphrase=passphrase, name=str(path))


def is_open_to_others(status: os.stat_result, *, user: int) -> bool:
    """Whether more than `user` (its number) may open a file.

    A mounted Secret belongs to root, and by `fsGroup` to a group of the pod's: mode 440 then is what 400 is elsewhere.
    """
    mounted = status.st_uid == ROOT != user
    return bool(status.st_mode & (0o037 if mounted else 0o077))


def parse_signing_key(data: bytes, *, passphrase: bytes | None, name: str) -> SigningKey:
    """The private key in the bytes of a PEM file; `name` says in errors where they came from."""
    label = _label(data, name)
    if label not in ("PRIVATE KEY", _ENCRYPTED):
        remedy = "name the private half" if label == "PUBLIC KEY" else "convert it with `openssl pkcs8 -topk8`"
        raise KeyFileError(expected(f"a PKCS#8 private key in '{name}'", got=f"'{label}'", remedy=remedy))
    _require_matching(passphrase, encrypted=label == _ENCRYPTED, name=name)
    try:
        key = load_pem_private_key(data, passphrase)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        got = "a wrong passphrase or a damaged key" if passphrase else "a damaged or unknown key"
        remedy = "check both" if passphrase else "restore it, or make a new one"
        raise KeyFileError(expected(f"{_KINDS} in '{name}'", got=got, remedy=remedy)) from error
    if isinstance(key, Ed25519PrivateKey) or (isinstance(key, EllipticCurvePrivateKey) and _is_p256(key.curve)):
        return key
    raise _wrong_kind(key, name)


def load_verification_key(path: Path) -> VerificationKey:
    """The public key in a file; KeyFileError on anything else, and a warning when it is a private key."""
    data, _ = _read(path)
    label = _label(data, str(path))
    if "PRIVATE" in label:
        remedy = (
            f"use '{path.name}{PUBLIC_SUFFIX}', and never hand the private key out: who has it can sign in your name"
        )
        raise KeyFileError(expected(f"a public key in '{path}'", got="a PRIVATE key", remedy=remedy))
    if label != "PUBLIC KEY":
        raise KeyFileError(
            expected(f"a public key in '{path}'", got=f"'{label}'", remedy="ask its owner for the .pub file")
        )
    try:
        key = load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm) as error:
        remedy = "ask its owner for the .pub file"
        raise KeyFileError(expected(f"{_KINDS} in '{path}'", got="a damaged or unknown key", remedy=remedy)) from error
    if isinstance(key, Ed25519PublicKey) or (isinstance(key, EllipticCurvePublicKey) and _is_p256(key.curve)):
        return key
    raise _wrong_kind(key, str(path))


def _encryption(passphrase: bytes | None) -> KeySerializationEncryption:
    if passphrase is None:
        return NoEncryption()
    if not passphrase:
        raise KeyFileError(expected("a passphrase", got="an empty one", remedy="choose a long one, or none at all"))
    return BestAvailableEncryption(passphrase)


def _in_the_way(path: Path) -> KeyFileError:
    remedy = "choose another path; a key is never replaced"
    return KeyFileError(expected(f"no file at '{path}'", got="an existing one", remedy=remedy))


def _write_new(path: Path, data: bytes, *, permissions: int) -> None:
    try:
        with draft(path.parent, permissions=permissions) as part:
            part.write([data])
            part.link(path)
    except FileExistsError as error:
        raise _in_the_way(path) from error
    except OSError as error:
        raise KeyFileError(disk_failure(error, wanted="to write a key", path=path)) from error


def _read(path: Path) -> tuple[bytes, os.stat_result]:
    """Bytes, owner and permissions of one open file, so that nobody can swap it in between."""
    try:
        with open(path, "rb", opener=_open_without_waiting) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise _no_file(path)
            data = file.read(MAX_KEY_BYTES + 1)
    except IsADirectoryError as error:
        raise _no_file(path) from error
    except FileNotFoundError as error:
        raise KeyFileError(expected(f"a key file at '{path}'", got="no such file", remedy=_NEW_KEY)) from error
    except OSError as error:
        raise KeyFileError(disk_failure(error, wanted="a readable key file", path=path)) from error
    if len(data) > MAX_KEY_BYTES:
        raise KeyFileError(expected(f"a key file at '{path}'", got=f"over {MAX_KEY_BYTES} bytes", remedy=_NEW_KEY))
    return data, status


def _open_without_waiting(path: str, flags: int) -> int:
    """Opens a pipe at once, where a plain open would wait for a writer."""
    return os.open(path, flags | os.O_NONBLOCK)


def _no_file(path: Path) -> KeyFileError:
    return KeyFileError(expected(f"a key file at '{path}'", got="a folder or device", remedy="name the file"))


def _label(data: bytes, name: str) -> str:
    labels = _LABEL.findall(data)
    if len(labels) != 1:
        got = f"{len(labels)} PEM blocks" if labels else "no PEM file"
        raise KeyFileError(expected(f"one key in PEM form in '{name}'", got=got, remedy=_NEW_KEY))
    return str(labels[0].decode("ascii"))


def _require_matching(passphrase: bytes | None, *, encrypted: bool, name: str) -> None:
    if encrypted and not passphrase:
        raise KeyFileError(expected(f"the passphrase of '{name}'", got="none", remedy="give the one it was made with"))
    if not encrypted and passphrase is not None:
        got = "a passphrase for a key that is not encrypted"
        raise KeyFileError(expected(f"no passphrase for '{name}'", got=got, remedy="leave the passphrase out"))


def _is_p256(curve: object) -> bool:
    return isinstance(curve, SECP256R1)


def _wrong_kind(key: object, name: str) -> KeyFileError:
    got = type(key).__name__.removesuffix("PrivateKey").removesuffix("PublicKey")
    curve = getattr(getattr(key, "curve", None), "name", None)
    return KeyFileError(expected(f"{_KINDS} in '{name}'", got=f"{got} {curve}" if curve else got, remedy=_NEW_KEY))
