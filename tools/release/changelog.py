"""The changelog: its newest section, and how that becomes the dated section of a release.

A section begins with `## Unreleased`, `## 1.2.3 (not released)` or `## 1.2.3 (2026-01-31)`; its entries are list items.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from robustcert.errors import InputError, expected

FILE = "CHANGELOG.md"
HEADING = re.compile(r"^## (.+)$", re.MULTILINE)
OPEN = re.compile(r"Unreleased|(?P<version>\S+) \(not released\)")
DATED = re.compile(r"(?P<version>\S+) \(\d{4}-\d{2}-\d{2}\)")
ENTRY = re.compile(r"^[-*] \S", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Section:
    """The newest section: its heading and text, where it stands, and which version it names, if any."""

    heading: str
    text: str
    start: int

    @property
    def is_open(self) -> bool:
        """Whether it gathers what is not released yet."""
        return OPEN.fullmatch(self.heading) is not None

    @property
    def version(self) -> str | None:
        """The version that the heading names."""
        match = OPEN.fullmatch(self.heading) or DATED.fullmatch(self.heading)
        return match["version"] if match else None

    @property
    def entries(self) -> int:
        """How many list items it has."""
        return len(ENTRY.findall(self.text))


def newest(changelog: str) -> Section:
    """The first section; InputError where there is none, or one whose heading has another form."""
    headings = list(HEADING.finditer(changelog))
    if not headings:
        raise _unknown("no section")
    end = headings[1].start() if len(headings) > 1 else len(changelog)
    section = Section(heading=headings[0][1], text=changelog[headings[0].end() : end], start=headings[0].start())
    if not section.is_open and section.version is None:
        raise _unknown(f"'## {section.heading}'")
    return section


def released(changelog: str, version: str, *, date: str) -> str:
    """The changelog with its open section turned into that of a release; all else stays.

    >>> released("# Changelog\\n\\n## Unreleased\\n\\n- A thing.\\n", "1.2.3", date="2026-01-31")
    '# Changelog\\n\\n## 1.2.3 (2026-01-31)\\n\\n- A thing.\\n'
    """
    section = newest(changelog)
    heading = f"## {section.heading}"
    rest = changelog[section.start + len(heading) :]
    return f"{changelog[: section.start]}## {version} ({date}){rest}"


def _unknown(got: str) -> InputError:
    remedy = "begin with one of '## Unreleased', '## 1.2.3 (not released)', '## 1.2.3 (2026-01-31)'"
    return InputError(expected(f"a newest section in {FILE}", got=got, remedy=remedy))
