"""Several trusted keys: a file or a folder of them, and an envelope that one of them signed."""

from __future__ import annotations

from pathlib import Path

import pytest

from robustcert.certificate.envelope import sign
from robustcert.certificate.keys import key_id, new_key, write_key_pair
from robustcert.certificate.trust import load_trusted_keys, open_by_any
from robustcert.errors import KeyFileError, VerificationError


def test_a_folder_gives_its_public_keys_in_the_order_of_their_names(tmp_path: Path) -> None:
    keys = {name: new_key("ed25519") for name in ("b", "a")}
    for name, key in keys.items():
        write_key_pair(tmp_path / name, key, passphrase=None)
    found = [key_id(key) for key in load_trusted_keys(tmp_path)]
    assert found == [key_id(keys[name].public_key()) for name in ("a", "b")]
    assert [key_id(key) for key in load_trusted_keys(tmp_path / "b.pub")] == found[1:]


def test_a_folder_without_public_keys_and_a_private_key_are_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match=r"expected \*\.pub or \*\.pem files"):
        load_trusted_keys(tmp_path)
    write_key_pair(tmp_path / "issuer", new_key("ed25519"), passphrase=None)
    (tmp_path / "issuer").rename(tmp_path / "issuer.pem")
    with pytest.raises(KeyFileError, match="a PRIVATE key"):
        load_trusted_keys(tmp_path)


def test_an_envelope_opens_with_the_key_that_signed_it_among_others() -> None:
    signer, other = new_key("ecdsa-p256"), new_key("ed25519")
    data = sign(b'{"a":1}', signer)
    assert open_by_any(data, [other.public_key(), signer.public_key()]) == b'{"a":1}'
    for keys in ([], [other.public_key()]):
        with pytest.raises(VerificationError, match=f"one of {len(keys)} trusted keys, got one by another key"):
            open_by_any(data, keys)


def test_naming_a_trusted_key_does_not_make_a_signature() -> None:
    trusted, forger = new_key("ed25519").public_key(), new_key("ed25519")
    forged = sign(b'{"a":1}', forger).replace(key_id(forger.public_key()).encode(), key_id(trusted).encode())
    with pytest.raises(VerificationError, match="a signature that holds, got one that does not"):
        open_by_any(forged, [trusted])
