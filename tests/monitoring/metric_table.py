"""What docs/monitoring.md says is exported, and which of it an expression reads."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent.parent
RULES = ROOT / "monitoring/rules"
ROW = re.compile(
    r"^\| `(?P<name>robustcert_\w+)` \| (?P<type>\w+) \| (?P<labels>[^|]*) \| (?P<unit>[^|]*) \| (?P<from>\w+) \|", re.M
)
TEXT = re.compile(r'"(?:[^"\\]|\\.)*"')
NAME = re.compile(r"\brobustcert[_:][a-zA-Z0-9_:]+|\bALERTS\b")
SELECTOR = re.compile(r"(robustcert[_:][a-zA-Z0-9_:]+|ALERTS)\{([^}]*)\}")
SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("",), "gauge": ("",)}
# Labels that rules, not metrics, give; those of Prometheus itself.
GIVEN_BY_RULES = {"signal", "bin", "segment", "model", "version", "operation"}
OF_ALERTS = {"alertname", "alertstate", "severity", "action", "reason", "model", "version"}


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One row of the table."""

    name: str
    type: str
    labels: frozenset[str]
    unit: str
    exported_by: str


@functools.cache
def metrics() -> dict[str, Metric]:
    """Every metric of the table, by its name."""
    text = (ROOT / "docs/monitoring.md").read_text()
    found = [
        Metric(
            name=row["name"],
            type=row["type"],
            labels=frozenset(re.findall(r"`(\w+)`", row["labels"])),
            unit=row["unit"].strip(),
            exported_by=row["from"],
        )
        for row in ROW.finditer(text)
    ]
    assert len({metric.name for metric in found}) == len(found)
    return {metric.name: metric for metric in found}


@functools.cache
def series() -> dict[str, frozenset[str]]:
    """Every series that may be read, exported or recorded, and its labels."""
    exported = {
        f"{metric.name}{suffix}": metric.labels for metric in metrics().values() for suffix in SUFFIXES[metric.type]
    }
    recorded = {rule["record"]: frozenset(GIVEN_BY_RULES) for _, rule in rules() if "record" in rule}
    return {**exported, **recorded, "ALERTS": frozenset(OF_ALERTS)}


@functools.cache
def rules() -> tuple[tuple[str, dict[str, Any]], ...]:
    """Every committed rule with the name of its group."""
    documents = [yaml.safe_load(path.read_text()) for path in sorted(RULES.glob("*.rules.yaml"))]
    return tuple((group["name"], rule) for one in documents for group in one["groups"] for rule in group["rules"])


def names(expression: str) -> set[str]:
    """Series of ours that an expression reads."""
    return set(NAME.findall(TEXT.sub('""', expression)))


def unknown(expression: str) -> list[str]:
    """Series that nothing exports or records, and labels that a series does not have."""
    known = series()
    found = [name for name in sorted(names(expression)) if name not in known]
    for name, inside in SELECTOR.findall(expression):
        labels = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", TEXT.sub('""', inside)))
        found += [f"{name}{{{label}}}" for label in sorted(labels - known.get(name, frozenset()) - {"instance", "job"})]
    return found
