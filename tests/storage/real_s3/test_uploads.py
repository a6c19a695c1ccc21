"""Uploads to a real server: killed clients, a killed server, races between processes, and bounded memory."""

import hashlib
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

import pytest

from robustcert.errors import StorageError
from robustcert.storage.s3 import S3Store
from tests.rados_gateway import RadosGateway
from tests.storage.conftest import RealBucket

pytestmark = pytest.mark.real_s3

MIB = 1 << 20
SERVER_KILLS = 4

# Uploads argv[2] to the store argv[1] in parts of 5 MiB; tells of each part, and before the third one waits for a line.
UPLOAD = """
import sys
from pathlib import Path
from robustcert.errors import StorageError
from robustcert.storage import s3_bucket
from robustcert.storage.s3 import S3Store

s3_bucket.PART_BYTES = 5 << 20

class Paused:
    def __init__(self, stream): self.stream, self.parts = stream, 0
    def read(self, size):
        self.parts += 1
        print("part", flush=True)
        if self.parts == 3 and sys.argv[3] == "pause": sys.stdin.readline()
        return self.stream.read(size)

put = s3_bucket.Bucket.put
s3_bucket.Bucket.put = lambda self, key, stream, **named: put(self, key, Paused(stream), **named)
try:
    print(S3Store(sys.argv[1]).put_file(Path(sys.argv[2])), flush=True)
except StorageError as error:
    print(error, flush=True)
    sys.exit(2)
"""


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A file of 24 MiB: five parts in these tests."""
    (tmp_path / "large").write_bytes(random.Random(3).randbytes(24 * MIB))
    return tmp_path / "large"


def digest_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@contextmanager
def uploading(bucket: RealBucket, path: Path, *, pause: bool) -> Iterator[subprocess.Popen[str]]:
    """A process that uploads; with `pause` it waits for a line when two parts are there and the third is due."""
    command = [sys.executable, "-c", UPLOAD, bucket.uri("team"), str(path), "pause" if pause else "go"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            for _ in range(3 if pause else 1):
                assert process.stdout.readline() == "part\n"
            yield process
        finally:
            process.kill()


def test_a_client_killed_in_the_middle_leaves_nothing_visible_and_the_sweep_removes_its_parts(
    real_bucket: RealBucket, large: Path
) -> None:
    with uploading(real_bucket, large, pause=True) as process:
        process.kill()
    store, now = S3Store(real_bucket.uri("team")), datetime.now(UTC)
    assert real_bucket.contents() == {}
    assert not store.has(digest_of(large))
    assert real_bucket.uploads() == 1
    assert S3Store(real_bucket.uri("elsewhere")).sweep(now=now + timedelta(days=2)) == 0
    assert store.sweep(now=now + timedelta(hours=23)) == 0
    assert real_bucket.uploads() == 1
    assert store.sweep(now=now + timedelta(hours=25)) == 1
    assert real_bucket.uploads() == 0
    assert store.put_file(large) == digest_of(large)
    assert store.intact(digest_of(large))


def test_a_server_killed_in_the_middle_and_started_again_is_waited_for(
    real_bucket: RealBucket, real_s3: RadosGateway, large: Path
) -> None:
    with uploading(real_bucket, large, pause=True) as process:
        real_s3.kill()
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
        real_s3.restart()
        out, _ = process.communicate(timeout=60)
        assert (process.returncode, out.splitlines()[-1]) == (0, digest_of(large))
    assert hashlib.sha256(next(iter(real_bucket.contents().values()))).hexdigest() == digest_of(large)


def test_a_server_that_stays_away_is_told_in_one_line_and_a_second_try_succeeds(
    real_bucket: RealBucket, real_s3: RadosGateway, large: Path
) -> None:
    try:
        with uploading(real_bucket, large, pause=True) as process:
            real_s3.kill()
            out, _ = process.communicate("go\n", timeout=120)
        assert process.returncode == 2
        assert "got no answer (" in out.splitlines()[-1]
        assert out.splitlines()[:-1] == ["part"] * (len(out.splitlines()) - 1)
    finally:
        real_s3.restart()
    assert real_bucket.contents() == {}
    with uploading(real_bucket, large, pause=False) as process:
        out, _ = process.communicate(timeout=60)
    assert (process.returncode, out.splitlines()[-1]) == (0, digest_of(large))


def test_kills_of_the_server_at_random_moments_leave_whole_objects_or_none(
    real_bucket: RealBucket, real_s3: RadosGateway, large: Path
) -> None:
    chooser, digest, ended = random.Random(5), digest_of(large), []
    for number in range(SERVER_KILLS):
        with uploading(real_bucket, large, pause=False) as process:
            try:
                process.wait(timeout=chooser.uniform(0, 0.4))
            except subprocess.TimeoutExpired:
                real_s3.kill()
            real_s3.restart()
            found = real_bucket.contents()
            assert {hashlib.sha256(data).hexdigest() for data in found.values()} <= {digest}, number
            out, _ = process.communicate(timeout=60)
        ended.append((process.returncode, out.splitlines()[-1]))
        for key in real_bucket.contents():
            real_bucket.peer.remove_object(real_bucket.name, key)
    assert ended == [(0, digest)] * SERVER_KILLS


def test_a_download_outlives_a_server_that_is_killed_and_started_again(
    real_bucket: RealBucket, real_s3: RadosGateway, large: Path, tmp_path: Path
) -> None:
    store = S3Store(real_bucket.uri("team"))
    chunks = store._bucket.chunks(store._object(store.put_file(large)))
    found = hashlib.sha256(next(chunks))
    real_s3.kill()
    real_s3.restart()
    for chunk in chunks:
        found.update(chunk)
    assert found.hexdigest() == digest_of(large)


def test_the_same_object_from_many_processes_is_whole(real_bucket: RealBucket, large: Path) -> None:
    command = [sys.executable, "-c", UPLOAD, real_bucket.uri("team"), str(large), "go"]
    writers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    ends = [writer.communicate(timeout=120)[0].splitlines()[-1] for writer in writers]
    assert ends == [digest_of(large)] * 4
    assert list(real_bucket.contents().values()) == [large.read_bytes()]
    assert real_bucket.uploads() == 0


RACE = """
import sys
from robustcert.errors import StorageError
from robustcert.storage.s3 import S3Store
from robustcert.storage.s3_errors import ConditionError
store = S3Store(sys.argv[1])
for number in range(int(sys.argv[3])):
    sys.stdin.readline()
    won = {}
    for name, write in {
        "put": lambda: store._bucket.put_if_absent(f"team/put-{number}", sys.argv[2].encode()),
        "document": lambda: store.write_document_once(f"certificates/{number}", sys.argv[2].encode()),
    }.items():
        try: write(); won[name] = 1
        except (ConditionError, StorageError): won[name] = 0
    print(won["put"], won["document"], flush=True)
