"""All checks together: nothing is found in a good release, and each change for the worse is found by one check."""

from __future__ import annotations

from pathlib import Path

from tests.tools.chart.checks.good_release import changed, found, good_objects, put, release_of
from tools.chart.checks.every import CHECKS
from tools.chart.checks.release import check_name, findings


def test_a_good_release_has_no_finding_and_something_for_every_check_to_look_at() -> None:
    release = release_of(good_objects())
    assert [str(finding) for finding in findings(release, CHECKS)] == []
    assert len(release.objects) == 24
    assert len(release.pods) == 4


def test_every_check_has_a_name_of_its_own_and_says_what_it_holds() -> None:
    names = [check_name(check) for check in CHECKS]
    assert len(names) == len(set(names)) > 90
    assert all((check.__doc__ or "").strip().endswith(".") for check in CHECKS)


def test_every_check_has_a_test_that_shows_it_finding(root: Path) -> None:
    files = sorted((root / "tests/tools/chart/checks").glob("test_*.py"))
    told = "".join(path.read_text() for path in files if path.name != "test_every.py")
    assert [name for check in CHECKS if f'"{(name := check_name(check))}"' not in told] == []


def test_the_checks_are_asked_in_the_order_of_a_review() -> None:
    order = [check.__module__.rpartition(".")[2] for check in CHECKS]
    subjects = list(dict.fromkeys(order))
    assert order == sorted(order, key=subjects.index)
    assert subjects == [
        "pod_security", "containers", "programs", "images", "quantities", "volumes", "secrets", "rbac", "references",
        "network", "addresses", "schedules", "names", "contents",
    ]  # fmt: skip


def test_two_mistakes_are_two_findings() -> None:
    release = changed(
        put("CronJob/r-drift-digits", "spec.timeZone", "Mars/Olympus"),
        put("Deployment/r-exporter", "spec.template.spec.hostNetwork", True),
    )
    assert found(release) == {"time-zones-known", "disallow-host-namespaces"}
