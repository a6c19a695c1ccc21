"""Compiles every component and pipeline to the YAML that is committed; `--check` fails where one is out of date.

    python -m pipelines.compile [--check]

A component gets its component.yaml and a pipeline by URI; a pipeline the form for REST and the custom resources for
GitOps. Parsed YAML is compared, because the header comment of a compiled file is not stable to the byte.
"""

import sys
import tempfile
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml
from kfp import compiler
from kfp.compiler.compiler_utils import KubernetesManifestOptions
from kfp.dsl.graph_component import GraphComponent

from pipelines.by_uri import by_uri
from pipelines.node_pool import CompileTime
from robustcert import __version__

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True, kw_only=True)
class Target:
    """A kfp object, and whether it is written as the custom resources Pipeline and PipelineVersion."""

    item: Any
    custom_resources: bool = False


def targets() -> dict[Path, Target]:
    """Committed file -> what it is compiled from."""
    found: dict[Path, Target] = {}
    for name, component in components().items():
        found[ROOT / "components" / name / "component.yaml"] = Target(item=component)
        found[ROOT / "pipelines" / "by_uri" / f"{name}.yaml"] = Target(item=by_uri(component, CompileTime()))
    for name, pipeline in pipelines().items():
        found[ROOT / "pipelines" / f"{name}.yaml"] = Target(item=pipeline)
        found[ROOT / "pipelines" / "custom_resources" / f"{name}.yaml"] = Target(item=pipeline, custom_resources=True)
    return found


def components() -> dict[str, Any]:
    """Every component by its name, which is its folder's and its function's."""
    folders = sorted(path.parent.name for path in (ROOT / "components").glob("*/component.py"))
    return {name: getattr(import_module(f"components.{name}.component"), name) for name in folders}


def pipelines() -> dict[str, Any]:
    """Every pipeline by its name, which is its module's; the other modules here hold none of their own name."""
    names = sorted(path.stem for path in (ROOT / "pipelines").glob("*.py") if path.stem not in ("__init__", "compile"))
    found = {name: getattr(import_module(f"pipelines.{name}"), name, None) for name in names}
    return {name: item for name, item in found.items() if isinstance(item, GraphComponent)}


def compiled(target: Target) -> str:
    """The YAML text of one target."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "compiled.yaml"
        options = _resource_names(target.item) if target.custom_resources else None
        compiler.Compiler().compile(
            target.item,
            str(path),
            kubernetes_manifest_format=target.custom_resources,
            kubernetes_manifest_options=options,
        )
        return path.read_text()


def _resource_names(item: Any) -> KubernetesManifestOptions:
    """A PipelineVersion never changes, so that each release gets one of its own."""
    name = str(item.name)
    version = f"{name}-{__version__.replace('.', '-')}"
    return KubernetesManifestOptions(pipeline_name=name, pipeline_version_name=version, include_pipeline_manifest=True)


def out_of_date() -> list[Path]:
    """Committed files that differ from what their source compiles to, and files that no source stands for."""
    wanted = targets()
    return [path for path, target in wanted.items() if _differs(path, compiled(target))] + orphans(wanted)


def orphans(wanted: dict[Path, Target]) -> list[Path]:
    """Compiled files whose component or pipeline is gone."""
    folders = (
        "components/*/*.yaml",
        "pipelines/*.yaml",
        "pipelines/by_uri/*.yaml",
        "pipelines/custom_resources/*.yaml",
    )
    return sorted({path for pattern in folders for path in ROOT.glob(pattern)} - set(wanted))


def _differs(path: Path, text: str) -> bool:
    fresh = list(yaml.load_all(text, Loader=yaml.CSafeLoader))
    return not path.exists() or list(yaml.load_all(path.read_text(), Loader=yaml.CSafeLoader)) != fresh


def main() -> None:
    """Writes what is out of date and removes orphans, or with --check names them and fails."""
    stale = out_of_date()
    if "--check" in sys.argv[1:]:
        for path in stale:
            print(f"{path.relative_to(ROOT)}: out of date; run `make generate` and commit the result")
        sys.exit(1 if stale else 0)
    wanted = targets()
    for path in stale:
        if path in wanted:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(compiled(wanted[path]))
        else:
            path.unlink()
        print(f"{'wrote' if path in wanted else 'removed'} {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
