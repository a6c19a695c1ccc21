"""What cutting a certification into shards costs: CPU seconds of 16 shards in one process over those of one shard.

    python benchmarks/shard_overhead.py --pairs 5

Data set and model of examples/digits.yaml are made once. Every run plans and certifies in a fresh store, so that no
finished block is found. Runs with one and with 16 shards alternate, and so does which goes first; the ratio is that of
the medians.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import resource
import statistics
import tempfile
from pathlib import Path

from robustcert.certificate.evidence_merge import merge_certification
from robustcert.provenance.digests import sha256_file
from robustcert.smoothing.plan import CertificationPlan
from robustcert.steps.adversarial_training import train_model
from robustcert.steps.certification import certify_shard
from robustcert.steps.certification_plan import plan_certification
from robustcert.steps.data_validation import validate_data

ROOT = Path(__file__).parent.parent
MANY = 16


def main() -> None:
    """Prints the seconds of every run, then the ratio."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--specification", type=Path, default=ROOT / "examples" / "digits.yaml")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        _compare(Path(folder), given.specification.read_text(), pairs=given.pairs)


def _compare(folder: Path, text: str, *, pairs: int) -> None:
    _prepare(folder, text)
    _seconds(folder, text, shards=1, number=0)  # imports and caches of the first run are nobody's
    seconds: dict[int, list[float]] = {1: [], MANY: []}
    for number in range(1, pairs + 1):
        for shards in (1, MANY) if number % 2 else (MANY, 1):
            seconds[shards].append(_seconds(folder, text, shards=shards, number=number))
            print(f"{shards:3} shards {seconds[shards][-1]:8.3f} s CPU")
    one, many = (statistics.median(seconds[shards]) for shards in (1, MANY))
    print(f"{MANY} shards take {many / one:.4f} of one shard's CPU ({many:.3f} s and {one:.3f} s)")
    digests = {path.name: sha256_file(path) for path in folder.glob("merged*")}
    print(f"{len(digests)} merged tables, {len(set(digests.values()))} digest")


def _prepare(folder: Path, text: str) -> None:
    given = {"specification": text, "store": str(folder / "store"), "source_folder": "", "run_token": ""}
    dataset, model = folder / "dataset", folder / "model"
    with contextlib.redirect_stdout(io.StringIO()):
        validate_data(**given, dataset=dataset, report=folder / "report", record=folder / "record")
        train_model(**given, dataset=dataset, model=model, history=folder / "history", record=folder / "record")


def _seconds(folder: Path, text: str, *, shards: int, number: int) -> float:
    """CPU seconds of planning and of all shards, one after another, in a store of their own."""
    given = {"specification": text, "store": str(folder / f"store-{shards}-{number}"), "run_token": ""}
    files = {"dataset": folder / "dataset", "model": folder / "model", "plan": folder / "plan"}
    start = _cpu()
    with contextlib.redirect_stdout(io.StringIO()):
        names = plan_certification(**given, shards=shards, **files)
        parts = [folder / f"evidence{place}" for place in range(len(names))]
        for name, part in zip(names, parts, strict=True):
            certify_shard(**given, shard=name, workers=1, **files, evidence=part, record=folder / "record")
    used = _cpu() - start
    plan = CertificationPlan.model_validate_json((folder / "plan").read_bytes())
    samples = [sample for block in plan.blocks for sample in block.samples]
    merge_certification(parts, folder / f"merged-{shards}-{number}", sample_ids=samples)
    return used


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
