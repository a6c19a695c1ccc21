"""Oracles: securesystemslib's DSSE implementation, the DSSE specification's example, and changed bytes."""

import base64
import json
import random
from collections.abc import Callable, Iterator

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError as PeerRefusal
from securesystemslib.signer import CryptoSigner, SSlibKey

from robustcert.certificate.envelope import (
    MAX_BYTES,
    P256_ORDER,
    PAYLOAD_TYPE,
    open_envelope,
    pae,
    parse_canonical,
    sign,
)
from robustcert.certificate.keys import KeyKind, SigningKey, key_id, new_key
from robustcert.errors import VerificationError

KINDS: tuple[KeyKind, ...] = ("ed25519", "ecdsa-p256")
PAYLOAD = b'{"_type":"https://in-toto.io/Statement/v1","predicate":{"verdict":"accepted"},"subject":[]}'
# RFC 8032, section 5.1: order of the base point.
ED25519_ORDER = 2**252 + 27742317777372353535851937790883648493

Value = dict[str, object]


@pytest.fixture(scope="module", params=KINDS)
def key(request: pytest.FixtureRequest) -> SigningKey:
    return new_key(request.param)


def peer_key(key: SigningKey) -> SSlibKey:
    return SSlibKey.from_crypto(key.public_key(), keyid=key_id(key.public_key()))


def peer_envelope(key: SigningKey, payload: bytes, payload_type: str = PAYLOAD_TYPE) -> Value:
    envelope = Envelope(payload, payload_type, {})
    envelope.sign(CryptoSigner(key, peer_key(key)))
    return dict(envelope.to_dict())


