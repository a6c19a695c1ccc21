"""The version: MAJOR.MINOR.PATCH of SemVer 2.0, in robustcert/__init__.py and nowhere else.

Without a pre-release part: a wheel, an image and a chart would each spell that in their own way.
"""

from __future__ import annotations

import re

from robustcert.errors import InputError, expected

FILE = "robustcert/__init__.py"
SEMVER = re.compile(r"(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})", re.ASCII)
LINE = re.compile(r'^__version__ = "(.*)"$', re.MULTILINE)

Numbers = tuple[int, int, int]


def numbers(version: str) -> Numbers:
    """What versions compare by; InputError where the text is no version of ours.

    >>> numbers("1.10.0") > numbers("1.9.3")
    True
    """
    match = SEMVER.fullmatch(version)
    if match is None:
        remedy = "write MAJOR.MINOR.PATCH, such as 1.2.3"
        raise InputError(expected("a version as in SemVer, without a pre-release", got=repr(version), remedy=remedy))
    return int(match[1]), int(match[2]), int(match[3])


def current(text: str) -> str:
    """The version in the text of robustcert/__init__.py; InputError where it has not exactly one."""
    found = LINE.findall(text)
    if len(found) != 1:
        remedy = "restore the file"
        raise InputError(
            expected(f'one line __version__ = "..." in {FILE}', got=f"{len(found)} of them", remedy=remedy)
        )
    return str(found[0])


def with_version(text: str, version: str) -> str:
    """The text of robustcert/__init__.py with another version.

    >>> with_version('__version__ = "0.9.0"\\n', "1.2.3")
    '__version__ = "1.2.3"\\n'
    """
    current(text)
    return LINE.sub(f'__version__ = "{version}"', text)