"""


def test_of_many_processes_that_write_one_document_exactly_one_wins(real_bucket: RealBucket) -> None:
    rounds, commands = 10, [[sys.executable, "-c", RACE, real_bucket.uri("team"), str(i), "10"] for i in range(6)]
    racers = [subprocess.Popen(c, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for c in commands]
    try:
        for number in range(rounds):
            for racer in racers:
                assert racer.stdin is not None
                racer.stdin.write("go\n")
                racer.stdin.flush()
            lines = [racer.stdout.readline().split() for racer in racers if racer.stdout]
            for column, key in enumerate((f"team/put-{number}", f"team/certificates/{number}")):
                winners = [str(place) for place, line in enumerate(lines) if line[column] == "1"]
                assert winners == [real_bucket.peer.get_object(real_bucket.name, key).data.decode()]
    finally:
        for racer in racers:
            racer.kill()
            racer.communicate()


MEMORY = """
import resource, sys
from pathlib import Path
from robustcert.storage.s3 import S3Store
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
store = S3Store(sys.argv[1])
store.put_bytes(b"small")
before = peak()
digest = store.put_file(Path(sys.argv[2]))
after_put = peak()
store.fetch(digest, Path(sys.argv[2] + ".copy"))
print(digest, after_put - before, peak() - before)
"""


def test_200_mib_travel_both_ways_in_bounded_memory(real_bucket: RealBucket, tmp_path: Path) -> None:
    path, block = tmp_path / "large", random.Random(9).randbytes(MIB)
    with path.open("wb") as file:
        file.writelines(block[number:] + block[:number] for number in range(200))
    command = [sys.executable, "-c", MEMORY, real_bucket.uri("team"), str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    digest, put, both = done.stdout.split()
    assert digest == digest_of(path) == digest_of(tmp_path / "large.copy")
    assert int(put) < 64 * 1024, f"{put} KiB more for the upload"
    assert int(both) < 64 * 1024, f"{both} KiB more for both"
    key = f"team/objects/sha256/{digest[:2]}/{digest}"
    etag = real_bucket.peer.stat_object(real_bucket.name, key).etag or ""
    assert etag.endswith(f"-{-(-200 // 16)}")


def test_an_object_damaged_on_the_server_is_never_handed_out(real_bucket: RealBucket, tmp_path: Path) -> None:
    store = S3Store(real_bucket.uri("team"))
    digest = store.put_bytes(b"as it was")
    real_bucket.peer.put_object(
        real_bucket.name, f"team/objects/sha256/{digest[:2]}/{digest}", BytesIO(b"as it is!"), 9
    )
    with pytest.raises(StorageError, match=f"expected object {digest} of .* as it was stored, got bytes with SHA-256"):
        store.fetch(digest, tmp_path / "copy")
    assert list(tmp_path.iterdir()) == []
