"""Writes the dashboards' JSON beside their code; `--check` fails where a file is out of date.

python -m monitoring.dashboards.generate [--check]
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from monitoring.dashboards import certification_fleet, model_detail, operations

FOLDER = Path(__file__).parent
DASHBOARDS = (certification_fleet.dashboard, model_detail.dashboard, operations.dashboard)


def generated() -> dict[Path, str]:
    """Committed file -> the text it must have; a file is named after its dashboard's uid."""
    made = [dashboard() for dashboard in DASHBOARDS]
    return {FOLDER / f"{one.uid}.json": to_json(one) for one in made}


def stale() -> list[Path]:
    """Files that are missing or have another text, and dashboards that no code makes any more."""
    wanted = generated()
    changed = [path for path, text in wanted.items() if not path.exists() or path.read_text() != text]
    return changed + [path for path in sorted(FOLDER.glob("*.json")) if path not in wanted]


def to_json(dashboard: Dashboard) -> str:
    """A dashboard as Grafana imports and provisions it."""
    return json.dumps(dashboard, cls=JSONEncoder, indent=1, sort_keys=True) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes every file, or with --check names those out of date and returns 1."""
    given = sys.argv[1:] if arguments is None else arguments
    if "--check" in given:
        outdated = stale()
        sys.stdout.write(
            "".join(f"{path.name}: out of date; run `make generate` and commit the result\n" for path in outdated)
        )
        return 1 if outdated else 0
    wanted = generated()
    for path in stale():
        if path in wanted:
            path.write_text(wanted[path])
        else:
            path.unlink()
        sys.stdout.write(f"wrote {path.name}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
