import pytest

from robustcert.errors import InputError, StorageError
from robustcert.storage.addresses import document_name, document_prefix, is_document, object_name, require_digest

DIGEST = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
NAMES = [
    "certificates/digits.json",
    "steps/data_validation/9f.json",
    "runs/2025-01-01T00.00.00Z-1/record.json",
    "index",
]
NO_NAMES = [
    "", "/", "/etc/passwd", "../x", "a/../b", "a/..", "a//b", "a/", "./a", ".hidden", "a/.b", "a b", "a\n", "a\\b", "é",
    "a\0", "C:/x", "objects", "objects/sha256/ab", "a" * 129, "/".join("abcdef" * 90), "~root/x", "a/%2e%2e/b",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_plain_name_is_a_document_and_a_prefix(name: str) -> None:
    assert document_name(name) == document_prefix(name) == name
    assert document_prefix(f"{name}/") == f"{name}/"
    assert is_document(name)


@pytest.mark.parametrize("name", NO_NAMES)
def test_a_name_that_could_leave_the_store_or_hide_in_it_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=r"expected a document name such as 'runs/<id>/record\.json', got '"):
        document_name(name)
    assert not is_document(name) or len(name) > 512


@pytest.mark.parametrize("prefix", ["/", "../", "a/..", "objects/", "a//"])
def test_a_prefix_is_held_to_the_same_rule(prefix: str) -> None:
    with pytest.raises(InputError, match="expected a document name"):
        document_prefix(prefix)


def test_an_object_lies_in_a_folder_of_its_first_two_digits() -> None:
    assert object_name(DIGEST) == f"objects/sha256/e3/{DIGEST}"


@pytest.mark.parametrize("digest", ["", DIGEST.upper(), DIGEST[:-1], f"{DIGEST}0", f"{DIGEST}\n", "../" + DIGEST[3:]])
def test_what_is_no_digest_is_refused(digest: str) -> None:
    with pytest.raises(InputError, match="expected 64 lower-case hexadecimal digits, got '"):
        object_name(digest)


def test_another_digest_names_object_store_and_both_digests() -> None:
    require_digest(DIGEST, wanted=DIGEST, store="file:///s")
    with pytest.raises(
        StorageError, match=rf"expected object {DIGEST} of file:///s as it was stored, got .*SHA-256 00"
    ):
        require_digest("00" * 32, wanted=DIGEST, store="file:///s")
