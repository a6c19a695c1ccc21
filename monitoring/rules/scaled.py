"""The rules with every duration multiplied, for a demo at 1 s intervals or for another interval between drift reports.

    python -m monitoring.rules.scaled --factor 1/60 --out FOLDER
    python -m monitoring.rules.scaled --factor 1/24 --only drift_report_timestamp --out FOLDER

The second is for hourly drift reports. Durations are those of `for`, `keep_firing_for` and `interval`, ranges,
subqueries and offsets in expressions, and numbers of seconds that are written `2 * 86400` (or 3600, or 60). Names,
labels and annotations stay as they are: a series called `...ratio_rate5m` covers 5 seconds under a factor of 1/60.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import yaml

from robustcert.errors import InputError, RobustcertError, expected

FOLDER = Path(__file__).parent
UNITS = {"y": 31_536_000_000, "w": 604_800_000, "d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}
DURATION_KEYS = ("for", "keep_firing_for", "interval")

PART = r"[0-9]+(?:ms|[ywdhms])"
DURATION = re.compile(rf"(?:{PART})+")
# In an expression: a text in quotes is passed over; what stands in brackets or after `offset` is a duration.
IN_EXPRESSION = re.compile(
    r"""(?P<text>"[^"]*"|'[^']*'|`[^`]*`)"""
    rf"""|(?P<before>\[\s*|\[[^\]]*:\s*|\boffset\s+-?\s*)(?P<duration>(?:{PART})+)(?P<step>\s*:\s*(?:(?:{PART})+)?)?"""
    r"""|(?P<number>\b[0-9]+(?:\.[0-9]+)?)(?P<unit> \* (?:60|3600|86400)\b)"""
)


def rule_files() -> list[Path]:
    """The committed files of rules."""
    return sorted(FOLDER.glob("*.rules.yaml"))


def scale_duration(text: str, factor: Fraction) -> str:
    """A duration times `factor`, in the largest unit that needs no fraction, rounded to whole milliseconds.

    >>> [scale_duration(text, Fraction(1, 60)) for text in ("1h30m", "2h", "1s")]
    ['90s', '2m', '17ms']

    InputError for what is no duration, and for one that would become shorter than a millisecond.
    """
    if not DURATION.fullmatch(text):
        raise InputError(
            expected("a duration such as 5m or 1h30m", got=repr(text), remedy="write it as Prometheus does")
        )
    parts = re.findall(r"([0-9]+)(ms|[ywdhms])", text)
    whole = sum(int(number) * UNITS[unit] for number, unit in parts)
    scaled_ms = round(whole * factor)
    if whole and scaled_ms < 1:
        raise InputError(expected("at least 1 ms", got=f"{text} times {factor}", remedy="choose a larger factor"))
    unit = next((unit for unit in ("d", "h", "m", "s") if scaled_ms % UNITS[unit] == 0), "ms") if scaled_ms else "s"
    return f"{scaled_ms // UNITS[unit]}{unit}"


def scale_expression(expression: str, factor: Fraction) -> str:
    """A PromQL expression with its durations times `factor`.

    >>> scale_expression('rate(a_5m[5m:1m] offset 1h) > 2 * 3600 and b{c="[5m]"}', Fraction(1, 60))
    'rate(a_5m[5s:1s] offset 1m) > 0.0333333333333 * 3600 and b{c="[5m]"}'
    """

    def scaled_match(found: re.Match[str]) -> str:
        if found["text"]:
            return found["text"]
        if found["number"]:
            return f"{float(Fraction(found['number']) * factor):.12g}{found['unit']}"
        step = DURATION.sub(lambda part: scale_duration(part[0], factor), found["step"] or "")
        return f"{found['before']}{scale_duration(found['duration'], factor)}{step}"

    return IN_EXPRESSION.sub(scaled_match, expression)


def scaled(document: Mapping[str, Any], factor: Fraction, *, only: str = "") -> dict[str, Any]:
    """A file's document with every duration times `factor`; with `only`, of rules whose expression that pattern finds.

    InputError where `factor` is not above 0 or a duration can't be scaled.
    """
    if factor <= 0:
        raise InputError(expected("a factor above 0", got=str(factor), remedy="give one such as 1/60 or 24"))
    groups = [_group(group, factor, re.compile(only)) for group in document["groups"]]
    return {**document, "groups": groups}


def write_scaled(folder: Path, factor: Fraction, *, only: str = "", files: Sequence[Path] = ()) -> list[Path]:
    """Writes each file (the committed ones where none is named) into `folder`, scaled; returns what it wrote."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for path in files or rule_files():
        document = scaled(yaml.safe_load(path.read_text()), factor, only=only)
        written.append(folder / path.name)
        written[-1].write_text(yaml.safe_dump(document, sort_keys=False, width=1000))
    return written


def _group(group: Mapping[str, Any], factor: Fraction, only: re.Pattern[str]) -> dict[str, Any]:
    rules = [_rule(rule, factor) if only.search(rule["expr"]) else dict(rule) for rule in group["rules"]]
    return {**_durations(group, factor if not only.pattern else Fraction(1)), "rules": rules}


def _rule(rule: Mapping[str, Any], factor: Fraction) -> dict[str, Any]:
    return {**_durations(rule, factor), "expr": scale_expression(rule["expr"], factor)}


def _durations(part: Mapping[str, Any], factor: Fraction) -> dict[str, Any]:
    scaled_keys = {key: scale_duration(str(part[key]), factor) for key in DURATION_KEYS if key in part}
    return {**part, **scaled_keys}


def _factor(text: str) -> Fraction:
    try:
        return Fraction(text)
    except (ValueError, ZeroDivisionError) as error:
        raise InputError(expected("a factor such as 1/60 or 24", got=repr(text), remedy="correct --factor")) from error


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; 2 where the input is wrong."""
    parser = argparse.ArgumentParser(prog="python -m monitoring.rules.scaled", description=__doc__)
    parser.add_argument("--factor", required=True, help="what every duration is multiplied by, such as 1/60")
    parser.add_argument("--out", required=True, type=Path, help="folder for the files of rules")
    parser.add_argument("--only", default="", help="scale only rules whose expression this pattern finds")
    given = parser.parse_args(arguments)
    try:
        written = write_scaled(given.out, _factor(given.factor), only=given.only)
    except RobustcertError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write("".join(f"wrote {path}\n" for path in written))
    return 0


if __name__ == "__main__":
    sys.exit(main())
