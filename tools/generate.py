"""Writes every committed file that a program makes; `--check` fails where one is out of date.

    python -m tools.generate [--check]

JSON Schemas, example specifications, dashboards, the controller's OpenAPI and docs/components.md here; components and
pipelines by `pipelines.compile`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from monitoring.dashboards import generate as dashboards
from monitoring.recertification_webhook import openapi
from pipelines import compile as pipelines
from robustcert import specification
from robustcert.certificate import schema as certificate
from robustcert.provenance import run_record
from robustcert.specification_template import template
from tools.components_page import components_page

ROOT = Path(__file__).parent.parent


def generated() -> dict[Path, str]:
    """Committed file -> the text it must have."""
    return {
        ROOT / "robustcert/specification.v1.schema.json": specification.schema_json(),
        ROOT / "robustcert/certificate/certificate.v1.schema.json": certificate.schema_json(),
        ROOT / "robustcert/provenance/run_record.v1.schema.json": run_record.schema_json(),
        ROOT / "examples/digits.yaml": template("digits"),
        ROOT / "examples/breast-cancer.yaml": template("breast-cancer"),
        ROOT / "docs/components.md": components_page(),
        **dashboards.generated(),
        openapi.PATH: openapi.openapi_json(),
    }


def stale(wanted: dict[Path, str]) -> list[Path]:
    """Files that are missing or have another text."""
    return [path for path, text in wanted.items() if not path.exists() or path.read_text() != text]


def main() -> None:
    """Writes what is out of date, or with --check names it and fails."""
    wanted = generated()
    outdated = stale(wanted)
    if "--check" in sys.argv[1:]:
        for path in outdated:
            print(f"{path.relative_to(ROOT)}: out of date; run `make generate` and commit the result")
        if outdated:
            sys.exit(1)
    for path in outdated:
        path.write_text(wanted[path])
        print(f"wrote {path.relative_to(ROOT)}")
    pipelines.main()


if __name__ == "__main__":
    main()
