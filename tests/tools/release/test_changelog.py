"""The changelog's newest section, and how it becomes a release's."""

from __future__ import annotations

import pytest

from robustcert.errors import InputError
from tests.tools.release.work_trees import ROOT
from tools.release.changelog import newest, released

LOG = "# Changelog\n\nWords.\n\n## Unreleased\n\n- One,\n  longer.\n- Two.\n\n## 0.4.0 (2026-01-31)\n\n- Old.\n"


def test_the_newest_section_is_read_with_its_entries_and_not_those_of_others() -> None:
    section = newest(LOG)
    assert (section.heading, section.is_open, section.version, section.entries) == ("Unreleased", True, None, 2)


@pytest.mark.parametrize(
    ("heading", "is_open", "version"),
    [("0.4.0 (not released)", True, "0.4.0"), ("0.4.0 (2026-01-31)", False, "0.4.0"), ("Unreleased", True, None)],
)
def test_a_section_says_whether_it_is_open_and_of_which_version(
    heading: str, is_open: bool, version: str | None
) -> None:
    section = newest(f"## {heading}\n")
    assert (section.is_open, section.version, section.entries) == (is_open, version, 0)


def test_only_the_heading_changes() -> None:
    assert released(LOG, "0.5.0", date="2026-02-28") == LOG.replace("## Unreleased", "## 0.5.0 (2026-02-28)")
    assert newest(released(LOG, "0.5.0", date="2026-02-28")).version == "0.5.0"


def test_the_checkouts_changelog_can_be_read() -> None:
    assert newest((ROOT / "CHANGELOG.md").read_text()).entries > 0


@pytest.mark.parametrize(("text", "got"), [("# Changelog\n", "no section"), ("## Soon\n", "'## Soon'")])
def test_another_form_is_refused(text: str, got: str) -> None:
    with pytest.raises(InputError, match=f"expected a newest section in CHANGELOG.md, got {got}; begin with one of"):
        newest(text)
