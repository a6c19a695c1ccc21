"""Whether a version may be released from a checkout: an ordered list of checks, each with a reason or None.

A release is `new`, and then its commit is made; or it is made `again` from the commit that an earlier call made, with
the digests of images that were built from it, or to see that the same bytes come out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from robustcert.errors import InputError, expected
from tools.release import changelog, versions
from tools.release.checkout import Checkout


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the checks look at."""

    version: str
    current: str
    section: changelog.Section
    changes: list[str]
    head: str
    tagged: str | None

    @property
    def kind(self) -> Literal["new", "again"]:
        """`again` where the checkout is the release's own commit."""
        return "again" if self.current == self.version and self._is_dated else "new"

    @property
    def _is_dated(self) -> bool:
        return not self.section.is_open and self.section.version == self.version


def facts(checkout: Checkout, version: str) -> Facts:
    """The facts of a checkout; InputError where the version or a file of the checkout can't be read."""
    versions.numbers(version)
    return Facts(
        version=version,
        current=versions.current((checkout.root / versions.FILE).read_text(encoding="utf-8")),
        section=changelog.newest((checkout.root / changelog.FILE).read_text(encoding="utf-8")),
        changes=checkout.changes,
        head=checkout.head,
        tagged=checkout.commit_of_tag(tag(version)),
    )


def tag(version: str) -> str:
    """The tag of a release.

    >>> tag("1.2.3")
    'v1.2.3'
    """
    return f"v{version}"


def above_the_current(found: Facts) -> str | None:
    """Versions rise; the current one itself only where it was never released."""
    wanted, current = versions.numbers(found.version), versions.numbers(found.current)
    unreleased = found.section.is_open and found.section.version == found.current
    if found.kind == "again" or wanted > current or (wanted == current and unreleased):
        return None
    relation = "of at least" if unreleased else "above"
    return expected(f"a version {relation} {found.current}", got=found.version, remedy="choose a higher one")


def clean(found: Facts) -> str | None:
    """A release holds what is committed, and nothing else."""
    if not found.changes:
        return None
    got = f"{len(found.changes)} changed or new, such as {found.changes[0]}"
    return expected("a work tree without changes", got=got, remedy="commit or remove them")


def told(found: Facts) -> str | None:
    """The changelog says what is new."""
    if found.kind == "again" or (found.section.is_open and found.section.entries):
        return None
    got = "none" if found.section.is_open else f"'## {found.section.heading}' as the newest section"
    remedy = "write what a user can notice, under '## Unreleased'"
    return expected(f"entries of what is not released in {changelog.FILE}", got=got, remedy=remedy)


def untagged(found: Facts) -> str | None:
    """A tag never moves."""
    if found.tagged is None or (found.kind == "again" and found.tagged == found.head):
        return None
    remedy = "choose a higher version, or check that tag out to make its files again"
    return expected(f"no tag {tag(found.version)}", got=f"one at {found.tagged[:12]}", remedy=remedy)


CHECKS: tuple[Callable[[Facts], str | None], ...] = (above_the_current, clean, told, untagged)


def require(found: Facts) -> None:
    """InputError with the first reason not to release."""
    for check in CHECKS:
        if reason := check(found):
            raise InputError(reason)
