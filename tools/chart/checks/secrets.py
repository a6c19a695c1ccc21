"""No secret's text stands in an object: it is named, and lies in a Secret that somebody else makes."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from math import log2
from typing import Any

from tools.chart.checks.release import Check, Object, Release, Wrong, annotations_of, wrong

PATTERNS = {
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY"),
    "an access key of Amazon": re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    "a token of GitHub": re.compile(r"\bgh[pousr]_\w{30,}|\bgithub_pat_\w{30,}"),
    "a JSON web token": re.compile(r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}"),
    "a password in an address": re.compile(r"\b[a-z][a-z0-9+.-]*://[^/\s:@'\"]+:[^/\s:@'\"]+@"),
}
ANY = re.compile("|".join(pattern.pattern for pattern in PATTERNS.values()))
PUBLIC = re.compile(r"-----BEGIN (PUBLIC KEY|CERTIFICATE)-----.*?-----END \1-----", re.DOTALL)
BLOCK = re.compile(r"-----BEGIN ([A-Z ]+)-----.*?-----END \1-----", re.DOTALL)
SECRET_VARIABLE = re.compile(r"pass(word|wd|phrase)|secret|credential|_key\b|token", re.IGNORECASE)
PATH_VARIABLE = re.compile(r"_(PATH|FILE|DIR|NAME)$", re.IGNORECASE)
# A word of 32 letters and digits or more that stands alone: not within an address, a path or after `sha256:`.
LONG_WORD = re.compile(r"(?<![\w/+.:@-])[A-Za-z0-9+/_-]{32,128}={0,2}(?![\w/+.-])")
HEX = re.compile(r"[0-9a-f]{32,128}")
RANDOM_BITS = 4.3
DIGESTS = re.compile("checksum|sha256|digest")  # annotations that hold a digest


def secrets_are_named_not_written(release: Release) -> Iterator[Wrong]:
    """No text of an object has the form of a secret."""
    for item in release.objects:
        for path, text in _texts(item):
            plain = PUBLIC.sub("", text)
            for shown in filter(ANY.search, (plain, _decoded(plain))):
                what = next(what for what, pattern in PATTERNS.items() if pattern.search(shown))
                yield _revealed(item, path, what)


def random_words_are_not_written(release: Release) -> Iterator[Wrong]:
    """No variable, argument or setting is a long random word, which is what tokens are."""
    for item in release.objects:
        noted = [(key, text) for key, text in annotations_of(item).items() if not DIGESTS.search(key)]
        for path, text in (*_given(release, item), *noted):
            if any(looks_random(word) for word in LONG_WORD.findall(BLOCK.sub("", text))):
                yield _revealed(item, path, "a random word such as a token")


def secret_variables_come_from_secrets(release: Release) -> Iterator[Wrong]:
    """A variable that is named as a secret takes its text from one."""
    for pod in release.pods:
        for path, container in pod.containers():
            for variable in container.get("env") or ():
                name, text = variable["name"], str(variable.get("value") or "")
                if text and SECRET_VARIABLE.search(name) and not PATH_VARIABLE.search(name):
                    yield _revealed(pod.owner, f"{path}.env[{name}]", "the text of a secret")


def no_secret_is_rendered(release: Release) -> Iterator[Wrong]:
    """The chart makes no Secret: who installs it does, or an operator."""
    for item in release.of("Secret"):
        yield wrong(
            item, "kind", "no Secret in a chart", got="one", remedy="name one that exists, or an ExternalSecret"
        )


def looks_random(word: str) -> bool:
    """Whether a word of 32 letters or more is as mixed as a random one: hexadecimal, or both cases and digits.

    >>> looks_random("robustcert_certificate_expiry_timestamp_seconds"), looks_random("0" * 64)
    (False, False)
    >>> looks_random("q7Jx2LmZp0VtYc8RkWn5BsHd3GfA9UeK4oTi"), looks_random("6f1c90ab3d5e7782" * 4)
    (True, True)
    """
    if HEX.fullmatch(word):
        return len(set(word)) > 8
    kinds = sum(bool(re.search(kind, word)) for kind in ("[a-z]", "[A-Z]", "[0-9]"))
    shares = [word.count(letter) / len(word) for letter in set(word)]
    return kinds == 3 and -sum(share * log2(share) for share in shares) > RANDOM_BITS


def _revealed(item: Object, path: str, what: str) -> Wrong:
    return wrong(item, path, "no secret's text", got=what, remedy="take it from a Secret, and revoke this one")


def _decoded(text: str) -> str:
    """What a text is in base64; empty where it is not."""
    try:
        return base64.b64decode(text.strip(), validate=True).decode("utf-8", "replace") if len(text) > 20 else ""
    except (binascii.Error, ValueError):
        return ""


def _given(release: Release, item: Object) -> Iterator[tuple[str, str]]:
    """Variables and arguments of an object's pod, and the entries of a ConfigMap that are no files of ours."""
    for pod in release.pods:
        for path, container in pod.containers() if pod.owner is item else ():
            listed = container.get("env") or ()
            yield from ((f"{path}.env[{entry['name']}]", str(entry.get("value") or "")) for entry in listed)
            for key in ("command", "args"):
                yield from ((f"{path}.{key}", str(text)) for text in container.get(key) or ())
    if item.get("kind") == "ConfigMap":
        files = (item.get("data") or {}).items()
        yield from ((f"data[{key}]", text) for key, text in files if not key.endswith(".json"))


def _texts(part: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(part, str):
        yield path, part
    elif isinstance(part, Mapping):
        for key, value in part.items():
            yield from _texts(value, f"{path}.{key}".lstrip("."))
    elif isinstance(part, list):
        for index, value in enumerate(part):
            yield from _texts(value, f"{path}[{index}]")


SECRETS: tuple[Check, ...] = (
    secrets_are_named_not_written,
    random_words_are_not_written,
    secret_variables_come_from_secrets,
    no_secret_is_rendered,
)
