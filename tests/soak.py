"""A soak of the sharded pipeline on a real S3 server: something is killed at a random moment, the run is started again.

    python -m tests.soak --kills 50 --seed 1

Each kill gets a store of its own, so that the run is always a whole one. SIGKILL hits, by turns, a process that
certifies a shard, the S3 server (which is started again after a moment), or the runner itself. Whatever is left, the
same command is started again until it succeeds. Then three things must hold: the certificate equals that of an
undisturbed run apart from times and run id; every object in the bucket has the bytes that its name promises; every
document is whole JSON.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml
from minio import Minio

from robustcert.certificate.bundle import CERTIFICATE
from robustcert.certificate.keys import load_verification_key, new_key, write_key_pair
from robustcert.certificate.schema import Predicate
from robustcert.certificate.verify import read_statement
from robustcert.commands.replay import differences
from tests.chain import small_specification
from tests.rados_gateway import RadosGateway

BUCKET = "soak"
SHARDS = 4
KINDS = ("shard", "server", "runner")
ATTEMPTS = 5
LONGEST_RUN = 300.0
SHARD_ARGUMENTS = [b"--function_to_execute", b"certification"]
LATEST_IN_SHARD = 3.0  # a shard imports torch for about 2 s, then works for 1 s or more
POLL = 0.02


@dataclass(frozen=True, kw_only=True)
class Kill:
    """What was killed, when, and what it took until the certificate was there."""

    kind: str
    after: float
    hit: bool
    attempts: int
    objects: int
    documents: int


class Soak:
    """One gateway, one folder; `kill` disturbs one run and checks what came of it."""

    def __init__(self, gateway: RadosGateway, folder: Path) -> None:
        self._gateway, self._folder = gateway, folder
        self._client = Minio(
            gateway.endpoint.removeprefix("http://"), gateway.access_key, gateway.secret_key, secure=False
        )
        self._client.make_bucket(BUCKET)
        write_key_pair(folder / "issuer", new_key("ed25519"), passphrase=None)
        (folder / "spec.yaml").write_text(sharded_specification())
        started = time.monotonic()
        self._require_success(self._start("undisturbed"))
        self.seconds = time.monotonic() - started
        self.undisturbed = self._predicate("undisturbed")
        self._require_sound("undisturbed")

    def kill(self, number: int, *, kind: str, after: float) -> Kill:
        """Kills `kind` `after` seconds into run `number`, lets it be run to its end, and checks the outcome."""
        name = f"kill{number}"
        process = self._start(name)
        hit = self._strike(process, kind, after)
        attempts = 1
        while process.wait(LONGEST_RUN) != 0:
            if attempts == ATTEMPTS:
                raise AssertionError(f"{name}: no success in {ATTEMPTS} attempts: {self._log(name)[-2000:]}")
            attempts += 1
            process = self._start(name)
        changed = differences(self.undisturbed, self._predicate(name))
        assert changed == [], f"{name}: the certificate differs in {changed}"
        objects, documents = self._require_sound(name)
        return Kill(kind=kind, after=after, hit=hit, attempts=attempts, objects=objects, documents=documents)

    def _start(self, name: str) -> subprocess.Popen[bytes]:
        uri = f"s3://{BUCKET}/{name}?endpoint={self._gateway.endpoint}"
        command = [sys.executable, "-m", "robustcert.cli", "run", "spec.yaml", "--key", "issuer", "--store", uri]
        with (self._folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                [*command, "--out", name, "--shards", str(SHARDS), "--workers", "1"],
                cwd=self._folder,
                stdout=log,
                stderr=log,
                env={**os.environ, **self._gateway.environment()},
            )

    def _strike(self, process: subprocess.Popen[bytes], kind: str, after: float) -> bool:
        """Whether the run was still going when it was hit."""
        end = time.monotonic() + after
        while time.monotonic() < end and process.poll() is None:
            time.sleep(POLL)
        if kind == "server":
            self._gateway.kill()
            time.sleep(
                random.Random(after).uniform(0, 2)
            )  # a bounded outage, sometimes longer than a request's retries
            going = process.poll() is None
            self._gateway.restart()
            return going
        if kind == "runner":
            going = process.poll() is None
            process.kill()
            return going
        return _kill_shard(process, late=random.Random(after).uniform(0, LATEST_IN_SHARD))

    def _require_success(self, process: subprocess.Popen[bytes]) -> None:
        assert process.wait(LONGEST_RUN) == 0, self._log("undisturbed")[-2000:]

    def _log(self, name: str) -> str:
        return (self._folder / f"{name}.log").read_text(errors="replace")

    def _predicate(self, name: str) -> Predicate:
        key = load_verification_key(self._folder / "issuer.pub")
        return read_statement((self._folder / name / CERTIFICATE).read_bytes(), key=key).predicate

    def _require_sound(self, prefix: str) -> tuple[int, int]:
        """Every name under `prefix` keeps its promise; (objects, documents)."""
        found: Counter[str] = Counter()
        for entry in self._client.list_objects(BUCKET, prefix=f"{prefix}/", recursive=True):
            data = self._client.get_object(BUCKET, entry.object_name).read()
            name = str(entry.object_name).removeprefix(f"{prefix}/")
            if name.startswith("objects/"):
                promised = name.rpartition("/")[2]
                assert hashlib.sha256(data).hexdigest() == promised, f"{name}: other bytes than its name promises"
                found["objects"] += 1
            else:
                json.loads(data)
                found["documents"] += 1
        return found["objects"], found["documents"]


def sharded_specification() -> str:
    """The small specification with so many votes that its 16 samples are 8 blocks, two for each shard."""
    certification = yaml.safe_load(small_specification())["certification"]
    return small_specification(certification=certification | {"n": 30_000})


def soak(gateway: RadosGateway, folder: Path, *, kills: int, seed: int) -> Iterator[Kill]:
    """Each kill as it is survived; AssertionError at the first that is not."""
    drawn, course = random.Random(seed), Soak(gateway, folder)
    for number in range(kills):
        yield course.kill(number, kind=KINDS[number % len(KINDS)], after=drawn.uniform(0, course.seconds))


def _kill_shard(process: subprocess.Popen[bytes], *, late: float) -> bool:
    """Waits for a process that certifies a shard, and kills it `late` seconds on; False where the run ended first."""
    while process.poll() is None:
        for folder in Path("/proc").glob("[0-9]*"):
            if _is_shard_of(process.pid, folder):
                time.sleep(late)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(folder.name), signal.SIGKILL)
                    return True
        time.sleep(POLL)
    return False


def _is_shard_of(runner: int, folder: Path) -> bool:
    """Whether a process is the interpreter, not its shell, that certifies a shard for that runner."""
    try:
        program, *arguments = (folder / "cmdline").read_bytes().split(b"\0")
        pairs = [arguments[index : index + 2] for index in range(len(arguments))]
        return b"python" in program and SHARD_ARGUMENTS in pairs and runner in _ancestors(folder)
    except (OSError, ValueError):
        return False


def _ancestors(folder: Path) -> Iterator[int]:
    pid = int(folder.name)
    while pid > 1:
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        yield pid


def main() -> None:
    """Runs a soak and prints a line for each kill."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place, RadosGateway(Path(place) / "ceph") as gateway:
        (folder := Path(place) / "runs").mkdir()
        survived: Counter[str] = Counter()
        for number, found in enumerate(soak(gateway, folder, kills=options.kills, seed=options.seed), start=1):
            survived[f"{found.kind} {'hit' if found.hit else 'came too late'}"] += 1
            sys.stdout.write(f"{number}/{options.kills} {found}" + "\n")
            sys.stdout.flush()
        sys.stdout.write(f"{options.kills} kills survived, every certificate the same: {dict(survived)}\n")


if __name__ == "__main__":
    main()
