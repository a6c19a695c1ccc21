"""Jobs and what starts them: cron strings that come, zones that exist, never two at once, and an end to everything."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from zoneinfo import available_timezones

from robustcert.errors import InputError
from tools.chart.checks.cron import parse_cron
from tools.chart.checks.release import HOOK, Check, Object, Release, Wrong, annotations_of, look, wrong

LEAST_DEADLINE_SECONDS = 60  # the controller looks every 10 s; below that a job may never start
MOST_HISTORY, MOST_ATTEMPTS = 100, 20
ENDS = ("Never", "OnFailure")


def schedules_come(release: Release) -> Iterator[Wrong]:
    """Every schedule can be read, and comes some day."""
    for item in release.of("CronJob"):
        text = str(look(item, "spec").get("schedule"))
        try:
            if not parse_cron(text).comes():
                what, remedy = "a day that comes", "name a day that its months have"
                yield wrong(item, "spec.schedule", what, got=repr(text), remedy=remedy)
        except InputError as error:
            yield Wrong(item=item, path="spec.schedule", message=str(error))


def time_zones_known(release: Release) -> Iterator[Wrong]:
    """Every schedule says its time zone, by a name of the IANA database."""
    for item in release.of("CronJob"):
        if (got := look(item, "spec").get("timeZone")) not in _zones():
            what, remedy = "a time zone such as Etc/UTC", "name one of the IANA database"
            yield wrong(item, "spec.timeZone", what, got=repr(got), remedy=remedy)


def concurrency_forbidden(release: Release) -> Iterator[Wrong]:
    """No job starts beside its predecessor."""
    for item in release.of("CronJob"):
        if (got := look(item, "spec").get("concurrencyPolicy")) != "Forbid":
            yield wrong(item, "spec.concurrencyPolicy", "Forbid", got=got, remedy="say so")


def starts_have_deadlines(release: Release) -> Iterator[Wrong]:
    """A job that could not start in time is left out: without a deadline 100 missed ones stop a CronJob for ever."""
    for item in release.of("CronJob"):
        got = look(item, "spec").get("startingDeadlineSeconds")
        if not isinstance(got, int) or got < LEAST_DEADLINE_SECONDS:
            what = f"{LEAST_DEADLINE_SECONDS} seconds or more"
            yield wrong(item, "spec.startingDeadlineSeconds", what, got=got, remedy="set one")


def histories_are_limited(release: Release) -> Iterator[Wrong]:
    """Finished jobs are kept in small numbers, and said so."""
    for item in release.of("CronJob"):
        for key in ("successfulJobsHistoryLimit", "failedJobsHistoryLimit"):
            got = look(item, "spec").get(key)
            if not isinstance(got, int) or not 0 <= got <= MOST_HISTORY:
                yield wrong(item, f"spec.{key}", f"0 to {MOST_HISTORY}", got=got, remedy="set one")


def jobs_end(release: Release) -> Iterator[Wrong]:
    """Every job has a deadline, a number of attempts, and pods that are not restarted for ever."""
    for item, path, spec in _jobs(release):
        deadline, attempts = spec.get("activeDeadlineSeconds"), spec.get("backoffLimit")
        restart = look(spec, "template.spec").get("restartPolicy")
        if not isinstance(deadline, int) or deadline < 1:
            yield wrong(item, f"{path}.activeDeadlineSeconds", "seconds", got=deadline, remedy="set it")
        if not isinstance(attempts, int) or not 0 <= attempts <= MOST_ATTEMPTS:
            yield wrong(item, f"{path}.backoffLimit", f"0 to {MOST_ATTEMPTS}", got=attempts, remedy="set it")
        if restart not in ENDS:
            place = f"{path}.template.spec.restartPolicy"
            yield wrong(item, place, "Never or OnFailure", got=restart, remedy="say which")


def jobs_are_cleared_away(release: Release) -> Iterator[Wrong]:
    """A Job of its own vanishes some time after its end, or before the next one of its hook."""
    for item in release.of("Job"):
        hook = annotations_of(item)
        if "ttlSecondsAfterFinished" not in look(item, "spec") and not (
            HOOK in hook and f"{HOOK}-delete-policy" in hook
        ):
            remedy = "set it, or a hook's delete policy"
            yield wrong(item, "spec.ttlSecondsAfterFinished", "seconds", got="none", remedy=remedy)


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _jobs(release: Release) -> Iterator[tuple[Object, str, Object]]:
    for item in release.of("Job"):
        yield item, "spec", look(item, "spec")
    for item in release.of("CronJob"):
        yield item, "spec.jobTemplate.spec", look(item, "spec.jobTemplate.spec")


SCHEDULES: tuple[Check, ...] = (
    schedules_come,
    time_zones_known,
    concurrency_forbidden,
    starts_have_deadlines,
    histories_are_limited,
    jobs_end,
    jobs_are_cleared_away,
)
