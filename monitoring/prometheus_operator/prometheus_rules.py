"""The files of rules as PrometheusRule objects, one for each file: what `kubectl apply -f -` takes.

    python -m monitoring.prometheus_operator.prometheus_rules --namespace robustcert --label release=stack

Source of the form: the operator's API, monitoring.coreos.com/v1.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from monitoring.rules.scaled import rule_files
from robustcert.errors import InputError, RobustcertError, expected

LABELS = {"app.kubernetes.io/name": "robustcert", "app.kubernetes.io/component": "rules"}


def prometheus_rules(*, namespace: str, labels: Mapping[str, str], files: Sequence[Path] = ()) -> list[dict[str, Any]]:
    """An object for each file, the committed ones where none is named; `labels` are what the operator selects by."""
    return [_rule(path, namespace=namespace, labels=labels) for path in files or rule_files()]


def to_yaml(objects: Sequence[Mapping[str, Any]]) -> str:
    """The objects as one stream."""
    return yaml.safe_dump_all(objects, sort_keys=False, width=1000, explicit_start=True)


def _rule(path: Path, *, namespace: str, labels: Mapping[str, str]) -> dict[str, Any]:
    subject = path.name.partition(".")[0].replace("_", "-")
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": f"robustcert-{subject}", "namespace": namespace, "labels": {**LABELS, **labels}},
        "spec": yaml.safe_load(path.read_text()),
    }


def _label(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not (name and separator and value):
        raise InputError(expected("a label such as release=kube-prometheus-stack", got=repr(text), remedy="correct it"))
    return name, value


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; 2 where the input is wrong."""
    parser = argparse.ArgumentParser(prog="python -m monitoring.prometheus_operator.prometheus_rules")
    parser.add_argument("--namespace", required=True)
    parser.add_argument("--label", action="append", default=[], help="NAME=VALUE that the operator selects rules by")
    given = parser.parse_args(arguments)
    try:
        labels = dict(map(_label, given.label))
        sys.stdout.write(to_yaml(prometheus_rules(namespace=given.namespace, labels=labels)))
    except RobustcertError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
