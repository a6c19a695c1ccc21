"""The envelope of a certificate: DSSE v1 with one signature, in canonical bytes.

Source: https://github.com/secure-systems-lab/dsse (protocol.md 1.0.2 for the signature, envelope.md for the JSON). DSSE
leaves much of an envelope's bytes unsigned. Here nothing is left to choose: the file is the canonical JSON of its value
plus one newline, base64 is in its only form, an ECDSA signature is strict DER with a low S. So changing any byte, even
outside the payload, makes the file invalid.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any, NoReturn

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from robustcert.certificate.keys import SigningKey, VerificationKey, key_id
from robustcert.errors import VerificationError, expected
from robustcert.provenance.digests import canonical_json

PAYLOAD_TYPE = "application/vnd.in-toto+json"
MAX_BYTES = 10 * 1024 * 1024
# Order of the group of P-256: SEC 2 version 2, section 2.4.2.
P256_ORDER = 0xFFFFFFFF_00000000_FFFFFFFF_FFFFFFFF_BCE6FAAD_A7179E84_F3B9CAC2_FC632551

_AS_ISSUED = "use the file as it was issued"


def sign(payload: bytes, key: SigningKey) -> bytes:
    """The bytes of the envelope file around `payload`; VerificationError when that is no canonical JSON object."""
    parse_canonical(payload, what="the payload")
    signature = {"keyid": key_id(key.public_key()), "sig": _encode(_sign(pae(payload), key))}
    data = canonical_json({"payload": _encode(payload), "payloadType": PAYLOAD_TYPE, "signatures": [signature]}) + b"\n"
    _require_size(data)
    return data


def open_envelope(data: bytes, public_key: VerificationKey) -> bytes:
    """The payload of an envelope file that `public_key` signed: a canonical JSON object.

    VerificationError names the first thing that is wrong. Nothing in the payload is parsed before its signature holds.
    """
    _require_size(data)
    if not data.endswith(b"\n"):
        _refuse("one newline at the end of the envelope", "none")
    envelope = parse_canonical(data[:-1], what="the envelope")
    _require_keys(envelope, ("payload", "payloadType", "signatures"), what="the envelope")
    if envelope["payloadType"] != PAYLOAD_TYPE:
        _refuse(f"payloadType {PAYLOAD_TYPE}", "another")
    payload = _decode(envelope["payload"], what="payload")
    _require_signature(payload, envelope["signatures"], public_key)
    parse_canonical(payload, what="the payload")
    return payload


def pae(payload: bytes, payload_type: str = PAYLOAD_TYPE) -> bytes:
    """What is signed: DSSE's pre-authentication encoding.

    >>> pae(b"hello world", "http://example.com/HelloWorld")
    b'DSSEv1 29 http://example.com/HelloWorld 11 hello world'
    """
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def parse_canonical(data: bytes, *, what: str) -> dict[str, Any]:
    """The JSON object whose canonical form `data` is; VerificationError when it is anything else.

    So duplicate keys, floats, NaN, spaces and non-ASCII bytes are refused. `what` says in errors what `data` is.
    """
    if not data.isascii():
        _refuse(f"{what} in ASCII", "other bytes")
    try:
        text = data.decode("ascii")
        value = json.loads(text, object_pairs_hook=_object, parse_float=_no_float, parse_constant=_no_float)
        canonical = canonical_json(value)
    except (ValueError, RecursionError) as error:
        got = " ".join(str(error).split())[:100]
        raise VerificationError(expected(f"{what} to be JSON", got=f"'{got}'", remedy=_AS_ISSUED)) from error
    if not isinstance(value, dict):
        _refuse(f"{what} to be a JSON object", f"a {type(value).__name__}")
    if canonical != data:
        _refuse(f"{what} in canonical form", "other bytes for the same value")
    return value


def _require_signature(payload: bytes, signatures: object, public_key: VerificationKey) -> None:
    if not isinstance(signatures, list) or len(signatures) != 1 or not isinstance(signatures[0], dict):
        _refuse("exactly one signature", "another number")
    _require_keys(signatures[0], ("keyid", "sig"), what="the signature")
    if signatures[0]["keyid"] != key_id(public_key):
        remedy = "get the issuer's public key over a channel that you trust"
        raise VerificationError(
            expected(f"a signature by key {key_id(public_key)}", got="one by another key", remedy=remedy)
        )
    signature = _decode(signatures[0]["sig"], what="signature")
    try:
        _verify(signature, pae(payload), public_key)
    except InvalidSignature as error:
        text = expected(
            "a signature that holds", got="one that does not", remedy="refuse it: payload or signature changed"
        )
        raise VerificationError(text) from error


def _sign(message: bytes, key: SigningKey) -> bytes:
    if isinstance(key, Ed25519PrivateKey):
        return key.sign(message)
    r, s = decode_dss_signature(key.sign(message, ECDSA(SHA256())))
    return encode_dss_signature(r, min(s, P256_ORDER - s))


def _verify(signature: bytes, message: bytes, key: VerificationKey) -> None:
    if isinstance(key, Ed25519PublicKey):
        key.verify(signature, message)
        return
    try:
        r, s = decode_dss_signature(signature)
        canonical = encode_dss_signature(r, s) == signature and s <= P256_ORDER // 2
    except ValueError:
        canonical = False
    if not canonical:
        _refuse("an ECDSA signature in strict DER with a low S", "another form")
    key.verify(signature, message, ECDSA(SHA256()))


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _decode(text: object, *, what: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True) if isinstance(text, str) else None
    except ValueError:
        data = None
    if data is None or _encode(data) != text:
        _refuse(f"{what} in strict base64", "another form")
    return data


def _require_size(data: bytes) -> None:
    if len(data) > MAX_BYTES:
        _refuse(f"an envelope of at most {MAX_BYTES} bytes", f"{len(data)} bytes")


def _require_keys(value: dict[str, Any], keys: Sequence[str], *, what: str) -> None:
    if sorted(value) != sorted(keys):
        _refuse(f"{what} to have the keys {', '.join(keys)}", repr(sorted(value))[:80])


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("the same key twice")
    return value


def _no_float(text: str) -> NoReturn:
    raise ValueError(f"the number {text[:20]}, which is no integer")


def _refuse(what: str, got: str) -> NoReturn:
    raise VerificationError(expected(what, got=got, remedy=_AS_ISSUED))
