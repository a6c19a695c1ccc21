"""Versions in pages and examples follow the package's; other numbers stay."""

from __future__ import annotations

import pytest

from robustcert import __version__
from tools.release.mentions import ROOT, generated, with_version


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("ghcr.io/robustcert/robustcert:0.9.0-gpu", "ghcr.io/robustcert/robustcert:1.2.3-gpu"),
        ("ghcr.io/robustcert/robustcert-monitoring:0.9.0", "ghcr.io/robustcert/robustcert-monitoring:1.2.3"),
        ("oci://ghcr.io/robustcert/charts/robustcert --version 0.9.0", None),
        ("  targetRevision: 0.9.0", "  targetRevision: 1.2.3"),
        ("    tag: 0.9.0-gpu", "    tag: 1.2.3-gpu"),
        ("certified-training  0.9.0-65f93e177b14  new", "certified-training  1.2.3-65f93e177b14  new"),
        (
            "mirror.example/robustcert@sha256:00, python 3.11.2, kfp 2.17.0",
            "mirror.example/robustcert@sha256:00, python 3.11.2, kfp 2.17.0",
        ),
        ("ghcr.io/other/robustcert:0.9.0", "ghcr.io/other/robustcert:0.9.0"),
    ],
)
def test_only_versions_of_ours_are_replaced(before: str, after: str | None) -> None:
    assert with_version(before, "1.2.3") == (after or before.replace("0.9.0", "1.2.3"))


def test_pages_and_examples_by_hand_are_kept_and_generated_files_are_left_alone() -> None:
    names = {path.relative_to(ROOT).as_posix() for path in generated()}
    assert "docs/kubeflow.md" in names
    assert not {"docs/components.md", "manifests/base/exporter.yaml"} & names
    assert all(__version__ in text for text in generated().values())
