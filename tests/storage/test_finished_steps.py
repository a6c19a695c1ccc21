"""Oracle: hashlib over the files, a store that nothing disturbed, and real kills of real processes."""

import hashlib
import json
import random
import subprocess
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import boto3
import pytest

from robustcert.errors import StepError, StorageError
from robustcert.storage.finished_steps import StepOutcome, document_of, once, parse_finished, step_key
from robustcert.storage.folder import FolderStore
from robustcert.storage.store import Store, open_store

NOW = datetime(2025, 6, 1, 14, 30, 5, 999_999, tzinfo=timezone(timedelta(hours=2)))
INPUTS = {"model": "ab" * 32, "n": 100, "alpha": "0.001"}
Damage = Callable[[FolderStore, StepOutcome], None]

# What the killed processes run: two outputs of some pages each, made from the inputs alone.
STEP = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from robustcert.storage.finished_steps import once
from robustcert.storage.folder import FolderStore

def work(store, folder, number):
    outputs = {name: folder / str(number) / name for name in ("model", "report")}
    def run():
        for name, path in outputs.items():
            path.write_bytes(f"{name} {number}\\n".encode() * 20_000)
        return {"accuracy": f"0.{number}"}
    return once(store, step="training", inputs={"number": number}, outputs=outputs, run=run,
                clock=lambda: datetime(2025, 6, 1, tzinfo=UTC))
