"""Cron strings as Kubernetes reads them: what they mean, and whether they ever come.

Source: robfig/cron v3, ParseStandard, which the CronJob controller uses. Five fields of lists of numbers, names, ranges
and steps, or a macro. Where day of month and day of week are both restricted, either is enough. Read more strictly
here: no `@every`, no time zone in the string, no `?` or `*` with a range, no empty item of a list.
"""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass

from robustcert.errors import InputError, expected

MACROS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
MONTHS = dict(
    zip(["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], range(1, 13), strict=True)
)
DAYS = dict(zip(["sun", "mon", "tue", "wed", "thu", "fri", "sat"], range(7), strict=True))
ITEM = re.compile(r"(?:(?P<every>[*?])|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/(?P<step>\d{1,9}))?", re.ASCII)
LEAP_YEAR = 2024


@dataclass(frozen=True, kw_only=True)
class Field:
    """Name of a field, its least and most value, and words for values."""

    name: str
    least: int
    most: int
    words: dict[str, int]


FIELDS = (
    Field(name="minute", least=0, most=59, words={}),
    Field(name="hour", least=0, most=23, words={}),
    Field(name="day of month", least=1, most=31, words={}),
    Field(name="month", least=1, most=12, words=MONTHS),
    Field(name="day of week", least=0, most=6, words=DAYS),
)


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """When a cron string comes; `either_day` where a day of month or one of the week is enough."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either_day: bool

    def comes(self) -> bool:
        """Whether it ever does: 31 February does not, 29 February does.

        >>> parse_cron("0 0 31 2 *").comes(), parse_cron("0 0 29 2 *").comes(), parse_cron("0 0 31 2 1").comes()
        (False, True, True)
        """
        return self.either_day or any(min(self.days) <= monthrange(LEAP_YEAR, month)[1] for month in self.months)


def parse_cron(text: str) -> Schedule:
    """What a cron string means; InputError where it means nothing.

    >>> sorted(parse_cron("*/20 6-8 * jan,JUL mon").minutes)
    [0, 20, 40]
    """
    fields = MACROS.get(text, text).split()
    if len(fields) != len(FIELDS):
        what = f"five fields or one of {', '.join(MACROS)}"
        raise InputError(expected(what, got=repr(text), remedy="write minute, hour, day, month, day of week"))
    minutes, hours, days, months, weekdays = (_values(part, field) for part, field in zip(fields, FIELDS, strict=True))
    either = not any(_starred(part) for part in (fields[2], fields[4]))
    return Schedule(minutes=minutes, hours=hours, days=days, months=months, weekdays=weekdays, either_day=either)


def _starred(part: str) -> bool:
    """Whether a field of days counts as left open: a star, with a step of at most 1."""
    return any(item in ("*", "?", "*/1", "?/1") for item in part.split(","))


def _values(part: str, field: Field) -> frozenset[int]:
    return frozenset(value for item in part.split(",") for value in _range(item, field))


def _range(item: str, field: Field) -> range:
    found = ITEM.fullmatch(item)
    if found is None:
        raise _unreadable(item, field, "a number, a name, a range or a step")
    step = int(found["step"] or 1)
    first = field.least if found["every"] else _number(found["first"], field)
    open_end = found["every"] or (found["step"] and not found["last"])
    last = field.most if open_end else _number(found["last"] or found["first"], field)
    if step < 1 or first > last:
        raise _unreadable(item, field, "a step of 1 or more, and a range that goes up")
    return range(first, last + 1, step)


def _number(word: str, field: Field) -> int:
    value = field.words.get(word.lower(), int(word) if word.isdigit() else -1)
    if not field.least <= value <= field.most:
        raise _unreadable(word, field, f"{field.least} to {field.most}")
    return value


def _unreadable(item: str, field: Field, what: str) -> InputError:
    return InputError(expected(f"{what} as {field.name}", got=repr(item), remedy="mend the schedule"))
