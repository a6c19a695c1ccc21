"""Time and memory of a decision on 30 columns, beside Evidently's DataDriftPreset, from the same Parquet files.

    python -m benchmarks.drift                          1e5 and 1e6 rows of reference and of window
    python -m benchmarks.drift --stream 100000000       rows made batch by batch: memory must not grow

Each way runs in a process of its own, whose CPU time and peak resident set the operating system reports; reading and
imports count. Ours reads the reference twice: for the cells, from a sample of 100,000 rows, and to count.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from robustcert.drift.columns import column_tests
from robustcert.drift.histogram import Cells, ColumnCounts, categories, number_bins

ROOT = Path(__file__).parent.parent
NUMBERS = tuple(f"number{place}" for place in range(26))
CATEGORIES = tuple(f"category{place}" for place in range(4))
BATCH = 1 << 16
SAMPLE = 100_000
DRIFTED = "number3"  # by a quarter of a standard deviation


def main() -> None:
    """Prints one line for each way, and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--small", action="store_true", help="2,000 rows only")
    parser.add_argument("--stream", type=int, help="so many rows of a window instead, never on a disk")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.way:
        _measure(lambda: WAYS[given.way](given.folder))
    elif given.stream:
        _stream(given.stream)
    else:
        for rows in [2_000] if given.small else given.rows:
            _compare(rows)


def _compare(rows: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, shift, seed in (("reference", 0.0, 1), ("window", 0.25, 2)):
            _write(Path(folder) / name, rows, shift=shift, seed=seed)
        found = {way: _in_child(way, Path(folder)) for way in WAYS}
    for way, one in found.items():
        cost = f"{one['wall']:7.2f} s wall {one['cpu']:7.2f} s CPU {one['peak'] / 2**20:6.0f} MiB peak"
        print(f"{rows:>9,} rows x 30  {way:18} {cost}  drifted: {', '.join(one['drifted']) or 'none'}")
    ours, theirs = found["robustcert"], found["evidently preset"]
    cpu, memory = ours["cpu"] / theirs["cpu"], ours["peak"] / theirs["peak"]
    print(f"{rows:>9,} rows x 30  ratio              {cpu:.3f} of the preset's CPU, {memory:.3f} of its memory")


def _in_child(way: str, folder: Path) -> dict:
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.drift", "--way", way, "--folder", str(folder)]
    environment = {**os.environ, "DO_NOT_TRACK": "1"}
    run = subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return dict(json.loads(run.stdout.splitlines()[-1]))


def _measure(way: Callable[[], list[str]]) -> None:
    start = time.perf_counter()
    drifted = way()
    used = resource.getrusage(resource.RUSAGE_SELF)
    cost = {"wall": time.perf_counter() - start, "cpu": used.ru_utime + used.ru_stime, "peak": used.ru_maxrss * 1024}
    print(json.dumps({**cost, "drifted": drifted}))


def _ours(folder: Path) -> list[str]:
    cells = _cells(folder / "reference")
    reference, window = (_counted(cells, _batches(folder / name)) for name in ("reference", "window"))
    return [test.column for test in column_tests(reference, window) if test.drifted]


def _cells(path: Path) -> dict[str, Cells]:
    """From every so-manieth row, about 100,000 in all; copied, since a part of a batch would keep all of it."""
    step = max(1, pq.ParquetFile(path).metadata.num_rows // SAMPLE)
    kept = [{name: values[::step].copy() for name, values in batch.items()} for batch in _batches(path)]
    sample = {name: np.concatenate([batch[name] for batch in kept]) for name in (*NUMBERS, *CATEGORIES)}
    return {name: (number_bins if name in NUMBERS else categories)(values) for name, values in sample.items()}


def _counted(cells: dict[str, Cells], batches: Iterator[dict[str, np.ndarray]]) -> dict[str, ColumnCounts]:
    counts = {name: ColumnCounts(cells=cut) for name, cut in cells.items()}
    for batch in batches:
        for name, values in batch.items():
            counts[name].add(values)
    return counts


def _batches(path: Path) -> Iterator[dict[str, np.ndarray]]:
    for batch in pq.ParquetFile(path, pre_buffer=False).iter_batches(batch_size=BATCH):
        yield {name: batch[name].to_numpy(zero_copy_only=False) for name in batch.schema.names}


def _evidently(folder: Path) -> list[str]:
    import pandas as pd
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    definition = DataDefinition(numerical_columns=list(NUMBERS), categorical_columns=list(CATEGORIES))
    frames = (pd.read_parquet(folder / name) for name in ("window", "reference"))
    window, reference = (Dataset.from_pandas(frame, data_definition=definition) for frame in frames)
    found = Report([DataDriftPreset()]).run(window, reference).dict()["metrics"]
    return [one["config"]["column"] for one in found if "column" in one["config"] and _beyond(one)]


def _beyond(metric: dict) -> bool:
    """p-values alarm when small, distances when large: which one it is stands in the method's name."""
    small = "p_value" in metric["config"]["method"]
    return bool((metric["value"] < metric["config"]["threshold"]) == small)


WAYS: dict[str, Callable[[Path], list[str]]] = {"robustcert": _ours, "evidently preset": _evidently}


def _stream(rows: int) -> None:
    """A window that exists only batch by batch: seconds and peak memory after each tenth of it."""
    cells = {
        name: (number_bins if name in NUMBERS else categories)(values)
        for name, values in _made(SAMPLE, shift=0.0, rng=np.random.default_rng(1)).items()
    }
    rng = np.random.default_rng(2)
    reference = _counted(cells, iter([_made(SAMPLE, shift=0.0, rng=rng)]))
    window = {name: ColumnCounts(cells=cut) for name, cut in cells.items()}
    for done, batch in _made_batches(rows, rng):
        for name, values in batch.items():
            window[name].add(values)
        if done % max(1, rows // BATCH // 10) == 0 or window[DRIFTED].n == rows:
            _tell(window[DRIFTED].n)
    print("drifted:", ", ".join(test.column for test in column_tests(reference, window) if test.drifted))


def _tell(rows: int) -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(
        f"{rows:>12,} rows {used.ru_utime + used.ru_stime:8.1f} s CPU {used.ru_maxrss / 2**10:6.0f} MiB peak",
        flush=True,
    )


def _made_batches(rows: int, rng: np.random.Generator) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
    for number, first in enumerate(range(0, rows, BATCH)):
        yield number, _made(min(BATCH, rows - first), shift=0.25, rng=rng)


def _write(path: Path, rows: int, *, shift: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    batch = pa.table(_made(min(rows, BATCH), shift=shift, rng=rng))
    with pq.ParquetWriter(path, batch.schema) as writer:
        for first in range(0, rows, BATCH):
            writer.write_table(pa.table(_made(min(BATCH, rows - first), shift=shift, rng=rng)))


def _made(rows: int, *, shift: float, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Normal, skewed and whole numbers, and words; one column moves by `shift` of its standard deviations."""
    made: dict[str, np.ndarray] = {}
    for place, name in enumerate(NUMBERS):
        values = rng.standard_normal(rows)
        made[name] = (values, np.exp(values), np.floor(3 * values))[0 if place < 18 else 1 + place % 2]
    made[DRIFTED] = made[DRIFTED] + shift
    for place, name in enumerate(CATEGORIES):
        words = np.array([f"word{number}" for number in range(3 + 10 * place)], dtype=object)
        made[name] = words[(len(words) * rng.random(rows) ** 2).astype(np.int64)]
    return made


if __name__ == "__main__":
    main()
