"""Logs of which the truth is known: radii by scipy's Clopper-Pearson bound, printed as locuslab prints them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

HEADER = ("idx", "label", "predict", "radius", "correct", "time")
SIGMA, ALPHA, N = 0.5, 0.001, 100_000

LogLine = list[Any]


def true_radius(failures: int, *, sigma: float = SIGMA, alpha: float = ALPHA, n: int = N) -> float:
    """Radius of n votes by scipy's beta quantile; 0 where it abstains."""
    bound = float(stats.beta.ppf(alpha, n - failures, failures + 1))
    return max(0.0, sigma * float(stats.norm.ppf(bound)))


@dataclass
class Log:
    """Lines of a log in locuslab's form, which a test may spoil; `write` puts them on disk."""

    lines: list[LogLine]
    header: Sequence[str] = HEADER
    delimiter: str = "\t"
    folder: Path = field(default_factory=Path)

    def write(self, name: str = "log.tsv") -> Path:
        rows = [self.header, *self.lines]
        path = self.folder / name
        path.write_text("".join(self.delimiter.join(map(str, row)) + "\n" for row in rows))
        return path


@pytest.fixture
def clean_log(tmp_path: Path) -> Callable[..., Log]:
    """An honest log of that many samples, every 20th id; some abstained on, some certified but wrong."""

    def make(samples: int = 300, *, seed: int = 1, sigma: float = SIGMA) -> Log:
        generator = np.random.default_rng(seed)
        lines = []
        for place in range(samples):
            label = int(generator.integers(10))
            radius = true_radius(int(generator.beta(0.4, 1.2) * N), sigma=sigma)
            predicted = -1 if not radius else label if generator.uniform() < 0.8 else (label + 1) % 10
            text = f"{radius:.3}" if radius else "0.0"
            lines.append([20 * place, label, predicted, text, int(predicted == label), "0:00:14"])
        return Log(lines, folder=tmp_path)

    return make
