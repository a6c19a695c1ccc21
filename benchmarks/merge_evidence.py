"""Merging the evidence of 16 shards: time and peak memory of `merge_certification`, and of pyarrow in one go.

    python benchmarks/merge_evidence.py --rows 10000000

The shards, made in a temporary folder, are interleaved by blocks of six samples as a plan deals them out. Each merge
runs in a process of its own, whose peak resident set the operating system reports. Both outputs have equal rows; ours
also has equal bytes for any cut into shards.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from robustcert.certificate.evidence import CERTIFICATION_SCHEMA, ROWS_PER_GROUP, write_tables
from robustcert.certificate.evidence_merge import merge_certification

SHARDS = 16
BLOCK = 6


def main() -> None:
    """Prints one line for each way to merge."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--merge", choices=MERGES, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.merge:
        _measure(given.merge, given.folder, given.rows)
    else:
        with tempfile.TemporaryDirectory() as folder:
            _compare(Path(folder), given.rows)


def _compare(folder: Path, rows: int) -> None:
    for number, path in enumerate(_shards(folder)):
        write_tables(_tables(number, rows), path, schema=CERTIFICATION_SCHEMA)
    found = {name: _in_child(name, folder, rows) for name in MERGES}
    for name, one in found.items():
        print(f"{name:18} {one['wall']:7.1f} s wall {one['cpu']:7.1f} s CPU {one['peak'] / 2**20:7.0f} MiB peak")
    ours, theirs = found["robustcert"], found["pyarrow in one go"]
    time_ratio, memory_ratio = ours["wall"] / theirs["wall"], ours["peak"] / theirs["peak"]
    print(f"ratio              {time_ratio:.2f} of pyarrow's time, {memory_ratio:.2f} of its memory")


def _in_child(name: str, folder: Path, rows: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--merge", name, "--folder", str(folder), "--rows", str(rows)]
    return dict(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))


def _measure(name: str, folder: Path, rows: int) -> None:
    start = time.perf_counter()
    MERGES[name](_shards(folder), folder / "merged.parquet", np.arange(rows))
    used = resource.getrusage(resource.RUSAGE_SELF)
    wall, cpu = time.perf_counter() - start, used.ru_utime + used.ru_stime
    print(json.dumps({"wall": wall, "cpu": cpu, "peak": used.ru_maxrss * 1024}))


def _shards(folder: Path) -> list[Path]:
    return [folder / f"shard{number}.parquet" for number in range(SHARDS)]


def _ours(paths: list[Path], target: Path, samples: np.ndarray) -> None:
    merge_certification(paths, target, sample_ids=samples)


def _in_one_go(paths: list[Path], target: Path, samples: np.ndarray) -> None:
    table = pa.concat_tables([pq.read_table(path) for path in paths]).sort_by("sample")
    if not pc.all(pc.equal(table["sample"], pa.array(samples))).as_py():
        raise ValueError("other samples")
    pq.write_table(table, target, compression="zstd", row_group_size=ROWS_PER_GROUP)


MERGES = {"robustcert": _ours, "pyarrow in one go": _in_one_go}


def _tables(number: int, rows: int) -> Iterator[pa.Table]:
    samples = np.arange(rows)
    mine = samples[samples // BLOCK % SHARDS == number]
    for first in range(0, len(mine), ROWS_PER_GROUP):
        yield _table(mine[first : first + ROWS_PER_GROUP])


def _table(samples: np.ndarray) -> pa.Table:
    """Rows as a certification of ten classes gives them: votes for two classes, and the radius of the votes."""
    words = np.random.Generator(np.random.Philox(int(samples[0]))).bytes(32 * len(samples))
    label, zero = samples % 10, np.zeros_like(samples)
    votes = 9000 + samples * 7919 % 1000
    columns: dict[str, Any] = {
        "sample": samples,
        "input": [words[32 * place : 32 * place + 32].hex() for place in range(len(samples))],
        "label": label,
        "candidate": label,
        "n0": zero + 100,
        "selection": _votes([(label, zero + 100)]),
        "selectionFragile": zero,
        "n": zero + 10_000,
        "counts": _votes([(label, votes), (9 - label, 10_000 - votes)]),
        "fragile": zero,
        "decision": ["certified"] * len(samples),
        "radius": [f"0.{count:06d}" for count in votes.tolist()],
    }
    return pa.Table.from_pydict(columns, schema=CERTIFICATION_SCHEMA)


def _votes(pairs: list[tuple[np.ndarray, np.ndarray]]) -> pa.Array:
    kind = CERTIFICATION_SCHEMA.field("counts").type
    flat = np.stack([np.stack(pair, axis=1) for pair in pairs], axis=1)
    values = pa.FixedSizeListArray.from_arrays(pa.array(flat.ravel()), type=kind.value_type)
    offsets = pa.array(np.arange(len(flat) + 1, dtype=np.int32) * len(pairs))
    return pa.ListArray.from_arrays(offsets, values, type=kind)


if __name__ == "__main__":
    main()
