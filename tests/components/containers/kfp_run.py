"""The child of a test: runs one compiled pipeline through kfp.local, in processes or in containers.

    python kfp_run.py < request.json

The request holds `pipeline` (compiled file), `root` (where outputs go), `arguments`, and `docker`: null for kfp's
SubprocessRunner, otherwise what its unmodified DockerRunner hands to `docker run`, with `mounts` as a list of
[folder here, folder in the container, whether read-only]. kfp.local is global to its process, hence a child.
"""

import json
import sys
from typing import Any

import docker
from kfp import components, local


def runner(run_arguments: dict[str, Any] | None) -> Any:
    """kfp's runner; `volumes` is kfp's own argument, so folders come as mounts."""
    if run_arguments is None:
        return local.SubprocessRunner(use_venv=False)
    mounts = [
        docker.types.Mount(target=target, source=source, type="bind", read_only=read_only)
        for source, target, read_only in run_arguments.pop("mounts")
    ]
    return local.DockerRunner(**run_arguments, mounts=mounts)


if __name__ == "__main__":
    request = json.load(sys.stdin)
    local.init(runner(request["docker"]), pipeline_root=request["root"])
    components.load_component_from_file(request["pipeline"])(**request["arguments"])