"""


class Step:
    """A step that counts how often it ran."""

    def __init__(self, folder: Path, **contents: bytes) -> None:
        self.outputs = {name: folder / name for name in contents}
        self.contents = contents
        self.runs = 0

    def run(self) -> Mapping[str, object]:
        self.runs += 1
        for name, path in self.outputs.items():
            path.write_bytes(self.contents[name])
        return {"accuracy": "0.95", "counts": (3, 4), "nothing": None}

    def once(self, store: Store, inputs: Mapping[str, object] = INPUTS, step: str = "training") -> StepOutcome:
        return once(store, step=step, inputs=inputs, outputs=self.outputs, run=self.run, clock=lambda: NOW)


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "store")


@pytest.fixture
def step(tmp_path: Path) -> Step:
    return Step(tmp_path / "outputs", model=b"weights", report=b"<html>")


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_a_step_runs_once_and_its_outputs_are_fetched_ever_after(
    store: FolderStore, step: Step, tmp_path: Path
) -> None:
    first = step.once(store)
    other = Step(tmp_path / "elsewhere", model=b"", report=b"")
    second = other.once(store)
    assert (step.runs, first.reused, other.runs, second.reused) == (1, False, 0, True)
    assert first.digests == second.digests == {"model": sha256(b"weights"), "report": sha256(b"<html>")}
    assert first.values == second.values == {"accuracy": "0.95", "counts": [3, 4], "nothing": None}
    assert first.finished_at == second.finished_at == "2025-06-01T12:30:05Z"
    assert {name: path.read_bytes() for name, path in other.outputs.items()} == step.contents


def test_the_key_is_the_digest_of_name_and_inputs_in_canonical_json(store: FolderStore, step: Step) -> None:
    canonical = json.dumps({"step": "training", "inputs": INPUTS}, sort_keys=True, separators=(",", ":")).encode()
    assert step.once(store).key == step_key("training", INPUTS) == sha256(canonical)
    assert store.list_documents("") == [f"steps/training/{sha256(canonical)}.json"]


@pytest.mark.parametrize(
    ("inputs", "name"), [({**INPUTS, "n": 101}, "training"), ({"n": 100}, "training"), (INPUTS, "certification")]
)
def test_another_input_or_step_runs_anew(store: FolderStore, step: Step, inputs: dict[str, object], name: str) -> None:
    step.once(store)
    assert not step.once(store, inputs, name).reused
    assert step.runs == 2


def test_the_order_of_inputs_does_not_matter(store: FolderStore, step: Step) -> None:
    step.once(store)
    assert step.once(store, dict(reversed(INPUTS.items()))).reused


def test_other_outputs_run_anew(store: FolderStore, step: Step, tmp_path: Path) -> None:
    step.once(store)
    assert not Step(tmp_path / "outputs", model=b"weights", report=b"<html>", history=b"[]").once(store).reused


def object_file(store: FolderStore, digest: str) -> Path:
    return store.root / "objects" / "sha256" / digest[:2] / digest


def change_document(change: Callable[[bytes], bytes]) -> Damage:
    def damage(store: FolderStore, outcome: StepOutcome) -> None:
        path = store.root / document_of("training", outcome.key)
        path.write_bytes(change(path.read_bytes()))

    return damage


DAMAGES: dict[str, Damage] = {
    "object missing": lambda store, outcome: object_file(store, outcome.digests["report"]).unlink(),
    "object changed": lambda store, outcome: (
        object_file(store, outcome.digests["report"]).write_bytes(b"<HTML>") and None
    ),
    "object empty": lambda store, outcome: object_file(store, outcome.digests["model"]).write_bytes(b"") and None,
    "document missing": lambda store, outcome: (store.root / document_of("training", outcome.key)).unlink(),
    "document cut off": change_document(lambda data: data[:-9]),
    "document empty": change_document(lambda data: b""),
    "a value changed": change_document(lambda data: data.replace(b'"0.95"', b'"0.99"')),
    "a digest changed": change_document(lambda data: data.replace(sha256(b"weights").encode(), b"0" * 64)),
    "of another version": change_document(lambda data: data.replace(b'"schemaVersion":"1"', b'"schemaVersion":"2"')),
    "a list": change_document(lambda data: b"[]"),
    "no checksum": change_document(lambda data: b"{}"),
    "no text": change_document(lambda data: b"\xff\xfe"),
}


@pytest.mark.parametrize("name", sorted(DAMAGES))
def test_whatever_is_damaged_is_made_again(store: FolderStore, step: Step, name: str) -> None:
    first = step.once(store)
    DAMAGES[name](store, first)
    healed = step.once(store)
    again = step.once(store)
    assert (healed.reused, again.reused, step.runs) == (False, True, 2)
    assert first.digests == healed.digests == again.digests
    assert first.values == healed.values == again.values


def test_the_document_of_another_step_is_not_taken(store: FolderStore, step: Step) -> None:
    first = step.once(store)
    document = store.read_document(document_of("training", first.key))
    assert document is not None
    store.write_document(document_of("training", step_key("training", {"n": 1})), document)
    assert not step.once(store, {"n": 1}).reused


def test_a_step_that_fails_is_recorded_nowhere_and_its_error_passes(store: FolderStore, step: Step) -> None:
    def fail() -> Mapping[str, object]:
        raise ZeroDivisionError("in the step")

    with pytest.raises(ZeroDivisionError, match="in the step"):
        once(store, step="training", inputs=INPUTS, outputs=step.outputs, run=fail, clock=lambda: NOW)
    assert store.list_documents("") == []


def test_a_step_that_leaves_an_output_unwritten_fails_even_when_an_old_file_lies_there(
    store: FolderStore, step: Step
) -> None:
    step.once(store)
    with pytest.raises(StepError, match="expected step 'training' to write its output 'model', got no such file"):
        once(store, step="training", inputs={"n": 1}, outputs=step.outputs, run=dict, clock=lambda: NOW)
    assert len(store.list_documents("")) == 1


def test_an_output_that_is_a_folder_is_refused(store: FolderStore, step: Step) -> None:
    step.outputs["model"].mkdir(parents=True)
    with pytest.raises(StorageError, match=r"expected room for an output, got '.*' at '.*/model'"):
        step.once(store)
    assert step.runs == 0


def test_a_target_that_can_not_be_written_is_an_error_and_no_reason_to_run_again(
    store: FolderStore, step: Step
) -> None:
    step.once(store)
    step.outputs["model"].unlink()
    step.outputs["model"].mkdir()
    with pytest.raises(StorageError, match=r"expected to fetch object .* got 'Is a directory'"):
        step.once(store)
    assert step.runs == 1


@pytest.mark.parametrize("value", [0.5, {"x": [1.0]}])
def test_floats_are_refused_in_inputs_and_values(store: FolderStore, step: Step, value: object) -> None:
    with pytest.raises(TypeError, match="expected an integer or a decimal string"):
        step.once(store, {"x": value})
    step.run = lambda: Step.run(step) | {"x": value}  # type: ignore[method-assign, operator]
    with pytest.raises(TypeError, match="expected an integer or a decimal string"):
        step.once(store)
    assert store.list_documents("") == []


def test_a_step_is_kept_in_a_bucket_as_well(s3_endpoint: str, bucket: str, step: Step) -> None:
    """moto, a mock, stands in for S3."""
    store = open_store(f"s3://{bucket}/runs?endpoint={s3_endpoint}")
    assert [step.once(store).reused for _ in range(2)] == [False, True]
    assert step.runs == 1


def test_a_document_that_was_damaged_in_a_bucket_is_made_again(
    s3_endpoint: str, bucket: str, step: Step, peer: "boto3.client"
) -> None:
    """moto, a mock, stands in for S3."""
    store = open_store(f"s3://{bucket}?endpoint={s3_endpoint}")
    name = document_of("training", step.once(store).key)
    metadata = peer.get_object(Bucket=bucket, Key=name)["Metadata"]
    peer.put_object(Bucket=bucket, Key=name, Body=b"{}", Metadata=metadata)
    assert [step.once(store).reused for _ in range(2)] == [False, True]


def require_whole(root: Path) -> int:
    """Fails unless every document parses, every object bears its digest and none that is named is missing."""
    objects = {path.name: path.read_bytes() for path in root.glob("objects/sha256/*/*")}
    assert {name for name, data in objects.items() if sha256(data) != name} == set()
    documents = [parse_finished(path.read_bytes()) for path in root.glob("steps/*/*")]
    for document in documents:
        assert document is not None
        assert set(document.outputs.values()) <= set(objects)
    return len(documents)


def digests_of(root: Path, numbers: range) -> list[object]:
    """Digests of all steps by number, from one undisturbed process over the store in `root`."""
    script = STEP + (
        "import json\n"
        "store, folder = FolderStore(Path(sys.argv[1])), Path(sys.argv[2])\n"
        "outcomes = [work(store, folder, number) for number in range(int(sys.argv[3]))]\n"
        "print(json.dumps([[o.digests, o.values, o.finished_at] for o in outcomes]))\n"
    )
    command = [sys.executable, "-c", script, str(root), str(root.parent / "out"), str(numbers.stop)]
    return list(json.loads(subprocess.run(command, check=True, capture_output=True).stdout))


def test_twenty_kills_at_random_moments_never_damage_the_store(tmp_path: Path) -> None:
    script = STEP + (
        "from itertools import count\n"
        "store, folder = FolderStore(Path(sys.argv[1])), Path(sys.argv[2])\n"
        "print('ready', flush=True)\n"
        "for number in count(int(sys.argv[3])): print(work(store, folder, number).key, flush=True)\n"
    )
    draw, root = random.Random(11), tmp_path / "store"
    counts = [0]
    for _ in range(20):
        start = str(max(0, counts[-1] - 2))  # some steps to take from the store, then new ones
        command = [sys.executable, "-c", script, str(root), str(tmp_path / "outputs"), start]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            for _ in range(draw.randrange(1, 7)):
                assert process.stdout.readline()
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(timeout=draw.uniform(0, 0.02))
            process.kill()
        assert process.returncode == -9
        counts.append(require_whole(root))
    numbers = range(counts[-1] + 1)
    assert counts[-1] > 2
    assert counts == sorted(counts)
    assert digests_of(root, numbers) == digests_of(tmp_path / "undisturbed", numbers)


def test_a_death_at_any_one_file_operation_leaves_a_store_that_the_next_run_finishes(tmp_path: Path) -> None:
    script = STEP + (
        "import os\n"
        "def dying(name, at, calls):\n"
        "    real = getattr(os, name)\n"
        "    def operation(*arguments, **named):\n"
        "        calls.append(name)\n"
        "        if len(calls) == at:\n"
        "            if name == 'write': real(arguments[0], arguments[1][: len(arguments[1]) // 2])\n"
        "            os._exit(9)\n"
        "        return real(*arguments, **named)\n"
        "    setattr(os, name, operation)\n"
        "for at in range(1, 1000):\n"
        "    child = os.fork()\n"
        "    if child == 0:\n"
        "        calls = []\n"
        "        for name in ('open', 'write', 'fsync', 'replace', 'mkdir', 'unlink'): dying(name, at, calls)\n"
        "        work(FolderStore(Path(sys.argv[1]) / str(at) / 'store'), Path(sys.argv[1]) / 'outputs', 0)\n"
        "        os._exit(0)\n"
        "    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0: break\n"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True)
    roots = [path / "store" for path in tmp_path.iterdir() if path.name.isdigit()]
    assert len(roots) > 20
    undisturbed = digests_of(tmp_path / "undisturbed", range(1))
    step = Step(tmp_path / "again", model=b"model 0\n" * 20_000, report=b"report 0\n" * 20_000)
    for root in roots:
        require_whole(root)
        outcome = once(
            FolderStore(root),
            step="training",
            inputs={"number": 0},
            outputs=step.outputs,
            run=lambda: Step.run(step) and {"accuracy": "0.0"},
            clock=lambda: datetime(2025, 6, 1, tzinfo=UTC),
        )
        assert [outcome.digests, outcome.values, outcome.finished_at] == undisturbed[0]
        assert require_whole(root) == 1
