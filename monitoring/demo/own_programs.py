"""Our own long-running programs on loopback, in the demo and in tests: modules that `python -m` runs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from monitoring.demo.programs import Program


class OwnProgram(Program):
    """`python -m module *arguments`; it listens on `port` and answers 200 under `ready_path` once it is up."""

    def __init__(self, folder: Path, module: str, *, ready_path: str) -> None:
        super().__init__(folder, {})
        self.module, self.ready_path = module, ready_path
        self.arguments: Sequence[str] = ()

    def command(self) -> list[str]:
        """The command line, with this interpreter."""
        return [sys.executable, "-m", self.module, *self.arguments]

    def write_config(self) -> None:
        """Nothing: these programs are configured by their arguments, and by files that the caller writes."""

    def is_ready(self) -> bool:
        """Whether the path is answered."""
        try:
            with urlopen(f"{self.url}{self.ready_path}", timeout=5) as answer:
                return bool(answer.status == 200)
        except (HTTPError, URLError, ConnectionError, TimeoutError):
            return False
