"""Cron strings: robfig/cron v3, which the CronJob controller uses, is the oracle.

recorded/cron.json holds what its ParseStandard said of some 460 strings, by hand and at random: null where it refuses,
else the first three times after 2024-01-01T00:00 UTC, none where it finds none within five years.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice, product
from pathlib import Path
from typing import Any

import pytest

from robustcert.errors import InputError
from tools.chart.checks.cron import FIELDS, MACROS, Schedule, parse_cron

# What robfig/cron takes and we don't, since nobody can mean it.
ODD = ["*-5 * * * *", "?-5 * * * *", "1,,2 * * * *", ", * * * *", "+5 * * * *", "@every 1h", "TZ=UTC 0 0 * * *"]


@pytest.fixture(scope="module")
def recorded(root: Path) -> list[dict[str, Any]]:
    cases: list[dict[str, Any]] = json.loads((root / "tests/tools/chart/checks/recorded/cron.json").read_text())
    return cases


def read(text: str) -> Schedule | None:
    try:
        return parse_cron(text)
    except InputError:
        return None


def days(schedule: Schedule) -> Iterator[datetime]:
    """Days of nine years on which a schedule comes, by looking at each."""
    for offset in range(9 * 366):
        day = datetime(2024, 1, 1) + timedelta(days=offset)  # noqa: DTZ001  # a day of a calendar, not a time
        right = (day.day in schedule.days, day.isoweekday() % 7 in schedule.weekdays)
        if day.month in schedule.months and (any(right) if schedule.either_day else all(right)):
            yield day


def times(schedule: Schedule) -> Iterator[str]:
    for day in days(schedule):
        for hour, minute in product(sorted(schedule.hours), sorted(schedule.minutes)):
            if (day.year, day.month, day.day, hour, minute) != (2024, 1, 1, 0, 0):  # strictly after the start
                yield day.replace(hour=hour, minute=minute).isoformat(timespec="minutes")


def test_the_same_strings_are_refused(recorded: list[dict[str, Any]]) -> None:
    refused = {case["cron"] for case in recorded if case["next"] is None}
    assert {case["cron"] for case in recorded if read(case["cron"]) is None} == refused
    assert len(recorded) - 150 > len(refused) > 150


def test_every_other_string_comes_at_the_same_times(recorded: list[dict[str, Any]]) -> None:
    read_ones = [(case, parse_cron(case["cron"])) for case in recorded if case["next"] is not None]
    assert [(case["cron"], list(islice(times(schedule), 3))) for case, schedule in read_ones] == [
        (case["cron"], case["next"]) for case, _ in read_ones
    ]


def test_a_string_that_never_comes_is_known_as_one(recorded: list[dict[str, Any]]) -> None:
    read_ones = [case for case in recorded if case["next"] is not None]
    never = {case["cron"] for case in read_ones if case["next"] == []}
    assert {case["cron"] for case in read_ones if not parse_cron(case["cron"]).comes()} == never
    assert len(never) > 20


@pytest.mark.parametrize("text", ODD)
def test_what_only_a_lenient_reader_takes_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"mend the schedule|write minute, hour"):
        parse_cron(text)


@pytest.mark.parametrize("field", range(5), ids=[field.name for field in FIELDS])
def test_every_number_of_a_field_means_itself_and_its_neighbours_outside_are_refused(field: int) -> None:
    least, most = FIELDS[field].least, FIELDS[field].most
    for value in range(100):
        text = " ".join(str(value) if index == field else "*" for index in range(5))
        schedule = read(text)
        if least <= value <= most:
            assert schedule is not None
            values = (schedule.minutes, schedule.hours, schedule.days, schedule.months, schedule.weekdays)
            assert values[field] == {value}
        else:
            assert schedule is None


@pytest.mark.parametrize("macro", MACROS)
def test_macros_are_the_strings_that_they_stand_for(macro: str, recorded: list[dict[str, Any]]) -> None:
    (case,) = [case for case in recorded if case["cron"] == macro]
    assert list(islice(times(parse_cron(macro)), 3)) == case["next"]


def test_an_error_names_the_field_and_its_range() -> None:
    with pytest.raises(InputError, match=r"expected 0 to 6 as day of week, got '7'; mend the schedule"):
        parse_cron("0 0 * * 7")
