"""Compiles every component and pipeline to the YAML that is committed; `--check` fails where one is out of date.

    python -m pipelines.compile [--check]

Parsed YAML is compared, because the header comment of a compiled file is not stable to the byte.
"""

import sys
import tempfile
from importlib import import_module
from pathlib import Path

import yaml
from kfp import compiler

ROOT = Path(__file__).parent.parent
PIPELINES = ("certified_training",)


def targets() -> dict[Path, object]:
    """Committed file -> the kfp object that it is compiled from."""
    found: dict[Path, object] = {}
    for path in sorted((ROOT / "components").glob("*/component.py")):
        name = path.parent.name
        found[path.with_suffix(".yaml")] = getattr(import_module(f"components.{name}.component"), name)
    for name in PIPELINES:
        found[ROOT / "pipelines" / f"{name}.yaml"] = getattr(import_module(f"pipelines.{name}"), name)
    return found


def compiled(item: object) -> str:
    """The YAML text of one component or pipeline."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "compiled.yaml"
        compiler.Compiler().compile(item, str(path))
        return path.read_text()


def out_of_date() -> list[Path]:
    """Committed files that differ from what their source compiles to."""
    stale = []
    for path, item in targets().items():
        fresh = list(yaml.safe_load_all(compiled(item)))
        if not path.exists() or list(yaml.safe_load_all(path.read_text())) != fresh:
            stale.append(path)
    return stale


def main() -> None:
    """Writes what is out of date, or with --check names it and fails."""
    stale = out_of_date()
    if "--check" in sys.argv[1:]:
        for path in stale:
            print(f"{path.relative_to(ROOT)}: out of date; run `make generate` and commit the result")
        sys.exit(1 if stale else 0)
    for path in stale:
        path.write_text(compiled(targets()[path]))
        print(f"wrote {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
