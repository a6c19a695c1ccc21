"""Proves what every compiled component and pipeline promises: settings, pins, secrets, sizes, patterns that work.

    python -m tools.lint_pipelines [FILE ...]

Without names every committed file is read. One finding a line: file, rule, place, remedy. Exit status 1 with findings,
2 where a file can't be read. The rules are in tools/pipeline_rules.py and tools/pipeline_patterns.py.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tools.compiled_file import CompiledFile, UnreadableError, read_compiled
from tools.pipeline_patterns import PATTERNS
from tools.pipeline_rules import RULES

ROOT = Path(__file__).parent.parent
COMPILED = (
    "components/*/component.yaml",
    "pipelines/*.yaml",
    "pipelines/by_uri/*.yaml",
    "pipelines/custom_resources/*.yaml",
)


@dataclass(frozen=True, order=True, kw_only=True)
class Finding:
    """One broken promise."""

    file: str
    rule: str
    where: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.file}: {self.rule}: {self.where}; {self.remedy}"


def lint(compiled: CompiledFile, *, name: str) -> list[Finding]:
    """Everything that is wrong with one file, rule by rule."""
    return [
        Finding(file=name, rule=rule, where=where, remedy=remedy)
        for rule, check in {**RULES, **PATTERNS}.items()
        for where, remedy in check(compiled)
    ]


def committed_files() -> list[Path]:
    """Every compiled file of the checkout."""
    return sorted(path for pattern in COMPILED for path in ROOT.glob(pattern))


def main() -> None:
    """Prints the findings; exits with 0, 1 or 2."""
    paths = [Path(name) for name in sys.argv[1:]] or committed_files()
    try:
        findings = list(_findings(paths))
    except UnreadableError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    for finding in sorted(findings):
        print(finding)
    print(f"{len(paths)} compiled files, {len(findings)} findings")
    sys.exit(1 if findings else 0)


def _findings(paths: Iterable[Path]) -> Iterable[Finding]:
    for path in paths:
        name = str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)
        yield from lint(read_compiled(path), name=name)


if __name__ == "__main__":
    main()
