"""Oracles: the keys of RFC 8410, hashlib over the PEM's own base64, and `cryptography`'s loaders."""

import base64
import hashlib
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from robustcert.certificate.keys import (
    MAX_KEY_BYTES,
    KeyKind,
    SigningKey,
    is_open_to_others,
    key_id,
    load_signing_key,
    load_verification_key,
    new_key,
    parse_signing_key,
    write_key_pair,
)
from robustcert.errors import KeyFileError

KINDS: tuple[KeyKind, ...] = ("ed25519", "ecdsa-p256")
# RFC 8410, sections 10.1 and 10.3
RFC_PRIVATE = "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC"
RFC_PUBLIC = "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE="


def pem(label: str, body: str) -> bytes:
    return f"-----BEGIN {label}-----\n{body}\n-----END {label}-----\n".encode()


def numbers_of(key: SigningKey) -> bytes:
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def save(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    path.chmod(0o600)
    return path


def private_pem(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, form: PrivateFormat = PrivateFormat.PKCS8
) -> bytes:
    return key.private_bytes(Encoding.PEM, form, NoEncryption())


def public_pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("passphrase", [None, b"correct horse battery staple"])
def test_a_written_pair_loads_again_here_and_with_cryptography(
    tmp_path: Path, kind: KeyKind, passphrase: bytes | None
) -> None:
    key = new_key(kind)
    public_path = write_key_pair(tmp_path / "issuer", key, passphrase=passphrase)
    loaded = load_signing_key(tmp_path / "issuer", passphrase=passphrase)
    public = load_verification_key(tmp_path / "issuer.pub")
    assert public_path == tmp_path / "issuer.pub"
    assert numbers_of(loaded) == numbers_of(key)
    assert key_id(loaded.public_key()) == key_id(public) == key_id(key.public_key())
    oracle = load_pem_private_key((tmp_path / "issuer").read_bytes(), passphrase)
    assert oracle.public_key() == load_pem_public_key(public_path.read_bytes()) == public


def test_the_key_of_rfc_8410_has_the_public_half_of_rfc_8410(tmp_path: Path) -> None:
    signing = load_signing_key(save(tmp_path / "rfc", pem("PRIVATE KEY", RFC_PRIVATE)), passphrase=None)
    public = load_verification_key(save(tmp_path / "rfc.pub", pem("PUBLIC KEY", RFC_PUBLIC)))
    assert signing.public_key() == public
    assert key_id(public) == hashlib.sha256(base64.b64decode(RFC_PUBLIC)).hexdigest()


@pytest.mark.parametrize("kind", KINDS)
def test_the_key_id_is_the_digest_of_the_public_files_own_base64(tmp_path: Path, kind: KeyKind) -> None:
    public_path = write_key_pair(tmp_path / "issuer", new_key(kind), passphrase=None)
    body = "".join(public_path.read_text().splitlines()[1:-1])
    assert key_id(load_verification_key(public_path)) == hashlib.sha256(base64.b64decode(body)).hexdigest()


def test_two_new_keys_differ() -> None:
    assert key_id(new_key("ed25519").public_key()) != key_id(new_key("ed25519").public_key())


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_only_the_owner_can_read_the_private_half_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        write_key_pair(tmp_path / "issuer", new_key("ed25519"), passphrase=None)
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {"issuer": 0o600, "issuer.pub": 0o644}


def test_the_passphrase_encrypts_the_private_half(tmp_path: Path) -> None:
    key = new_key("ed25519")
    write_key_pair(tmp_path / "issuer", key, passphrase=b"long enough to matter")
    written = (tmp_path / "issuer").read_bytes()
    assert written.startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
    assert key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption()) not in base64.b64decode(
        b"".join(written.splitlines()[1:-1])
    )


@pytest.mark.parametrize("existing", ["issuer", "issuer.pub"])
def test_an_existing_file_is_never_replaced(tmp_path: Path, existing: str) -> None:
    (tmp_path / existing).write_bytes(b"precious")
    with pytest.raises(KeyFileError, match=r"expected no file at .*issuer.*; choose another path"):
        write_key_pair(tmp_path / "issuer", new_key("ed25519"), passphrase=None)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {existing: b"precious"}


def test_a_dangling_link_counts_as_existing(tmp_path: Path) -> None:
    (tmp_path / "issuer").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(KeyFileError, match="expected no file at"):
        write_key_pair(tmp_path / "issuer", new_key("ed25519"), passphrase=None)
    assert [path.name for path in tmp_path.iterdir()] == ["issuer"]


def test_a_private_key_that_appears_meanwhile_is_kept_and_no_public_half_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link: Callable[[Path, Path], None] = os.link

    def link_late(source: Path, target: Path) -> None:
        if target.name == "issuer":
            target.write_bytes(b"precious")
        link(source, target)

    monkeypatch.setattr(os, "link", link_late)
    with pytest.raises(KeyFileError, match="a key is never replaced"):
        write_key_pair(tmp_path / "issuer", new_key("ed25519"), passphrase=None)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"issuer": b"precious"}


