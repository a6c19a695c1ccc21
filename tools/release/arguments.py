"""Arguments of the programs here: a wrong one is answered in one line, as everything else that is wrong."""

from __future__ import annotations

import argparse
from typing import NoReturn


class Parser(argparse.ArgumentParser):
    """argparse's parser, without the lines of usage before a message; `--help` has them."""

    def error(self, message: str) -> NoReturn:
        """Ends the program with exit status 2."""
        self.exit(2, f"{self.prog}: {message}; see --help\n")
