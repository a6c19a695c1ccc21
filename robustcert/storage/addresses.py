"""Names inside a store, and the check that bytes are what their address says.

A store holds objects, named by the SHA-256 of their bytes and never changed, and documents, named by a path such as
`runs/<id>/record.json`. Both backends use these names, so that a folder can be copied to a bucket and back.
"""

from __future__ import annotations

import re

from robustcert.errors import InputError, StorageError, expected

OBJECTS = "objects"
MAX_NAME = 512

_SEGMENT = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}"
_NAME = re.compile(rf"{_SEGMENT}(/{_SEGMENT})*")
_SHA256 = re.compile(r"[0-9a-f]{64}")


def object_name(sha256: str) -> str:
    """Where an object lies; InputError when `sha256` is no lower-case hexadecimal SHA-256.

    >>> object_name("ab" * 32)[:25]
    'objects/sha256/ab/abababa'
    """
    if not _SHA256.fullmatch(sha256):
        remedy = "use the digest that the store returned"
        raise InputError(expected("64 lower-case hexadecimal digits", got=repr(sha256), remedy=remedy))
    return f"{OBJECTS}/sha256/{sha256[:2]}/{sha256}"


def document_name(name: str) -> str:
    """`name` itself when a document may bear it; InputError on `..`, absolute paths, hidden files and objects.

    >>> document_name("runs/2f/record.json")
    'runs/2f/record.json'
    """
    if len(name) > MAX_NAME or not _NAME.fullmatch(name) or name.split("/")[0] == OBJECTS:
        remedy = "use letters, digits, '.', '_', '-' between slashes, and nothing that starts with a dot"
        raise InputError(
            expected("a document name such as 'runs/<id>/record.json'", got=repr(name[:80]), remedy=remedy)
        )
    return name


def document_prefix(prefix: str) -> str:
    """`prefix` itself when names may start with it ("" means all); InputError as for a document's name."""
    if prefix:
        document_name(prefix.removesuffix("/"))
    return prefix


def is_document(name: str) -> bool:
    """Whether a file found in a store is one of its documents."""
    return bool(_NAME.fullmatch(name)) and name.split("/")[0] != OBJECTS


class DamagedError(StorageError):
    """What was read is not what was written."""


def require_digest(found: str, *, wanted: str, store: str) -> None:
    """DamagedError, naming the object, unless the digest that was found is the one its name promises."""
    if found != wanted:
        got = f"bytes with SHA-256 {found}"
        remedy = "the object is damaged: delete it and run again"
        raise DamagedError(expected(f"object {wanted} of {store} as it was stored", got=got, remedy=remedy))


def require_document_digest(found: str, *, wanted: str, name: str, store: str) -> None:
    """DamagedError, naming the document, unless its digest is the one that was kept with it."""
    if found != wanted:
        got = f"bytes with SHA-256 {found} instead of {wanted}"
        remedy = "restore it, or delete it and run again"
        raise DamagedError(expected(f"document '{name}' of {store} as it was written", got=got, remedy=remedy))


def missing_object(sha256: str, *, store: str) -> StorageError:
    """The error about an object that the store does not hold."""
    return StorageError(expected(f"object {sha256} in {store}", got="no such object", remedy="run again to make it"))


def changed_document(name: str, *, store: str) -> StorageError:
    """The error about a document that is written once and already has other bytes."""
    remedy = "it is never replaced: choose another name"
    return StorageError(
        expected(f"document '{name}' of {store} to be new", got="other bytes under that name", remedy=remedy)
    )
