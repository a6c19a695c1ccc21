"""Jobs and what starts them."""

from __future__ import annotations

import pytest

from tests.tools.chart.checks.good_release import DRIFT, GONE, UPLOAD, Change, changed, found, put
from tools.chart.checks.release import findings
from tools.chart.checks.schedules import schedules_come

JOB = "spec.jobTemplate.spec."


@pytest.mark.parametrize(
    ("change", "check"),
    [
        (put(DRIFT, "spec.schedule", "0 25 * * *"), "schedules-come"),
        (put(DRIFT, "spec.schedule", "0 0 31 2 *"), "schedules-come"),
        (put(DRIFT, "spec.schedule", "hourly"), "schedules-come"),
        (put(DRIFT, "spec.schedule", GONE), "schedules-come"),
        (put(DRIFT, "spec.timeZone", "Europe/Atlantis"), "time-zones-known"),
        (put(DRIFT, "spec.timeZone", "Local"), "time-zones-known"),
        (put(DRIFT, "spec.timeZone", GONE), "time-zones-known"),
        (put(DRIFT, "spec.concurrencyPolicy", "Allow"), "concurrency-forbidden"),
        (put(DRIFT, "spec.concurrencyPolicy", GONE), "concurrency-forbidden"),
        (put(DRIFT, "spec.startingDeadlineSeconds", GONE), "starts-have-deadlines"),
        (put(DRIFT, "spec.startingDeadlineSeconds", 9), "starts-have-deadlines"),
        (put(DRIFT, "spec.failedJobsHistoryLimit", GONE), "histories-are-limited"),
        (put(DRIFT, "spec.successfulJobsHistoryLimit", 1000), "histories-are-limited"),
        (put(DRIFT, JOB + "activeDeadlineSeconds", GONE), "jobs-end"),
        (put(DRIFT, JOB + "backoffLimit", GONE), "jobs-end"),
        (put(DRIFT, JOB + "template.spec.restartPolicy", "Always"), "jobs-end"),
        (put(UPLOAD, "spec.template.spec.restartPolicy", GONE), "jobs-end"),
        (put(UPLOAD, "spec.backoffLimit", 100), "jobs-end"),
        (put(UPLOAD, "metadata.annotations", GONE), "jobs-are-cleared-away"),
    ],
)
def test_each_change_is_found_by_its_check(change: Change, check: str) -> None:
    assert found(changed(change)) == {check}


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+5"])
def test_zones_of_the_iana_database_are_known(zone: str) -> None:
    assert found(changed(put(DRIFT, "spec.timeZone", zone))) == set()


def test_the_reason_is_that_of_the_reader_of_cron_strings() -> None:
    (finding,) = findings(changed(put(DRIFT, "spec.schedule", "0 25 * * *")), (schedules_come,))
    assert finding.message == "expected 0 to 23 as hour, got '25'; mend the schedule"


def test_a_job_may_vanish_by_its_own_clock() -> None:
    own = [put(UPLOAD, "metadata.annotations", GONE), put(UPLOAD, "spec.ttlSecondsAfterFinished", 86400)]
    assert found(changed(*own)) == set()
