"""Why an envelope is refused, told apart as far as its bytes allow."""

from __future__ import annotations

import pytest

from monitoring.exporter.invalid import InvalidError, refusal
from robustcert.certificate.envelope import MAX_BYTES, sign
from robustcert.certificate.keys import new_key
from robustcert.provenance.digests import canonical_json

KEY, FOREIGN = new_key("ed25519"), new_key("ecdsa-p256")
SIGNED = sign(canonical_json({"a": 1}), KEY)

ENVELOPES = {
    "form": b"[]\n",
    "form, cut off": SIGNED[:-9],
    "form, too large": b"x" * (MAX_BYTES + 1),
    "form, signed by us and of another kind": SIGNED,
    "unsigned": canonical_json({"a": 1}) + b"\n",
    "unsigned, an empty list": canonical_json({"payload": "", "signatures": []}) + b"\n",
    "foreign": sign(canonical_json({"a": 1}), FOREIGN),
    "foreign, a signature that is none": canonical_json({"payload": "", "signatures": [7]}) + b"\n",
    "signature": SIGNED.replace(b"eyJhIjoxfQ==", b"eyJhIjoyfQ=="),
}


@pytest.mark.parametrize("name", ENVELOPES)
def test_each_reason_is_found(name: str) -> None:
    assert refusal(ENVELOPES[name], keys=[KEY.public_key()]) == name.partition(",")[0]


def test_the_error_carries_what_is_counted() -> None:
    with pytest.raises(InvalidError, match="certificate: foreign") as error:
        raise InvalidError("certificate", "foreign")
    assert (error.value.found.kind, error.value.found.reason) == ("certificate", "foreign")