def test_an_empty_passphrase_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="expected a passphrase, got an empty one"):
        write_key_pair(tmp_path / "issuer", new_key("ed25519"), passphrase=b"")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match=r"to write a key, got 'No such file or directory' at .*check the path"):
        write_key_pair(tmp_path / "nowhere" / "issuer", new_key("ed25519"), passphrase=None)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o620])
def test_a_private_key_that_others_can_open_is_refused(tmp_path: Path, mode: int) -> None:
    write_key_pair(tmp_path / "issuer", new_key("ed25519"), passphrase=None)
    (tmp_path / "issuer").chmod(mode)
    with pytest.raises(KeyFileError, match=rf"mode {mode:o}, readable by others; run chmod 600"):
        load_signing_key(tmp_path / "issuer", passphrase=None)


@pytest.mark.parametrize(
    ("mode", "owner", "user", "open_to_others"),
    [
        (0o440, 0, 65532, False),  # what the kubelet makes of a Secret in a pod with fsGroup
        (0o400, 0, 65532, False),
        (0o640, 0, 65532, False),
        (0o460, 0, 65532, True),  # the group could replace it
        (0o444, 0, 65532, True),  # a Secret in a pod without fsGroup
        (0o440, 1000, 65532, True),  # another person's
        (0o440, 0, 0, True),
        (0o440, 65532, 65532, True),
    ],
)
def test_a_key_is_open_to_others_unless_it_is_ours_alone_or_mounted_by_kubernetes(
    mode: int, owner: int, user: int, open_to_others: bool
) -> None:
    status = os.stat_result((stat.S_IFREG | mode, 1, 1, 1, owner, user, 64, 0, 0, 0))
    assert is_open_to_others(status, user=user) is open_to_others


def test_a_secret_mounted_for_the_group_of_the_pod_is_loaded() -> None:
    with mounted_secret(mode=0o440) as key:
        if key.stat().st_uid == os.geteuid():  # who is not root can mount none, and 440 of one's own is refused
            with pytest.raises(KeyFileError, match="mode 440, readable by others"):
                load_signing_key(key, passphrase=None)
        else:
            loaded = load_signing_key(key, passphrase=None)
            assert key_id(loaded.public_key()) == hashlib.sha256(base64.b64decode(RFC_PUBLIC)).hexdigest()


def test_a_private_key_of_mode_400_and_one_behind_a_link_are_accepted(tmp_path: Path) -> None:
    write_key_pair(tmp_path / "issuer", new_key("ed25519"), passphrase=None)
    (tmp_path / "issuer").chmod(0o400)
    (tmp_path / "link").symlink_to("issuer")
    assert key_id(load_signing_key(tmp_path / "link", passphrase=None).public_key())


@pytest.mark.parametrize(
    ("written", "given", "message"),
    [
        (b"right and long", b"wrong and long", "a wrong passphrase or a damaged key"),
        (b"right and long", None, "expected the passphrase of .* got none"),
        (b"right and long", b"", "expected the passphrase of .* got none"),
        (None, b"needless", "a passphrase for a key that is not encrypted; leave the passphrase out"),
    ],
)
def test_a_passphrase_that_does_not_fit_is_refused(
    tmp_path: Path, written: bytes | None, given: bytes | None, message: str
) -> None:
    write_key_pair(tmp_path / "issuer", new_key("ecdsa-p256"), passphrase=written)
    with pytest.raises(KeyFileError, match=message) as caught:
        load_signing_key(tmp_path / "issuer", passphrase=given)
    assert not given or given.decode() not in str(caught.value)


def not_signing_keys() -> dict[str, tuple[bytes, str]]:
    """Contents that are no Ed25519 or P-256 key in PKCS#8, and what is said about them."""
    p256, p384 = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP384R1())
    rsa_key = rsa.generate_private_key(65537, 2048)
    return {
        "public": (public_pem(p256), "expected a PKCS#8 private key .* got 'PUBLIC KEY'; name the private half"),
        "p384": (private_pem(p384), "got EC secp384r1"),
        "rsa": (private_pem(rsa_key), "expected an Ed25519 or ECDSA P-256 key .* got RSA;"),
        "sec1": (private_pem(p256, PrivateFormat.TraditionalOpenSSL), "got 'EC PRIVATE KEY'; convert it with `openssl"),
        "text": (b"not a key", "expected one key in PEM form .* got no PEM file"),
        "empty": (b"", "got no PEM file"),
        "two": (2 * pem("PRIVATE KEY", RFC_PRIVATE), "got 2 PEM blocks"),
        "damaged": (pem("PRIVATE KEY", RFC_PRIVATE[:40]), "got a damaged or unknown key"),
        "huge": (b"x" * (MAX_KEY_BYTES + 1), "got over 65536 bytes"),
    }


