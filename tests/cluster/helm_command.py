"""`helm upgrade --install`, `rollback`, `test`, `status`, `uninstall` as the documentation has them, by Helm's engine.

    python -m tests.cluster.helm_command upgrade --install NAME CHART --namespace N --values FILE

For machines without the program `helm`; the same library underneath. KUBECONFIG names the cluster.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import helm_python as helm
import yaml


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; 1 with Helm's own message where it failed."""
    parser = argparse.ArgumentParser(prog="helm")
    parser.add_argument("verb", choices=["upgrade", "rollback", "test", "status", "uninstall"])
    parser.add_argument("name")
    parser.add_argument("rest", nargs="*")
    parser.add_argument("--install", action="store_true")
    parser.add_argument("--namespace", "-n", required=True)
    parser.add_argument("--values", "-f", type=Path, action="append", default=[])
    try:
        sys.stdout.write(f"{done(parser.parse_intermixed_args(arguments))}\n")
    except helm.HelmError as error:
        sys.stderr.write(f"Error: {error}\n")
        return 1
    return 0


def done(given: argparse.Namespace) -> object:
    """What Helm answers."""
    with helm.Config(kubeconfig_path=os.environ["KUBECONFIG"], namespace=given.namespace) as there:
        match given.verb:
            case "upgrade":
                values = {key: part for file in given.values for key, part in yaml.safe_load(file.read_text()).items()}
                exists = any(release["name"] == given.name for release in there.list())
                act = there.upgrade if exists or not given.install else there.install
                return act(given.rest[0], given.name, values, namespace=given.namespace)
            case "rollback":
                return there.rollback(given.name, version=int(given.rest[0]) if given.rest else None)
            case "test":
                return there.test(given.name)
            case "status":
                return there.status(given.name)
        return there.uninstall(given.name)


if __name__ == "__main__":
    sys.exit(main())
