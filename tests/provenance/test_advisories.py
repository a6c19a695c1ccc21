"""Advisories: which versions they name, held against packaging's own specifiers and OSV's published examples."""

from __future__ import annotations

import json
import sys
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
PACKAGE = {"ecosystem": "PyPI", "name": "urllib3"}
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
        (
            b'{"id": "A", "affected": [{"ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": null}]}]}]}',
            "expected one of introduced, fixed, last_affected, limit",
        ),
        (
            b'{"id": "A", "affected": [{"ranges": [{"type": "ECOSYSTEM", "events": [{"fixed": "1"}]}]}]}',
            "with affected.0.ranges.0: Value error, expected an event `introduced`",
        ),
        (b'{"id": "A", "withdrawn": ""}', "with withdrawn: Input should be a valid datetime"),
        (
            b'{"id": "A", "affected": [' + b"{}," * 10_000 + b"{}]}",
            "with affected: List should have at most 10000 items",
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


@pytest.mark.parametrize("digits", [4300, 5000])
def test_a_number_that_python_does_not_convert_is_no_version(digits: int) -> None:
    found = known(advisory([{"introduced": "9" * digits}]) | {"id": "A"})
    listed = known({"id": "A", "affected": [{"package": PACKAGE, "versions": ["9" * digits, "1.0"]}]})
    assert [bad.version for bad in listed.of("urllib3", "1.0")] == ["1.0"]
    if digits > sys.get_int_max_str_digits():
        with pytest.raises(InputError, match=r"expected a version as in PEP 440, got '9{60}' of A;"):
            found.of("urllib3", "1.0")
        with pytest.raises(InputError, match=r"expected a version as in PEP 440, got '9{60}' of urllib3;"):
            listed.of("urllib3", "9" * digits)
    else:
        assert found.of("urllib3", "1.0") == []


def test_ranges_of_semantic_versions_count_and_those_of_commits_do_not() -> None:
    for kind, named in (("SEMVER", True), ("ECOSYSTEM", True), ("GIT", False)):
        events = [{"introduced": "0"}, {"fixed": "2.0.0"}]
        affected = {"package": PACKAGE, "ranges": [{"type": kind, "events": events}]}
        assert bool(known({"id": "A", "affected": [affected]}).of("urllib3", "1.0")) is named


def test_lists_that_osv_lets_be_null_are_empty() -> None:
    assert known({"id": "A", "affected": None, "aliases": None}).of("urllib3", "1.0") == []
    (bad,) = known(advisory(TWO_LINES, aliases=None)).of("urllib3", "1.0")
    assert bad.advisory.aliases == []


def test_an_advisory_adds_no_line_of_its_own_and_does_not_speak_to_the_terminal() -> None:
    (bad,) = known(advisory(TWO_LINES, id="A\n0 findings", summary="a\x1b[2Jb", aliases=["\x9b"])).of("urllib3", "1.0")
    assert str(bad) == "urllib3 1.0: A 0 findings, : a[2Jb (fixed in 1.26.18)"


def test_a_component_whose_version_cannot_be_compared_is_refused_where_advisories_name_it() -> None:
    found = known(advisory(TWO_LINES))
    assert found.of("torch", "unknown") == []
    with pytest.raises(InputError, match=r"expected a version as in PEP 440, got 'unknown' of urllib3"):
        found.of("urllib3", "unknown")


def test_a_place_without_advisories_and_a_damaged_archive_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"got No such file or directory: '.*nothing'; name another"):
        load_advisories([tmp_path / "nothing"])
    (tmp_path / "all.zip").write_bytes(b"PK")
    with pytest.raises(InputError, match=r"got a damaged or encrypted archive: '.*all.zip'"):
        load_advisories([tmp_path])


@pytest.mark.parametrize("name", ["nothing.zip", "text.zip", "folder"])
def test_a_place_that_holds_no_advisory_is_refused_as_it_would_find_nothing(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/a.txt").write_text("{}")
    for file, entries in (("nothing.zip", []), ("text.zip", ["a.txt"])):
        with zipfile.ZipFile(tmp_path / file, "w") as archive:
            for entry in entries:
                archive.writestr(entry, "{}")
    with pytest.raises(InputError, match=rf"got a place without one \(\*\.json\): '.*{name}'; name another"):
        load_advisories([tmp_path / name])


def test_withdrawn_advisories_alone_are_advisories(tmp_path: Path) -> None:
    (tmp_path / "A.JSON").write_text(json.dumps(advisory(TWO_LINES) | {"withdrawn": "2026-01-01T00:00:00Z"}))
    assert len(load_advisories([tmp_path])) == 0


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_an_archive_whose_bytes_are_changed_is_refused_in_one_line(tmp_path: Path, method: int) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w", method) as archive:
        archive.writestr("a.json", json.dumps(advisory(TWO_LINES, summary="".join(map(chr, range(40, 120))))))
    whole = (tmp_path / "all.zip").read_bytes()
    for place in range(60, 160, 4):
        (tmp_path / "all.zip").write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        with pytest.raises(InputError, match=r"got (a damaged or encrypted archive|an unreadable one): '") as refused:
            load_advisories([tmp_path / "all.zip"])
        assert "\n" not in str(refused.value)


def test_an_archive_that_unpacks_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("robustcert.provenance.advisories.MOST_BYTES_OF_AN_ARCHIVE", 1000)
    with zipfile.ZipFile(tmp_path / "all.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for place in range(5):
            archive.writestr(f"{place}.json", json.dumps(advisory(TWO_LINES)))
    with pytest.raises(InputError, match=r"got an archive of more than 1000 bytes: '.*all.zip'"):
        load_advisories([tmp_path])


def test_an_endless_advisory_is_refused_before_it_is_parsed(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.json", b" " * (17 << 20))
    with pytest.raises(InputError, match=r"expected an advisory of at most 16777216 bytes"):
        load_advisories([tmp_path])