@pytest.mark.parametrize("case", sorted(not_signing_keys()))
def test_what_is_no_signing_key_is_refused_in_one_line(tmp_path: Path, case: str) -> None:
    data, message = not_signing_keys()[case]
    with pytest.raises(KeyFileError, match=message) as caught:
        load_signing_key(save(tmp_path / "key", data), passphrase=None)
    assert "\n" not in str(caught.value)


def not_verification_keys() -> dict[str, tuple[bytes, str]]:
    """Contents that are no public Ed25519 or P-256 key, and what is said about them."""
    p384, rsa_key = ec.generate_private_key(ec.SECP384R1()), rsa.generate_private_key(65537, 2048)
    private = pem("PRIVATE KEY", RFC_PRIVATE)
    return {
        "private": (private, "got a PRIVATE key; use 'key.pub', and never hand the private key out"),
        "encrypted": (pem("ENCRYPTED PRIVATE KEY", RFC_PRIVATE), "never hand the private key out"),
        "both": (private + pem("PUBLIC KEY", RFC_PUBLIC), "got 2 PEM blocks"),
        "p384": (public_pem(p384), "got EC secp384r1"),
        "rsa": (public_pem(rsa_key), "got RSA;"),
        "certificate": (pem("CERTIFICATE", RFC_PUBLIC), "got 'CERTIFICATE'; ask its owner for the .pub file"),
        "damaged": (pem("PUBLIC KEY", RFC_PUBLIC[:20]), "got a damaged or unknown key"),
    }


@pytest.mark.parametrize("case", sorted(not_verification_keys()))
def test_what_is_no_verification_key_is_refused_in_one_line(tmp_path: Path, case: str) -> None:
    data, message = not_verification_keys()[case]
    with pytest.raises(KeyFileError, match=message) as caught:
        load_verification_key(save(tmp_path / "key", data))
    assert "\n" not in str(caught.value)


def test_a_missing_file_a_folder_and_a_pipe_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(KeyFileError, match="got no such file; make one with `robustcert keys new`"):
        load_signing_key(tmp_path / "nothing", passphrase=None)
    with pytest.raises(KeyFileError, match=r"expected a key file at .* got a folder or device"):
        load_verification_key(tmp_path)
    with pytest.raises(KeyFileError, match=r"expected a key file at .* got a folder or device"):
        load_signing_key(tmp_path / "pipe", passphrase=None)


def test_a_key_behind_a_file_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(KeyFileError, match="expected a readable key file, got 'Not a directory'"):
        load_verification_key(tmp_path / "file" / "issuer.pub")


def test_a_key_given_as_bytes_needs_no_file() -> None:
    key = parse_signing_key(pem("PRIVATE KEY", RFC_PRIVATE), passphrase=None, name="the secret")
    assert key_id(key.public_key()) == hashlib.sha256(base64.b64decode(RFC_PUBLIC)).hexdigest()
    with pytest.raises(KeyFileError, match="expected one key in PEM form in 'the secret'"):
        parse_signing_key(b"", passphrase=None, name="the secret")


def test_a_key_that_this_user_may_not_read_and_a_folder_that_it_may_not_write_are_refused() -> None:
    with (
        folder_of_another_user() as folder,
        pytest.raises(KeyFileError, match=r"Permission denied.*check owner and mode"),
    ):
        load_signing_key(folder / "issuer", passphrase=None)
    with (
        folder_of_another_user() as folder,
        pytest.raises(KeyFileError, match="to write a key, got 'Permission denied'"),
    ):
        write_key_pair(folder / "other", new_key("ed25519"), passphrase=None)


@contextmanager
def mounted_secret(*, mode: int) -> Iterator[Path]:
    """A key behind the two links that the kubelet makes; root, who owns it then, becomes a user of the key's group."""
    with tempfile.TemporaryDirectory() as name:
        folder, user, group = Path(name), os.geteuid(), os.getegid()
        folder.chmod(0o755)
        (folder / "..2026").mkdir(mode=0o755)
        save(folder / "..2026" / "key", pem("PRIVATE KEY", RFC_PRIVATE)).chmod(mode)
        (folder / "..data").symlink_to("..2026")
        (folder / "key").symlink_to("..data/key")
        try:
            if user == 0:
                os.chown(folder / "key", 0, 65532)
                os.setegid(65532)
                os.seteuid(65532)
            yield folder / "key"
        finally:
            os.seteuid(user)
            os.setegid(group)


@contextmanager
def folder_of_another_user() -> Iterator[Path]:
    """A folder that this process can neither write nor read the key in; root, who can do both, becomes nobody."""
    with tempfile.TemporaryDirectory() as name:
        save(Path(name) / "issuer", pem("PRIVATE KEY", RFC_PRIVATE)).chmod(0o000)
        Path(name).chmod(0o555)
        user = os.geteuid()
        try:
            if user == 0:
                os.seteuid(65534)
            yield Path(name)
        finally:
            os.seteuid(user)
            Path(name).chmod(0o700)