def to_file(value: object) -> bytes:
    """Canonical bytes of an envelope, made here with json alone."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def with_low_s(value: Value) -> Value:
    """The same envelope with the lower of the two S that ECDSA allows."""
    signature = base64.b64decode(signature_of(value)["sig"])
    if len(signature) == 64:
        return value
    r, s = decode_dss_signature(signature)
    return with_signature(value, encode_dss_signature(r, min(s, P256_ORDER - s)))


def signature_of(value: Value) -> dict[str, str]:
    signatures = value["signatures"]
    assert isinstance(signatures, list)
    return dict(signatures[0])


def with_signature(value: Value, signature: bytes) -> Value:
    return {**value, "signatures": [{**signature_of(value), "sig": base64.b64encode(signature).decode()}]}


def test_an_envelope_opens_again(key: SigningKey) -> None:
    assert open_envelope(sign(PAYLOAD, key), key.public_key()) == PAYLOAD


def test_what_is_signed_is_the_example_of_the_dsse_specification() -> None:
    expected = b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    assert pae(b"hello world", "http://example.com/HelloWorld") == expected
    assert pae(PAYLOAD) == Envelope(PAYLOAD, PAYLOAD_TYPE, {}).pae()


def test_securesystemslib_verifies_our_envelope_and_refuses_another_payload(key: SigningKey) -> None:
    envelope = Envelope.from_dict(json.loads(sign(PAYLOAD, key)))
    assert envelope.payload == PAYLOAD
    assert list(envelope.verify([peer_key(key)], 1)) == [key_id(key.public_key())]
    envelope.payload += b" "
    with pytest.raises(PeerRefusal):
        envelope.verify([peer_key(key)], 1)


def test_we_verify_the_envelope_of_securesystemslib_in_canonical_bytes(key: SigningKey) -> None:
    for _ in range(10):
        value = with_low_s(peer_envelope(key, PAYLOAD))
        assert open_envelope(to_file(value), key.public_key()) == PAYLOAD


def test_our_ecdsa_signatures_always_have_the_low_s() -> None:
    key = new_key("ecdsa-p256")
    for _ in range(50):
        _, s = decode_dss_signature(base64.b64decode(signature_of(json.loads(sign(PAYLOAD, key)))["sig"]))
        assert 0 < s <= P256_ORDER // 2


def test_the_other_s_of_an_ecdsa_signature_is_refused_although_it_verifies() -> None:
    key = new_key("ecdsa-p256")
    value = json.loads(sign(PAYLOAD, key))
    r, s = decode_dss_signature(base64.b64decode(signature_of(value)["sig"]))
    high = encode_dss_signature(r, P256_ORDER - s)
    key.public_key().verify(high, pae(PAYLOAD), ECDSA(SHA256()))
    with pytest.raises(VerificationError, match="expected an ECDSA signature in strict DER with a low S"):
        open_envelope(to_file(with_signature(value, high)), key.public_key())


@pytest.mark.parametrize(
    "change", [lambda der: der + b"\x00", lambda der: der[:-1], lambda der: b"", lambda der: b"0\x80"]
)
def test_an_ecdsa_signature_in_other_than_strict_der_is_refused(change: Callable[[bytes], bytes]) -> None:
    key = new_key("ecdsa-p256")
    value = json.loads(sign(PAYLOAD, key))
    der = base64.b64decode(signature_of(value)["sig"])
    with pytest.raises(VerificationError, match="strict DER"):
        open_envelope(to_file(with_signature(value, change(der))), key.public_key())


def test_an_ed25519_signature_with_s_beyond_the_order_is_refused() -> None:
    key = new_key("ed25519")
    value = json.loads(sign(PAYLOAD, key))
    signature = base64.b64decode(signature_of(value)["sig"])
    scalar = int.from_bytes(signature[32:], "little") + ED25519_ORDER
    other = to_file(with_signature(value, signature[:32] + scalar.to_bytes(32, "little")))
    with pytest.raises(VerificationError, match="expected a signature that holds"):
        open_envelope(other, key.public_key())


def changed_bytes(data: bytes, *, seed: int) -> Iterator[tuple[str, bytes]]:
    """Each position with each flipped bit and three other bytes, an inserted byte, a doubled byte, and left out."""
    draw = random.Random(seed)
    for at, byte in enumerate(data):
        for value in {byte ^ (1 << bit) for bit in range(8)} | {draw.randrange(256) for _ in range(3)}:
            yield f"byte {at} to {value}", data[:at] + bytes([value]) + data[at + 1 :]
        yield f"inserted at {at}", data[:at] + bytes([draw.randrange(256)]) + data[at:]
        yield f"doubled at {at}", data[:at] + bytes([byte]) + data[at:]
        yield f"left out at {at}", data[:at] + data[at + 1 :]
    for value in range(256):
        yield f"appended {value}", data + bytes([value])


def is_accepted(data: bytes, key: SigningKey) -> bool:
    try:
        open_envelope(data, key.public_key())
    except VerificationError:
        return False
    return True


@pytest.mark.parametrize("kind", KINDS)
def test_no_changed_byte_anywhere_in_the_file_is_accepted(kind: KeyKind) -> None:
    key = new_key(kind)
    data = sign(PAYLOAD, key)
    changes = [(what, changed) for what, changed in changed_bytes(data, seed=7) if changed != data]
    assert is_accepted(data, key)
    assert [what for what, changed in changes if is_accepted(changed, key)] == []
    assert len(changes) >= max(2000, 11 * len(data))


def test_another_key_is_named_as_the_reason(key: SigningKey) -> None:
    for kind in KINDS:
        with pytest.raises(
            VerificationError, match=r"expected a signature by key [0-9a-f]{64}, got one by another key"
        ):
            open_envelope(sign(PAYLOAD, key), new_key(kind).public_key())


def test_another_key_under_the_right_keyid_is_refused(key: SigningKey) -> None:
    other = new_key("ed25519" if "Ed25519" in type(key).__name__ else "ecdsa-p256")
    value = json.loads(sign(PAYLOAD, other))
    value["signatures"][0]["keyid"] = key_id(key.public_key())
    with pytest.raises(VerificationError, match="expected a signature that holds, got one that does not"):
        open_envelope(to_file(value), key.public_key())


def other_forms() -> dict[str, tuple[Callable[[Value], bytes], str]]:
    """Envelopes that mean the same or nearly so, and the reason why each is refused."""
    return {
        "pretty": (lambda v: json.dumps(v, indent=1, sort_keys=True).encode() + b"\n", "in canonical form"),
        "unsorted": (
            lambda v: json.dumps(dict(reversed(v.items())), separators=(",", ":")).encode() + b"\n",
            "the envelope in canonical form",
        ),
        "escaped": (lambda v: to_file(v).replace(b"payload", rb"\u0070ayload"), "the envelope in canonical form"),
        "no newline": (lambda v: to_file(v)[:-1], "expected one newline at the end"),
        "two newlines": (lambda v: to_file(v) + b"\n", "the envelope in canonical form"),
        "twice": (lambda v: to_file(v).replace(b'{"pay', b'{"payload":"","pay', 1), "the same key twice"),
        "extra": (lambda v: to_file({**v, "note": "hi"}), "envelope to have the keys payload, payloadType"),
        "missing": (lambda v: to_file({"payload": v["payload"]}), "the envelope to have the keys"),
        "extra in signature": (
            lambda v: to_file({**v, "signatures": [{**signature_of(v), "cert": ""}]}),
            "the signature to have the keys keyid, sig",
        ),
        "two signatures": (lambda v: to_file({**v, "signatures": [signature_of(v)] * 2}), "exactly one signature"),
        "no signature": (lambda v: to_file({**v, "signatures": []}), "exactly one signature"),
        "signature no object": (lambda v: to_file({**v, "signatures": ["x"]}), "exactly one signature"),
        "signatures no list": (lambda v: to_file({**v, "signatures": signature_of(v)}), "exactly one signature"),
        "payload type": (lambda v: to_file({**v, "payloadType": "text/plain"}), "expected payloadType application/vnd"),
        "payload no text": (lambda v: to_file({**v, "payload": 7}), "payload in strict base64"),
        "payload beyond ASCII": (lambda v: to_file({**v, "payload": "\u00e9"}), "payload in strict base64"),
        "payload unpadded": (lambda v: to_file({**v, "payload": "QUI"}), "payload in strict base64"),
        "payload in lines": (lambda v: to_file({**v, "payload": f"{v['payload']}\n"}), "payload in strict base64"),
        "payload with loose bits": (lambda v: to_file({**v, "payload": "QR=="}), "payload in strict base64"),
        "urlsafe": (lambda v: to_file(with_text(v, "-_" * 43)), "signature in strict base64"),
        "list": (lambda v: to_file([v]), "the envelope to be a JSON object, got a list"),
        "float": (lambda v: to_file({**v, "payload": 1.5}), "the number 1.5, which is no integer"),
        "NaN": (lambda v: b'{"payload":NaN}\n', "the number NaN"),
        "digits": (lambda v: b'{"payload":' + b"1" * 5000 + b"}\n", "the envelope to be JSON"),
        "deep": (lambda v: b"[" * 100_000 + b"]" * 100_000 + b"\n", "the envelope to be JSON"),
        "UTF-8": (lambda v: '{"é":1}\n'.encode(), "the envelope in ASCII"),
        "UTF-16": (lambda v: to_file(v)[:-1].decode().encode("utf-16-le") + b"\n", "the envelope to be JSON"),
        "BOM": (lambda v: b"\xef\xbb\xbf" + to_file(v), "the envelope in ASCII"),
        "text": (lambda v: b"hello\n", "the envelope to be JSON"),
        "empty": (lambda v: b"", "expected one newline"),
        "huge": (lambda v: b" " * (MAX_BYTES + 1), "an envelope of at most 10485760 bytes, got 10485761"),
    }


def with_text(value: Value, signature: str) -> Value:
    return {**value, "signatures": [{**signature_of(value), "sig": signature}]}


@pytest.mark.parametrize("form", sorted(other_forms()))
def test_any_other_form_of_an_envelope_is_refused_with_its_reason(form: str) -> None:
    key = new_key("ed25519")
    change, reason = other_forms()[form]
    with pytest.raises(VerificationError, match=reason) as caught:
        open_envelope(change(json.loads(sign(PAYLOAD, key))), key.public_key())
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    "payload", [b'{"b":1,"a":2}', b'{"a": 1}', b"[]", b"hello", b'{"a":0.5}', b'{"a":1,"a":1}', b'{"a":-0}']
)
def test_a_payload_other_than_a_canonical_json_object_is_refused_even_when_signed(
    key: SigningKey, payload: bytes
) -> None:
    data = to_file(with_low_s(peer_envelope(key, payload)))
    with pytest.raises(VerificationError, match="expected the payload"):
        open_envelope(data, key.public_key())
    with pytest.raises(VerificationError, match="expected the payload"):
        sign(payload, key)


def test_a_payload_is_not_parsed_before_its_signature_holds(key: SigningKey) -> None:
    value = json.loads(sign(PAYLOAD, key))
    value["payload"] = base64.b64encode(b"{" * 1000).decode()
    with pytest.raises(VerificationError, match="expected a signature that holds"):
        open_envelope(to_file(value), key.public_key())


def test_an_envelope_that_could_not_be_opened_is_not_made() -> None:
    with pytest.raises(VerificationError, match="expected an envelope of at most 10485760 bytes"):
        sign(b'{"a":"' + b"x" * MAX_BYTES + b'"}', new_key("ed25519"))


def test_canonical_json_is_read_as_the_json_module_reads_it() -> None:
    data = b'{"a":[1,-2,"\\u00e9",null,true],"b":{"c":"0.5"}}'
    assert parse_canonical(data, what="it") == json.loads(data)
