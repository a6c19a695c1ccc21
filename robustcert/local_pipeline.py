"""The child process of a local run: runs one compiled pipeline through kfp.local and prints kfp's log.

    python -m robustcert.local_pipeline PIPELINE.yaml WORK_FOLDER < arguments.json

kfp.local is global to its process and hides the cause of a failure in its log, hence a child for every run
(`robustcert.local_run` starts it, keeps the log and reads it). The child ends with its parent, however that ended.
"""

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

PARENT_POLL_SECONDS = 0.2


def main() -> None:
    """Runs the pipeline; a failed task raises, so that the exit status is not 0."""
    pipeline, work = Path(sys.argv[1]), Path(sys.argv[2])
    arguments = json.load(sys.stdin)
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()

    from kfp import components, local

    local.init(local.SubprocessRunner(use_venv=False), pipeline_root=str(work))
    components.load_component_from_file(str(pipeline))(**arguments)


def _end_with_parent(parent: int) -> None:
    """Kills this process group (the running step included) once the parent is gone."""
    while os.getppid() == parent:
        time.sleep(PARENT_POLL_SECONDS)
    os.killpg(os.getpgid(0), signal.SIGKILL)


if __name__ == "__main__":
    main()
