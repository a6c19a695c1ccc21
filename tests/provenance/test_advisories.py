"""Advisories: which versions they name, held against packaging's own specifiers and OSV's published examples."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from robustcert.errors import InputError
from robustcert.provenance.advisories import Advisories, load_advisories, parse_advisory

Document = dict[str, Any]
# OSV's ranges of urllib3 in PYSEC-2023-212: two lines of releases, the newer one first, as published.
TWO_LINES = [{"introduced": "2.0.0"}, {"fixed": "2.0.7"}, {"introduced": "0"}, {"fixed": "1.26.18"}]


def advisory(events: list[Document], *, package: str = "urllib3", **changes: object) -> Document:
    affected = {"package": {"ecosystem": "PyPI", "name": package}, "ranges": [{"type": "ECOSYSTEM", "events": events}]}
    return {"id": "PYSEC-1", "modified": "2026-01-01T00:00:00Z", "affected": [affected], **changes}


def known(document: Document) -> Advisories:
    return Advisories([parse_advisory(json.dumps(document).encode(), name="given")])


@pytest.mark.parametrize(
    ("version", "fixed"),
    [
        ("0.2", "1.26.18"),
        ("1.26.17", "1.26.18"),
        ("1.26.18", None),
        ("1.26.99", None),
        ("2.0.0", "2.0.7"),
        ("2.0.6.post1", "2.0.7"),
        ("2.0.7", None),
        ("2.0.7rc1", "2.0.7"),
        ("2.0.6+local.1", "2.0.7"),
        ("2.0.7+local.1", None),
    ],
)
def test_a_version_is_named_between_introduction_and_fix(version: str, fixed: str | None) -> None:
    found = known(advisory(TWO_LINES)).of("urllib3", version)
    assert [bad.fixed for bad in found] == ([fixed] if fixed else [])


numbers = st.lists(st.integers(0, 12), min_size=1, max_size=3).map(lambda parts: ".".join(map(str, parts)))


@given(version=numbers, introduced=numbers, fixed=numbers)
def test_a_range_is_what_packaging_makes_of_it(version: str, introduced: str, fixed: str) -> None:
    assume(Version(introduced) < Version(fixed))
    bounds = [{"introduced": introduced}, {"fixed": fixed}]
    wanted = version in SpecifierSet(f">={introduced},<{fixed}")
    assert bool(known(advisory(bounds)).of("urllib3", version)) == wanted


@given(version=numbers, introduced=numbers, last=numbers, limit=numbers)
def test_a_last_affected_version_and_a_limit_are_what_packaging_makes_of_them(
    version: str, introduced: str, last: str, limit: str
) -> None:
    assume(Version(introduced) <= Version(last))
    bounds = [{"introduced": introduced}, {"last_affected": last}, {"limit": limit}]
    wanted = version in SpecifierSet(f">={introduced},<={last},<{limit}")
    assert bool(known(advisory(bounds)).of("urllib3", version)) == wanted


def test_a_listed_version_is_named_and_one_that_pep_440_cannot_read_is_passed_over() -> None:
    affected = {"package": {"ecosystem": "PyPI", "name": "pytz"}, "versions": ["2004d", "2005.1", "2006.0"]}
    found = known({"id": "X-1", "affected": [affected]})
    assert [bool(found.of("pytz", version)) for version in ("2005.1", "2006", "2007.0")] == [True, True, False]


@pytest.mark.parametrize(
    "changes",
    [
        {"withdrawn": "2026-02-01T00:00:00Z"},
        {"affected": [{"package": {"ecosystem": "npm", "name": "urllib3"}, "versions": ["2.0.0"]}]},
        {"affected": [{"versions": ["2.0.0"]}]},
    ],
    ids=["withdrawn", "of another ecosystem", "of no package"],
)
def test_advisories_that_do_not_speak_of_python_packages_name_nothing(tmp_path: Path, changes: Document) -> None:
    (tmp_path / "a.json").write_text(json.dumps(advisory(TWO_LINES) | changes))
    assert load_advisories([tmp_path]).of("urllib3", "2.0.0") == []


def test_names_compare_as_package_names_do() -> None:
    found = known(advisory([{"introduced": "0"}], package="Scikit_Learn")).of("scikit-learn", "1.0")
    assert str(found[0]) == "scikit-learn 1.0: PYSEC-1 (no release is named that fixes it)"


def test_a_finding_says_which_package_why_and_what_fixes_it() -> None:
    document = advisory(TWO_LINES, summary="Bodies are\nsent along", aliases=["CVE-2", "CVE-1"])
    (bad,) = known(document).of("urllib3", "1.0")
    assert str(bad) == "urllib3 1.0: PYSEC-1, CVE-1, CVE-2: Bodies are sent along (fixed in 1.26.18)"


def test_files_folders_and_archives_are_read_together(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep/torch.json").write_text(json.dumps(advisory([{"introduced": "0"}], package="torch", id="A")))
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("PYSEC-2.json", json.dumps(advisory([{"introduced": "0"}], package="kfp", id="B")))
    single = tmp_path / "single.osv"
    single.write_text(json.dumps(advisory([{"introduced": "0"}], package="onnx", id="C")))
    found = load_advisories([tmp_path, single])
    assert len(found) == 3
    assert [found.of(name, "1")[0].advisory.id for name in ("torch", "kfp", "onnx")] == ["A", "B", "C"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", r"expected an advisory in OSV's format \(JSON\), got '.*a.json' with the document: Invalid JSON"),
        (b"[]", r"got '.*a.json' with the document: Input should be an object; download it again, or take it out"),
        (b'{"summary": "x"}', "with id: Field required"),
        (b'{"id": "A", "affected": [{"ranges": [{"type": "ECOSYSTEM"}]}]}', "with affected.0.ranges.0.events: Field"),
        (
            b'{"id": "A", "affected": [{"ranges": [{"type": "ECOSYSTEM", "events": [{"fixed": "1", "limit": "2"}]}]}]}',
            "expected one of introduced, fixed, last_affected, limit",
        ),
        (b'{"id": "A", "affected": ' + b"[" * 5000 + b"]" * 5000 + b"}", "recursion limit exceeded"),
    ],
)
def test_a_malformed_advisory_is_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(InputError, match=message) as refused:
        load_advisories([tmp_path])
    assert "\n" not in str(refused.value)


def test_a_bound_that_is_no_version_is_refused_where_the_package_is_ours() -> None:
    found = known(advisory([{"introduced": "first"}]))
    assert found.of("torch", "1.0") == []
    with pytest.raises(InputError, match=r"expected a version as in PEP 440, got 'first' of PYSEC-1"):
        found.of("urllib3", "1.0")


def test_a_component_whose_version_cannot_be_compared_is_refused_where_advisories_name_it() -> None:
    found = known(advisory(TWO_LINES))
    assert found.of("torch", "unknown") == []
    with pytest.raises(InputError, match=r"expected a version as in PEP 440, got 'unknown' of urllib3"):
        found.of("urllib3", "unknown")


def test_a_place_without_advisories_and_a_damaged_archive_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"got No such file or directory: '.*nothing'; name one that is there"):
        load_advisories([tmp_path / "nothing"])
    (tmp_path / "all.zip").write_bytes(b"PK")
    with pytest.raises(InputError, match=r"got a damaged or encrypted archive: '.*all.zip'"):
        load_advisories([tmp_path])


def test_an_endless_advisory_is_refused_before_it_is_parsed(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.json", b" " * (17 << 20))
    with pytest.raises(InputError, match=r"expected an advisory of at most 16777216 bytes"):
        load_advisories([tmp_path])
